// The look at a .tflite file: a model put together by hand, damaged in every way; meant to run under the sanitizers as well.
#include "delegate/benchmark/model_file.h"

#include <cstring>
#include <string>
#include <vector>

#include "delegate/benchmark/random.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

// Writes a flatbuffer front to back: what is referred to comes after what refers to it.
class Flatbuffer {
 public:
  Flatbuffer() : bytes_(8) { memcpy(&bytes_[4], "TFL3", 4); }

  // A table of four-byte fields; where each will be is returned. A field that is absent has no place.
  std::vector<size_t> Table(size_t referrer, const std::vector<bool>& present) {
    const size_t vtable = bytes_.size();
    const size_t vtable_size = 4 + 2 * present.size();
    Append16(static_cast<uint16_t>(vtable_size));
    Append16(0);  // the table's size, set below
    uint16_t offset = 4;
    std::vector<size_t> offsets;
    for (bool field : present) {
      offsets.push_back(field ? offset : 0);
      Append16(field ? offset : 0);
      if (field) offset = static_cast<uint16_t>(offset + 4);
    }
    memcpy(&bytes_[vtable + 2], &offset, 2);
    const size_t table = bytes_.size();
    Append32(static_cast<uint32_t>(table - vtable));
    bytes_.resize(table + offset);
    Refer(referrer, table);
    for (size_t& place : offsets) place = place != 0 ? table + place : 0;
    return offsets;
  }

  // A vector of that many bytes or four-byte elements; the place of the first is returned.
  size_t Vector(size_t referrer, uint32_t count, size_t element_bytes) {
    Refer(referrer, bytes_.size());
    Append32(count);
    const size_t first = bytes_.size();
    bytes_.resize(first + count * element_bytes);
    return first;
  }

  void Set32(size_t place, uint32_t value) { memcpy(&bytes_[place], &value, 4); }
  std::vector<uint8_t>& bytes() { return bytes_; }

 private:
  void Append16(uint16_t value) { bytes_.insert(bytes_.end(), {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8)}); }
  void Append32(uint32_t value) {
    bytes_.resize(bytes_.size() + 4);
    Set32(bytes_.size() - 4, value);
  }
  void Refer(size_t referrer, size_t target) { Set32(referrer, static_cast<uint32_t>(target - referrer)); }

  std::vector<uint8_t> bytes_;
};

// Where things lie in the model below.
struct Model {
  std::vector<uint8_t> bytes;
  size_t operator_code;   // of the operator
  size_t operator_input;  // its first
  size_t tensor_buffer;   // of tensor 1
  size_t subgraphs;       // the vector's first element
};

// Two tensors, one operator from the first to the second, two buffers, the second with 40 bytes.
Model MakeModel() {
  Flatbuffer f;
  Model model;
  const auto root = f.Table(0, {true, true, true, false, true});
  const size_t codes = f.Vector(root[1], 1, 4);
  f.Table(codes, {true});
  model.subgraphs = f.Vector(root[2], 1, 4);
  const auto subgraph = f.Table(model.subgraphs, {true, true, true, true});
  const size_t tensors = f.Vector(subgraph[0], 2, 4);
  for (uint32_t i = 0; i < 2; ++i) {
    const auto tensor = f.Table(tensors + 4 * i, {true, true, true});
    const size_t shape = f.Vector(tensor[0], 2, 4);
    f.Set32(shape, 1);
    f.Set32(shape + 4, 10);
    f.Set32(tensor[2], i);
    model.tensor_buffer = tensor[2];
  }
  f.Vector(subgraph[1], 1, 4);
  f.Set32(f.Vector(subgraph[2], 1, 4), 1);
  const size_t operators = f.Vector(subgraph[3], 1, 4);
  const auto op = f.Table(operators, {true, true, true});
  model.operator_code = op[0];
  model.operator_input = f.Vector(op[1], 1, 4);
  f.Set32(f.Vector(op[2], 1, 4), 1);
  const size_t buffers = f.Vector(root[4], 2, 4);
  f.Table(buffers, {});
  const auto buffer = f.Table(buffers + 4, {true});
  f.Vector(buffer[0], 40, 1);
  model.bytes = f.bytes();
  return model;
}

// From memory of its own size, so that a sanitizer sees a read beyond it.
bool Check(const std::vector<uint8_t>& bytes, std::string* error) {
  const std::vector<uint8_t> copy(bytes);
  Message message;
  const bool good = CheckModel(copy.data(), copy.size(), &message);
  *error = message.text;
  return good;
}

void Set(std::vector<uint8_t>* bytes, size_t place, uint32_t value) { memcpy(bytes->data() + place, &value, 4); }

TEST(CheckModel, TakesAWholeModel) {
  std::string error;
  EXPECT_TRUE(Check(MakeModel().bytes, &error)) << error;
}

TEST(CheckModel, RefusesWhatIsNoModel) {
  std::string error;
  EXPECT_FALSE(Check({}, &error));
  EXPECT_EQ(error, "not a TFLite model: the identifier TFL3 is missing");
  Model model = MakeModel();
  model.bytes[4] = 'X';
  EXPECT_FALSE(Check(model.bytes, &error));
  EXPECT_EQ(error, "not a TFLite model: the identifier TFL3 is missing");
}

TEST(CheckModel, RefusesEveryTruncation) {
  const Model model = MakeModel();
  for (size_t size = 0; size < model.bytes.size(); ++size) {
    std::string error;
    EXPECT_FALSE(Check(std::vector<uint8_t>(model.bytes.begin(), model.bytes.begin() + size), &error)) << size;
    if (size >= 8) EXPECT_NE(error.find("truncated or damaged"), std::string::npos) << size << ": " << error;
  }
}

TEST(CheckModel, RefusesIndicesOutOfRange) {
  std::string error;
  Model model = MakeModel();
  Set(&model.bytes, model.operator_input, 2);
  EXPECT_FALSE(Check(model.bytes, &error));
  EXPECT_EQ(error, "damaged: operator 0 names tensor 2 of 2");
  Set(&model.bytes, model.operator_input, static_cast<uint32_t>(-2));
  EXPECT_FALSE(Check(model.bytes, &error));
  Set(&model.bytes, model.operator_input, static_cast<uint32_t>(-1));
  EXPECT_TRUE(Check(model.bytes, &error)) << "an optional input is absent: " << error;

  model = MakeModel();
  Set(&model.bytes, model.tensor_buffer, 2);
  EXPECT_FALSE(Check(model.bytes, &error));
  EXPECT_EQ(error, "damaged: tensor 1 names buffer 2 of 2");

  model = MakeModel();
  Set(&model.bytes, model.operator_code, 1);
  EXPECT_FALSE(Check(model.bytes, &error));
  EXPECT_EQ(error, "damaged: operator 0 has a code that the model does not list");
}

TEST(CheckModel, RefusesAModelWithoutAGraph) {
  Model model = MakeModel();
  Set(&model.bytes, model.subgraphs - 4, 0);
  std::string error;
  EXPECT_FALSE(Check(model.bytes, &error));
  EXPECT_EQ(error, "the model has no graph");
}

TEST(CheckModel, ReadsNothingBeyondTheFileWhateverItHolds) {
  const Model model = MakeModel();
  Random random(1);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<uint8_t> damaged = model.bytes;
    const int changes = static_cast<int>(random.Integer(1, 4));
    for (int i = 0; i < changes; ++i) {
      const auto place = static_cast<size_t>(random.Integer(8, static_cast<int64_t>(damaged.size()) - 1));
      damaged[place] = static_cast<uint8_t>(random.Next());
    }
    std::string error;
    refused += !Check(damaged, &error);
  }
  EXPECT_GT(refused, 5000) << "damage mostly shows";
}

TEST(CheckModelFile, NamesTheFile) {
  Message error;
  EXPECT_FALSE(CheckModelFile("/nonexistent.tflite", &error));
  EXPECT_STREQ(error.text, "--graph=/nonexistent.tflite: No such file or directory");
  EXPECT_FALSE(CheckModelFile("/", &error));
  EXPECT_STREQ(error.text, "--graph=/: Is a directory");
}

}  // namespace
}  // namespace tflite_eq
