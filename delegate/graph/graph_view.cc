#include "delegate/graph/graph_view.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

namespace tflite_eq {
namespace {

// Bytes of the character that begins there; 0 when it is no printable character of UTF-8, or the string ends.
int CharacterBytes(const char* text) {
  const auto* byte = reinterpret_cast<const unsigned char*>(text);
  const unsigned first = byte[0];
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const int bytes = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  // Bounds of the second byte, beyond which there are longer forms of shorter characters, surrogates, and no characters at all.
  const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  for (int i = 1; i < bytes; ++i) {
    if (byte[i] < (i == 1 ? least : 0x80) || byte[i] > (i == 1 ? most : 0xbf)) return 0;
  }
  return bytes;
}

}  // namespace

Label LabelOf(const char* name) {
  Label label;
  size_t length = 0;
  while (*name != '\0') {
    const int bytes = CharacterBytes(name);
    const size_t kept = bytes > 0 ? static_cast<size_t>(bytes) : 1;
    if (length + kept >= sizeof(label.text)) break;
    if (bytes > 0) {
      memcpy(label.text + length, name, kept);
    } else {
      label.text[length] = '?';
    }
    length += kept;
    name += kept;
  }
  return label;
}

QuantizationView TensorView::quantization() const {
  const auto* affine = static_cast<const TfLiteAffineQuantizationParams*>(tensor_->quantization.params);
  if (tensor_->quantization.type != kTfLiteAffineQuantization || affine == nullptr) return {};
  return {FloatView(affine->scale), IntView(affine->zero_point), affine->quantized_dimension};
}

bool TensorView::HasShape(const int (&expected)[4]) const {
  const IntView found = shape();
  return found.size() == 4 && memcmp(found.begin(), expected, sizeof(expected)) == 0;
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
  *view = {registration->builtin_code, IntView(node->inputs), IntView(node->outputs), node->builtin_data};
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

bool GraphView::Resize(int index, const int (&shape)[4]) const {
  if (!tensor(index).exists()) return false;
  // The runtime frees shapes with free(), also the one it was given for a tensor that it could not resize.
  auto* dims = static_cast<TfLiteIntArray*>(malloc(sizeof(TfLiteIntArray) + sizeof(shape)));
  if (dims == nullptr) return false;
  dims->size = 4;
  memcpy(dims->data, shape, sizeof(shape));
  return context_->ResizeTensor(context_, &context_->tensors[index], dims) == kTfLiteOk;
}

}  // namespace tflite_eq
