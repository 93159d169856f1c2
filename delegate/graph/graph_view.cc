#include "delegate/graph/graph_view.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

namespace tflite_eq {

QuantizationView TensorView::quantization() const {
  const auto* affine = static_cast<const TfLiteAffineQuantizationParams*>(tensor_->quantization.params);
  if (tensor_->quantization.type != kTfLiteAffineQuantization || affine == nullptr) return {};
  return {FloatView(affine->scale), IntView(affine->zero_point), affine->quantized_dimension};
}

bool TensorView::HasShape(const Shape& expected) const {
  const IntView found = shape();
  return found.size() == expected.rank &&
         (expected.rank == 0 || memcmp(found.begin(), expected.dims, sizeof(int) * static_cast<size_t>(expected.rank)) == 0);
}

int GraphView::tensors() const {
  if (context_->tensors == nullptr || context_->tensors_size > INT_MAX) return 0;
  return static_cast<int>(context_->tensors_size);
}

TensorView GraphView::tensor(int index) const {
  return index >= 0 && index < tensors() ? TensorView(&context_->tensors[index]) : TensorView();
}

bool GraphView::node(int index, NodeView* view) const {
  TfLiteNode* node = nullptr;
  TfLiteRegistration* registration = nullptr;
  if (index < 0 || context_->GetNodeAndRegistration(context_, index, &node, &registration) != kTfLiteOk || node == nullptr ||
      registration == nullptr) {
    return false;
  }
  *view = {registration->builtin_code, IntView(node->inputs), IntView(node->outputs), 0, node->builtin_data, registration->version};
  return true;
}

bool GraphView::ExecutionPlan(Array<int>* plan) const {
  TfLiteIntArray* array = nullptr;
  if (context_->GetExecutionPlan(context_, &array) != kTfLiteOk) return false;
  const IntView nodes(array);
  if (!plan->Allocate(nodes.size())) return false;
  for (int i = 0; i < nodes.size(); ++i) (*plan)[i] = nodes.begin()[i];
  return true;
}

bool GraphView::Resize(int index, const Shape& shape) const {
  if (!tensor(index).exists()) return false;
  const size_t bytes = sizeof(int) * static_cast<size_t>(shape.rank);
  // The runtime frees shapes with free(), also the one it was given for a tensor that it could not resize.
  auto* dims = static_cast<TfLiteIntArray*>(malloc(sizeof(TfLiteIntArray) + bytes));
  if (dims == nullptr) return false;
  dims->size = shape.rank;
  memcpy(dims->data, shape.dims, bytes);
  return context_->ResizeTensor(context_, &context_->tensors[index], dims) == kTfLiteOk;
}

}  // namespace tflite_eq
