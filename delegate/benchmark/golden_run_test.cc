// Golden files: what is read of a good one, and that no damaged one is taken for good.
#include "delegate/benchmark/golden_run.h"

#include <cstring>
#include <string>
#include <vector>

#include "delegate/tflite_abi.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

using Bytes = std::vector<uint8_t>;

std::string Hex(const Sha256& hash) {
  std::string text;
  for (uint8_t byte : hash.bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += {kDigits[byte / 16], kDigits[byte % 16]};
  }
  return text;
}

// The examples of FIPS 180-2, and lengths at which the padding takes one block more.
TEST(Sha256, IsThatOfTheStandard) {
  const auto of = [](const std::string& text) { return Hex(Sha256Of(reinterpret_cast<const uint8_t*>(text.data()), text.size())); };
  EXPECT_EQ(of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(of(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

void Append(Bytes* bytes, uint32_t word) {
  for (int i = 0; i < 4; ++i) bytes->push_back(static_cast<uint8_t>(word >> 8 * i));
}

void AppendRecord(Bytes* bytes, uint32_t type, const std::vector<uint32_t>& shape, const std::string& name) {
  const size_t end = bytes->size() + 256;
  Append(bytes, type);
  Append(bytes, static_cast<uint32_t>(shape.size()));
  for (size_t d = 0; d < 8; ++d) Append(bytes, d < shape.size() ? shape[d] : 0);
  bytes->insert(bytes->end(), name.begin(), name.end());
  bytes->resize(end);
}

// Two samples of an int8 input [1, 3], and outputs: a float32 and an int8 [2].
Bytes Golden() {
  const std::string magic = "TFEQGOLD";
  Bytes bytes(magic.begin(), magic.end());
  for (uint32_t word : {1u, 2u, 1u, 2u}) Append(&bytes, word);
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<uint8_t>(i));
  const std::string version = "1.2.3";
  bytes.insert(bytes.end(), version.begin(), version.end());
  bytes.resize(88);
  AppendRecord(&bytes, kTfLiteInt8, {1, 3}, "image");
  AppendRecord(&bytes, kTfLiteFloat32, {}, "score");
  AppendRecord(&bytes, kTfLiteInt8, {2}, "codes");
  for (int i = 0; i < 2 * (3 + 4 + 2); ++i) bytes.push_back(static_cast<uint8_t>(100 + i));
  return bytes;
}

bool Parses(const Bytes& bytes, std::string* error = nullptr) {
  // Of exactly that size, so that sanitizers see a read beyond it.
  const Bytes exact(bytes);
  GoldenRun run;
  Message message;
  const bool good = run.Parse(exact.data(), exact.size(), &message);
  EXPECT_EQ(good, message.text[0] == '\0') << message.text;
  if (error != nullptr) *error = message.text;
  return good;
}

TEST(GoldenRun, HoldsWhatWasWritten) {
  const Bytes bytes = Golden();
  GoldenRun run;
  Message message;
  ASSERT_TRUE(run.Parse(bytes.data(), bytes.size(), &message)) << message.text;
  EXPECT_EQ(run.samples(), 2);
  EXPECT_EQ(run.inputs(), 1);
  EXPECT_EQ(run.outputs(), 2);
  EXPECT_STREQ(run.header().version, "1.2.3");
  EXPECT_EQ(run.header().model.bytes[31], 31);
  EXPECT_STREQ(run.input(0).name, "image");
  EXPECT_EQ(uint32_t{run.input(0).rank}, 2u);
  EXPECT_EQ(int32_t{run.input(0).dims[1]}, 3);
  EXPECT_EQ(run.output(0).bytes(), 4u);
  EXPECT_EQ(uint32_t{run.output(1).type}, uint32_t{kTfLiteInt8});
  EXPECT_EQ(*run.input_bytes(0, 0), 100);
  EXPECT_EQ(*run.output_bytes(0, 1), 107);
  EXPECT_EQ(*run.input_bytes(1, 0), 109);
  EXPECT_EQ(*run.output_bytes(1, 0), 112);
}

TEST(GoldenRun, OfAnyOtherLengthIsRefused) {
  Bytes bytes = Golden();
  bytes.push_back(0);
  EXPECT_FALSE(Parses(bytes));
  for (bytes.pop_back(); !bytes.empty();) {
    bytes.pop_back();
    EXPECT_FALSE(Parses(bytes)) << bytes.size();
  }
}

TEST(GoldenRun, SaysWhatIsWrong) {
  const auto damaged = [](size_t at, const std::vector<uint8_t>& by) {
    Bytes bytes = Golden();
    std::copy(by.begin(), by.end(), bytes.begin() + static_cast<ptrdiff_t>(at));
    std::string error;
    EXPECT_FALSE(Parses(bytes, &error)) << at;
    return error;
  };
  EXPECT_NE(damaged(0, {'X'}).find("no golden file"), std::string::npos);
  EXPECT_NE(damaged(8, {2}).find("format 2"), std::string::npos);
  EXPECT_NE(damaged(12, {0}).find("0 samples"), std::string::npos);
  EXPECT_NE(damaged(16, {255, 255, 255, 255}).find("4294967295 inputs"), std::string::npos);
  EXPECT_NE(damaged(56, Bytes(32, 'v')).find("damaged"), std::string::npos);
  EXPECT_NE(damaged(88, {77}).find("type 77"), std::string::npos);
  EXPECT_NE(damaged(92, {9}).find("9 dimensions"), std::string::npos);
  EXPECT_NE(damaged(96, {255, 255, 255, 255}).find("damaged"), std::string::npos) << "a negative size";
  // 2^31 - 1 of everything does not fit any size.
  EXPECT_NE(damaged(92, {8, 0, 0, 0, 255, 255, 255, 127, 255, 255, 255, 127, 255, 255, 255, 127}).find("damaged"), std::string::npos);
  EXPECT_NE(damaged(128, Bytes(216, 'n')).find("no name"), std::string::npos);
}

// Else a file of some hundred bytes names two billion samples.
TEST(GoldenRun, OfNoValuesIsRefused) {
  Bytes bytes = Golden();
  bytes.resize(88 + 3 * 256);
  for (int i = 0; i < 3; ++i) {
    const uint32_t shape[] = {1, 0};
    memcpy(&bytes[88 + 256 * i + 4], shape, sizeof(shape));
  }
  std::string error;
  EXPECT_FALSE(Parses(bytes, &error));
  EXPECT_NE(error.find("2 samples of no values"), std::string::npos) << error;
}

}  // namespace
}  // namespace tflite_eq
