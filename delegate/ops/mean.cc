#include "delegate/ops/mean.h"

#include "delegate/ops/reference/mean.h"
#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

bool Mean::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteReducerParams>(node, reason);
  if (parameters == nullptr || !ReadInt8(graph, node, 2, 2, reason)) return false;
  keep_dims_ = parameters->keep_dims;
  input_ = QuantizationOf(graph.tensor(inputs_[0]));
  output_quantization_ = QuantizationOf(graph.tensor(output_));
  ConstantInts axes;
  if (!ReadInts(graph, node, 1, "axes", &axes, reason)) return false;
  // Height and width, in any order, counted from either end of four dimensions, and as often as one likes.
  unsigned found = 0;
  for (int i = 0; i < axes.count; ++i) {
    const int axis = axes[i] < 0 ? axes[i] + 4 : axes[i];
    found |= axis >= 0 && axis < 4 ? 1u << axis : 1u;
  }
  if (found == 6) return true;
  reason->Set("its axes are not height and width");
  return false;
}

bool Mean::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  const Shape& input = inputs[0];
  if (input.rank != 4) {
    reason->Set("input has %d dimensions, not 4", input.rank);
    return false;
  }
  const int64_t pixels = int64_t{input.dims[1]} * input.dims[2];
  channels_ = input.dims[3];
  *output = keep_dims_ ? Shape{4, {input.dims[0], 1, 1, channels_}} : Shape{2, {input.dims[0], channels_}};
  items_ = input.dims[0];
  item_bytes_ = pixels * channels_;
  if (MakeMeanConstants(input_, output_quantization_, pixels, &constants_)) return true;
  reason->Set("the mean of %lld pixels with its scales is none that the reference kernel takes", static_cast<long long>(pixels));
  return false;
}

void Mean::Run(const Codes& codes, int unit, void*) const {
  for (int64_t image = units_.begin(unit); image < units_.begin(unit + 1); ++image) {
    kernels_.mean(constants_, codes.inputs[0] + image * item_bytes_, channels_, codes.output + image * channels_);
  }
}

void Mean::Reference(const Codes& codes) const {
  for (int64_t image = 0; image < items_; ++image) {
    ReferenceMean(constants_, codes.inputs[0] + image * item_bytes_, channels_, codes.output + image * channels_);
  }
}

}  // namespace tflite_eq
