#include "delegate/ops/convolution_operator.h"

#include "delegate/kernels/requantize.h"
#include "delegate/ops/activation.h"
#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

bool ConvolutionOperator::ReadTensors(const GraphView& graph, const NodeView& node, const Positions& at, int32_t activation,
                                      Reason* reason) {
  const TensorView input = graph.tensor(node.inputs.at(at.input, kNoTensor));
  const TensorView filter = graph.tensor(node.inputs.at(at.filter, kNoTensor));
  const TensorView output = graph.tensor(node.outputs.at(0, kNoTensor));
  if (!inputs_.Allocate(1)) {
    reason->Set("out of memory");
    return false;
  }
  inputs_[0] = node.inputs.at(at.input, kNoTensor);
  output_ = node.outputs.at(0, kNoTensor);
  return HasInt8Type(input, "input", reason) && HasInt8Type(output, "output", reason) &&
         ReadWeights(filter, graph.tensor(node.inputs.at(at.bias, kNoTensor)), reason) &&
         ReadQuantization(input, filter, output, activation, reason);
}

bool ConvolutionOperator::ReadPadding(int32_t padding, Reason* reason) {
  padding_ = padding == kTfLitePaddingSame ? Padding::kSame : Padding::kValid;
  if (padding == kTfLitePaddingSame || padding == kTfLitePaddingValid) return true;
  reason->Set("unknown padding %d", padding);
  return false;
}

// The filter is within kLargestSize once there is a geometry.
bool ConvolutionOperator::ReadWeights(TensorView filter, TensorView bias, Reason* reason) {
  const ConvShape& s = problem_.shape;
  const auto channels = static_cast<size_t>(s.output_channels);
  if (!IsConstant(filter, "filter", kTfLiteInt8, channels * static_cast<size_t>(s.filter_size()), sizeof(int8_t), reason) ||
      (bias.exists() && !IsConstant(bias, "bias", kTfLiteInt32, channels, sizeof(int32_t), reason))) {
    return false;
  }
  problem_.weights.filter = static_cast<const int8_t*>(filter.data());
  packed_constants_ = {filter.data(), channels * static_cast<size_t>(s.filter_size())};
  problem_.weights.bias = bias.exists() ? static_cast<const int32_t*>(bias.data()) : nullptr;
  return true;
}

bool ConvolutionOperator::ReadQuantization(TensorView input, TensorView filter, TensorView output, int32_t number, Reason* reason) {
  if (!PerTensor(input, "input", reason) || !PerTensor(output, "output", reason)) return false;
  const QuantizationView weights = filter.quantization();
  if (!HasQuantization(weights, "filter", reason)) return false;
  const int channels = problem_.shape.output_channels;
  const int scales = weights.scales.size();
  if (scales != 1 && (scales != channels || weights.dimension != (problem_.shape.depthwise ? 3 : 0))) {
    reason->Set("filter has %d scales along dimension %d for %d output channels", scales, weights.dimension, channels);
    return false;
  }
  for (int i = 0; i < scales; ++i) {
    const int zero_point = weights.zero_points.at(i, 0);
    if (zero_point == 0) continue;
    reason->Set("filter has zero point %d in channel %d", zero_point, i);
    return false;
  }
  if (!multiplier_.Allocate(channels) || !shift_.Allocate(channels)) {
    reason->Set("out of memory");
    return false;
  }
  for (int k = 0; k < channels; ++k) {
    const float scale = weights.scales.at(scales == 1 ? 0 : k, 0);
    const double effective = EffectiveScale(input.scale(), scale, output.scale());
    // Negated so that a NaN is refused too. Scales from 2^30 on have no fixed-point form.
    if (!(effective >= 0 && effective < 1 << 30)) {
      reason->Set("channel %d has an effective scale of %g", k, effective);
      return false;
    }
    int shift;
    QuantizeMultiplier(effective, &multiplier_[k], &shift);
    shift_[k] = shift;
  }
  ConvQuantization& q = problem_.quantization;
  q.input_zero_point = input.zero_point();
  q.output_zero_point = output.zero_point();
  if (!ReadActivationRange(number, output.scale(), q.output_zero_point, &q.activation_min, &q.activation_max, reason)) return false;
  codes_ = {q.activation_min, q.activation_max};
  q.multiplier = multiplier_.begin();
  q.shift = shift_.begin();
  return true;
}

}  // namespace tflite_eq
