#include "delegate/benchmark/model_file.h"

#include <string.h>

#include <initializer_list>

#include "delegate/benchmark/mapped_file.h"
#include "delegate/quoted.h"

namespace tflite_eq {
namespace {

// Flatbuffers (flatbuffers.dev/internals): a table begins with the distance back to its vtable, which holds its own size, the
// table's, and for every field the place in the table, 0 if absent. Tables and vectors are referred to by their distance from
// the place that refers to them. Everything is little-endian, as are the processors this program is built for.

// Field numbers of TFLite's schema.
enum ModelField { kModelOperatorCodes = 1, kModelSubgraphs = 2, kModelBuffers = 4 };
enum SubgraphField { kSubgraphTensors, kSubgraphInputs, kSubgraphOutputs, kSubgraphOperators };
enum TensorField { kTensorShape, kTensorType, kTensorBuffer };
enum OperatorField { kOperatorCode, kOperatorInputs, kOperatorOutputs };
enum BufferField { kBufferData, kBufferOffset, kBufferSize };

struct Table {
  size_t position = 0;
  size_t size = 0;
  size_t vtable = 0;
  size_t vtable_size = 0;
};

struct Vector {
  size_t position = 0;  // of the first element
  uint32_t count = 0;
};

class Checker {
 public:
  Checker(const uint8_t* data, size_t size, Message* error) : data_(data), size_(size), error_(error) {}
  bool CheckModel();

 private:
  template <typename T>
  T At(size_t position) const {
    T value;
    memcpy(&value, data_ + position, sizeof(T));
    return value;
  }
  bool Fits(size_t position, size_t bytes) const { return position <= size_ && bytes <= size_ - position; }
  bool Outside(const char* what, size_t index) {
    error_->Set("truncated or damaged: %s %zu does not lie within the %zu bytes of the file", what, index, size_);
    return false;
  }

  // `what` and `index` are for the message.
  bool ReadTable(size_t position, const char* what, size_t index, Table* table);
  // The table or vector that an element at `position` refers to.
  bool Follow(size_t position, const char* what, size_t index, size_t* target);
  // The place of a field, 0 when it is absent or does not fit.
  size_t Field(const Table& table, int field, size_t bytes) const;
  // An absent vector is empty.
  bool ReadVector(const Table& table, int field, size_t element_bytes, const char* what, size_t index, Vector* vector);
  bool ReadElement(const Vector& vector, uint32_t i, const char* what, Table* table);

  bool CheckBuffers(const Vector& buffers);
  bool CheckSubgraph(const Table& subgraph, uint32_t index);
  bool CheckOperator(const Table& op, uint32_t index, uint32_t tensors);
  bool CheckIndices(const Vector& indices, uint32_t tensors, const char* what, uint32_t index);

  const uint8_t* data_;
  size_t size_;
  Message* error_;
  uint32_t buffers_ = 0;
  uint32_t operator_codes_ = 0;
};

bool Checker::ReadTable(size_t position, const char* what, size_t index, Table* table) {
  if (!Fits(position, sizeof(int32_t))) return Outside(what, index);
  const int64_t vtable = static_cast<int64_t>(position) - At<int32_t>(position);
  if (vtable < 0 || !Fits(static_cast<size_t>(vtable), 2 * sizeof(uint16_t))) return Outside(what, index);
  table->position = position;
  table->vtable = static_cast<size_t>(vtable);
  table->vtable_size = At<uint16_t>(table->vtable);
  table->size = At<uint16_t>(table->vtable + sizeof(uint16_t));
  if (table->vtable_size < 2 * sizeof(uint16_t) || !Fits(table->vtable, table->vtable_size) ||
      !Fits(position, table->size)) {
    return Outside(what, index);
  }
  return true;
}

bool Checker::Follow(size_t position, const char* what, size_t index, size_t* target) {
  if (!Fits(position, sizeof(uint32_t))) return Outside(what, index);
  *target = position + At<uint32_t>(position);
  return Fits(*target, sizeof(uint32_t)) || Outside(what, index);
}

size_t Checker::Field(const Table& table, int field, size_t bytes) const {
  const size_t entry = (2 + static_cast<size_t>(field)) * sizeof(uint16_t);
  if (entry + sizeof(uint16_t) > table.vtable_size) return 0;
  const size_t offset = At<uint16_t>(table.vtable + entry);
  return offset != 0 && offset + bytes <= table.size ? table.position + offset : 0;
}

bool Checker::ReadVector(const Table& table, int field, size_t element_bytes, const char* what, size_t index,
                         Vector* vector) {
  *vector = Vector();
  const size_t place = Field(table, field, sizeof(uint32_t));
  if (place == 0) return true;
  size_t target;
  if (!Follow(place, what, index, &target)) return false;
  vector->count = At<uint32_t>(target);
  vector->position = target + sizeof(uint32_t);
  return Fits(vector->position, vector->count * element_bytes) || Outside(what, index);
}

bool Checker::ReadElement(const Vector& vector, uint32_t i, const char* what, Table* table) {
  size_t target;
  return Follow(vector.position + i * sizeof(uint32_t), what, i, &target) && ReadTable(target, what, i, table);
}

bool Checker::CheckBuffers(const Vector& buffers) {
  for (uint32_t i = 0; i < buffers.count; ++i) {
    Table buffer;
    Vector bytes;
    if (!ReadElement(buffers, i, "buffer", &buffer) ||
        !ReadVector(buffer, kBufferData, 1, "the data of buffer", i, &bytes)) {
      return false;
    }
    // Models beyond 2 GB keep their weights behind the flatbuffer.
    const size_t offset = Field(buffer, kBufferOffset, sizeof(uint64_t));
    const size_t size = Field(buffer, kBufferSize, sizeof(uint64_t));
    if (offset != 0 && size != 0 && !Fits(At<uint64_t>(offset), At<uint64_t>(size))) {
      return Outside("the data of buffer", i);
    }
  }
  return true;
}

bool Checker::CheckIndices(const Vector& indices, uint32_t tensors, const char* what, uint32_t index) {
  constexpr int32_t kOptionalTensor = -1;
  for (uint32_t i = 0; i < indices.count; ++i) {
    const int32_t tensor = At<int32_t>(indices.position + i * sizeof(int32_t));
    if (tensor < kOptionalTensor || tensor >= static_cast<int64_t>(tensors)) {
      error_->Set("damaged: %s %u names tensor %d of %u", what, index, tensor, tensors);
      return false;
    }
  }
  return true;
}

bool Checker::CheckOperator(const Table& op, uint32_t index, uint32_t tensors) {
  const size_t code = Field(op, kOperatorCode, sizeof(uint32_t));
  if ((code != 0 ? At<uint32_t>(code) : 0) >= operator_codes_) {
    error_->Set("damaged: operator %u has a code that the model does not list", index);
    return false;
  }
  for (int field : {kOperatorInputs, kOperatorOutputs}) {
    Vector indices;
    if (!ReadVector(op, field, sizeof(int32_t), "operator", index, &indices) ||
        !CheckIndices(indices, tensors, "operator", index)) {
      return false;
    }
  }
  return true;
}

bool Checker::CheckSubgraph(const Table& subgraph, uint32_t index) {
  Vector tensors, operators;
  if (!ReadVector(subgraph, kSubgraphTensors, sizeof(uint32_t), "the tensors of subgraph", index, &tensors) ||
      !ReadVector(subgraph, kSubgraphOperators, sizeof(uint32_t), "the operators of subgraph", index, &operators)) {
    return false;
  }
  for (uint32_t i = 0; i < tensors.count; ++i) {
    Table tensor;
    Vector shape;
    if (!ReadElement(tensors, i, "tensor", &tensor) ||
        !ReadVector(tensor, kTensorShape, sizeof(int32_t), "the shape of tensor", i, &shape)) {
      return false;
    }
    const size_t buffer = Field(tensor, kTensorBuffer, sizeof(uint32_t));
    if (buffer != 0 && At<uint32_t>(buffer) >= buffers_) {
      error_->Set("damaged: tensor %u names buffer %u of %u", i, At<uint32_t>(buffer), buffers_);
      return false;
    }
  }
  for (int field : {kSubgraphInputs, kSubgraphOutputs}) {
    Vector indices;
    if (!ReadVector(subgraph, field, sizeof(int32_t), "subgraph", index, &indices) ||
        !CheckIndices(indices, tensors.count, "subgraph", index)) {
      return false;
    }
  }
  for (uint32_t i = 0; i < operators.count; ++i) {
    Table op;
    if (!ReadElement(operators, i, "operator", &op) || !CheckOperator(op, i, tensors.count)) return false;
  }
  return true;
}

bool Checker::CheckModel() {
  constexpr char kIdentifier[] = "TFL3";
  if (size_ < 2 * sizeof(uint32_t) || memcmp(data_ + sizeof(uint32_t), kIdentifier, 4) != 0) {
    error_->Set("not a TFLite model: the identifier %s is missing", kIdentifier);
    return false;
  }
  size_t root;
  Table model;
  Vector codes, subgraphs, buffers;
  if (!Follow(0, "table", 0, &root) || !ReadTable(root, "table", 0, &model) ||
      !ReadVector(model, kModelOperatorCodes, sizeof(uint32_t), "operator code", 0, &codes) ||
      !ReadVector(model, kModelSubgraphs, sizeof(uint32_t), "subgraph", 0, &subgraphs) ||
      !ReadVector(model, kModelBuffers, sizeof(uint32_t), "buffer", 0, &buffers)) {
    return false;
  }
  if (subgraphs.count == 0) {
    error_->Set("the model has no graph");
    return false;
  }
  for (uint32_t i = 0; i < codes.count; ++i) {
    Table code;
    if (!ReadElement(codes, i, "operator code", &code)) return false;
  }
  operator_codes_ = codes.count;
  buffers_ = buffers.count;
  if (!CheckBuffers(buffers)) return false;
  for (uint32_t i = 0; i < subgraphs.count; ++i) {
    Table subgraph;
    if (!ReadElement(subgraphs, i, "subgraph", &subgraph) || !CheckSubgraph(subgraph, i)) return false;
  }
  return true;
}

}  // namespace

bool CheckModel(const uint8_t* data, size_t size, Message* error) { return Checker(data, size, error).CheckModel(); }

bool CheckModelFile(const char* path, Message* error) {
  MappedFile file;
  Message reason;
  if (file.Open(path, &reason) && CheckModel(file.data(), file.size(), &reason)) return true;
  error->Set("--graph=%s: %s", Quoted(path, Quoted::kLongest).text, reason.text);
  return false;
}

}  // namespace tflite_eq
