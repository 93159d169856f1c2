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

void TensorTable::FreeAffine::operator()(TfLiteAffineQuantizationParams* affine) const {
  free(affine->scale);
  free(affine->zero_point);
  free(affine);
}

TensorTable::TensorTable(const TestGraph& graph)
    : size_(static_cast<int>(graph.tensors.size())),
      tensors_(new TfLiteTensor[graph.tensors.size()]()),
      affine_(graph.tensors.size()),
      blocks_(graph.tensors.size()) {
  for (int i = 0; i < size_; ++i) {
    const TestTensor& from = graph.tensors[i];
    TfLiteTensor& to = tensors_[i];
    to.type = from.type;
    to.name = from.name.c_str();
    to.dims = MakeIntArray(from.shape);
    to.allocation_type = from.constant ? kTfLiteMmapRo : kTfLiteArenaRw;
    if (from.constant) {
      to.data.raw = const_cast<uint8_t*>(from.data.data());
      to.bytes = from.data.size();
    } else if (!BytesRequired(to, *to.dims, &to.bytes)) {
      to.bytes = 0;
      valid_ = false;
    }
    if (from.scales.empty()) continue;
    affine_[i].reset(static_cast<TfLiteAffineQuantizationParams*>(AllocateForTest(sizeof(TfLiteAffineQuantizationParams))));
    *affine_[i] = {MakeArray<TfLiteFloatArray>(from.scales), MakeIntArray(from.zero_points), from.quantized_dimension};
    to.quantization.type = kTfLiteAffineQuantization;
    to.quantization.params = affine_[i].get();
    if (from.scales.size() == 1 && from.zero_points.size() == 1) to.params = {from.scales[0], from.zero_points[0]};
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
