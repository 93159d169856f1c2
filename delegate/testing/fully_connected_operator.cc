// FULLY_CONNECTED with a scale for each output channel.
#include "delegate/testing/operator_helpers.h"
#include "delegate/testing/operators.h"

namespace tflite_eq {
namespace {

bool HasBias(const TfLiteNode& node) { return node.inputs->size > 2 && node.inputs->data[2] >= 0; }

bool ChannelScale(const TfLiteTensor& input, const TfLiteTensor& filter, const TfLiteTensor& output, int channel, FixedPoint* scale) {
  const auto* quantization = static_cast<const TfLiteAffineQuantizationParams*>(filter.quantization.params);
  const float filter_scale = quantization->scale->data[quantization->scale->size == 1 ? 0 : channel];
  return ToFixedPoint(static_cast<double>(input.params.scale) * static_cast<double>(filter_scale) /
                          static_cast<double>(output.params.scale),
                      scale);
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const TfLiteTensor* filter = InputAt(context, node, 1);
  const TfLiteTensor* bias = HasBias(*node) ? InputAt(context, node, 2) : nullptr;
  TfLiteTensor* output = OutputAt(context, node);
  if (node->builtin_data == nullptr || !HasCounts(node, 2, 3)) return Refuse(context, "dense layer without parameters or tensors");
  if (!IsInt8(input) || !IsInt8(filter) || !IsInt8(output) || !IsWhole(*input) || !IsWhole(*filter)) {
    return Refuse(context, "dense layer of other types");
  }
  if (!HasRank(filter, 2)) return Refuse(context, "dense layer whose filter is no matrix");
  const int channels = filter->dims->data[0], depth = filter->dims->data[1];
  const auto* quantization = static_cast<const TfLiteAffineQuantizationParams*>(filter->quantization.params);
  if (depth < 1 || ElementCount(*input) % depth != 0) return Refuse(context, "dense layer of another depth");
  if (quantization == nullptr || quantization->scale->size != channels) return Refuse(context, "dense layer with other scales");
  if (HasBias(*node) && (bias == nullptr || bias->type != kTfLiteInt32 || !IsWhole(*bias) || ElementCount(*bias) != channels)) {
    return Refuse(context, "bias that does not fit");
  }
  for (int k = 0; k < channels; ++k) {
    FixedPoint scale;
    if (!ChannelScale(*input, *filter, *output, k, &scale)) return Refuse(context, "scale without a fixed-point form");
  }
  if (input->params.zero_point < -128 || input->params.zero_point > 127) return Refuse(context, "zero point that is no code");
  CodeRange range;
  if (!ActivationCodes(ParametersOf(*node).geometry.activation, *output, &range)) return Refuse(context, "activation");
  if (!ParametersOf(*node).keep_dims) return ResizeTo(context, output, {static_cast<int>(ElementCount(*input) / depth), channels});
  std::vector<int> shape = ToVector(input->dims);
  if (shape.empty() || shape.back() != depth) return Refuse(context, "dense layer of another depth");
  shape.back() = channels;
  return ResizeTo(context, output, shape);
}

TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const TfLiteTensor* filter = InputAt(context, node, 1);
  const TfLiteTensor* bias = HasBias(*node) ? InputAt(context, node, 2) : nullptr;
  TfLiteTensor* output = OutputAt(context, node);
  CodeRange range;
  ActivationCodes(ParametersOf(*node).geometry.activation, *output, &range);
  const int64_t channels = filter->dims->data[0], depth = filter->dims->data[1];
  for (int64_t i = 0; i < ElementCount(*output); ++i) {
    const int64_t row = i / channels, k = i % channels;
    uint32_t sum = bias != nullptr ? static_cast<uint32_t>(bias->data.i32[k]) : 0;
    for (int64_t c = 0; c < depth; ++c) {
      const int value = input->data.int8[row * depth + c] - input->params.zero_point;
      sum += static_cast<uint32_t>(value * filter->data.int8[k * depth + c]);
    }
    FixedPoint scale;
    ChannelScale(*input, *filter, *output, static_cast<int>(k), &scale);
    output->data.int8[i] = range.Clamp(int64_t{Multiply(static_cast<int32_t>(sum), scale)} + output->params.zero_point);
  }
  return kTfLiteOk;
}

}  // namespace

TfLiteRegistration FullyConnectedRegistration() { return Registration(Prepare, Invoke); }

}  // namespace tflite_eq
