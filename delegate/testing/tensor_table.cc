#include "delegate/testing/tensor_table.h"

#include <cstring>

#include "delegate/testing/arrays.h"

namespace tflite_eq {
namespace {

// More than any test means to use. TFLite goes on to 2^64, and then fails to allocate.
constexpr size_t kMostBytes = size_t{1} << 22;
constexpr int kUnwritten = 0x5a;

bool BytesRequired(const TfLiteTensor& tensor, const TfLiteIntArray& dims, size_t* bytes) {
  size_t product = ElementBytes(tensor.type);
  bool empty = false;
  for (int i = 0; i < dims.size; ++i) {
    if (dims.data[i] < 0) return false;
    empty = empty || dims.data[i] == 0;
  }
  for (int i = 0; i < dims.size && !empty; ++i) {
    product *= static_cast<size_t>(dims.data[i]);
    if (product > kMostBytes) return false;
  }
  *bytes = empty ? 0 : product;
  return true;
}

}  // namespace

TensorTable::TensorTable(const TestGraph& graph)
    : size_(static_cast<int>(graph.tensors.size())),
      tensors_(new TfLiteTensor[graph.tensors.size()]()),
      arrays_(new TensorArrays[graph.tensors.size()]),
      blocks_(graph.tensors.size()) {
  for (int i = 0; i < size_; ++i) {
    const TestTensor& from = graph.tensors[i];
    TfLiteTensor& to = tensors_[i];
    TensorDescription described;
    described.name = from.name.c_str();
    described.type = from.type;
    described.shape = from.shape.data();
    described.rank = static_cast<int>(from.shape.size());
    described.scales = from.scales.data();
    described.scale_count = static_cast<int>(from.scales.size());
    described.zero_points = from.zero_points.data();
    described.zero_point_count = static_cast<int>(from.zero_points.size());
    described.quantized_dimension = from.quantized_dimension;
    described.constant = from.constant;
    described.data = from.constant ? from.data.data() : nullptr;
    described.bytes = from.constant ? from.data.size() : 0;
    arrays_[i].Make(described, &to);
    // A tensor owns its shape: it is resized by another.
    to.dims = arrays_[i].shape.Release();
    if (!from.constant && !BytesRequired(to, *to.dims, &to.bytes)) valid_ = false;
  }
}

TensorTable::~TensorTable() {
  for (int i = 0; i < size_; ++i) free(tensors_[i].dims);
}

void TensorTable::Fill(int tensor, size_t bytes) {
  blocks_[tensor].reset(bytes > 0 ? static_cast<uint8_t*>(AllocateForTest(bytes)) : nullptr);
  if (bytes > 0) memset(blocks_[tensor].get(), kUnwritten, bytes);
  tensors_[tensor].data.raw = blocks_[tensor].get();
}

bool TensorTable::Resize(TfLiteTensor* tensor, TfLiteIntArray* dims) {
  size_t bytes;
  if (tensor->allocation_type == kTfLiteMmapRo || !BytesRequired(*tensor, *dims, &bytes)) {
    free(dims);
    return false;
  }
  if (tensor->dims != dims) free(tensor->dims);
  tensor->dims = dims;
  tensor->bytes = bytes;
  tensor->data.raw = nullptr;
  if (tensor->allocation_type == kTfLiteDynamic) Fill(static_cast<int>(tensor - tensors_.get()), bytes);
  return true;
}

void TensorTable::Allocate(int tensor) {
  TfLiteTensor& t = tensors_[tensor];
  if (t.allocation_type != kTfLiteArenaRw) return;
  const Block old = t.data.raw != nullptr ? std::move(blocks_[tensor]) : nullptr;
  Fill(tensor, t.bytes);
  if (old != nullptr) memcpy(t.data.raw, old.get(), t.bytes);
}

void TensorTable::Move() {
  std::unique_ptr<TfLiteTensor[]> moved(new TfLiteTensor[static_cast<size_t>(size_)]);
  if (size_ > 0) memcpy(moved.get(), tensors_.get(), sizeof(TfLiteTensor) * static_cast<size_t>(size_));
  tensors_ = std::move(moved);
}

}  // namespace tflite_eq
