// CONV_2D and DEPTHWISE_CONV_2D. Accumulators wrap modulo 2^32.
#include "delegate/testing/operator_helpers.h"
#include "delegate/testing/operators.h"

namespace tflite_eq {
namespace {

struct ConvTensors {
  const TfLiteTensor* input;
  const TfLiteTensor* filter;
  const TfLiteTensor* bias;  // or null
  TfLiteTensor* output;
};

bool HasBias(const TfLiteNode& node) { return node.inputs->size > 2 && node.inputs->data[2] >= 0; }

ConvTensors TensorsOf(const TfLiteContext* context, const TfLiteNode* node) {
  return {InputAt(context, node, 0), InputAt(context, node, 1), HasBias(*node) ? InputAt(context, node, 2) : nullptr,
          OutputAt(context, node)};
}

// The kinds of convolution differ in where the filter has its output channels, and which inputs each of them reads.
struct ConvKind {
  int channel_dimension;
  bool depthwise;
};
constexpr ConvKind kConv = {0, false};
constexpr ConvKind kDepthwise = {3, true};


bool ChannelScale(const ConvTensors& t, const TfLiteAffineQuantizationParams& quantization, int channel, FixedPoint* scale) {
  const float filter_scale = quantization.scale->data[quantization.scale->size == 1 ? 0 : channel];
  const double effective = static_cast<double>(t.input->params.scale) * static_cast<double>(filter_scale) /
                           static_cast<double>(t.output->params.scale);
  return ToFixedPoint(effective, scale);
}

bool ResolveWindows(const TfLiteNode* node, const ConvTensors& t, Window* rows, Window* columns) {
  const TfLiteConvParams& p = ParametersOf(*node).geometry;
  return ResolveWindow(p.padding, t.filter->dims->data[1], p.stride_height, p.dilation_height_factor, t.input->dims->data[1],
                       rows) &&
         ResolveWindow(p.padding, t.filter->dims->data[2], p.stride_width, p.dilation_width_factor, t.input->dims->data[2],
                       columns);
}

TfLiteStatus CheckTensors(TfLiteContext* context, const TfLiteNode* node, const ConvTensors& t, const ConvKind& kind) {
  if (node->builtin_data == nullptr || !HasCounts(node, 2, 3)) return Refuse(context, "convolution without parameters or tensors");
  if (!IsInt8(t.input) || !IsInt8(t.filter) || !IsInt8(t.output)) return Refuse(context, "convolution of other types");
  if (!HasRank(t.input, 4) || !HasRank(t.filter, 4)) return Refuse(context, "convolution of other ranks");
  if (!IsWhole(*t.filter)) return Refuse(context, "sparse filter");
  const int input_channels = t.input->dims->data[3];
  const int output_channels = t.filter->dims->data[kind.channel_dimension];
  const int filter_channels = t.filter->dims->data[kind.depthwise ? 0 : 3];
  if (kind.depthwise) {
    const int64_t expected = int64_t{input_channels} * ParametersOf(*node).depth_multiplier;
    if (filter_channels != 1 || output_channels != expected) return Refuse(context, "filter of another depth");
  } else {
    if (filter_channels < 1 || input_channels % filter_channels != 0) return Refuse(context, "filter of another depth");
    const int groups = input_channels / filter_channels;
    // TFLite divides by it.
    if (groups == 0) return Refuse(context, "input without channels");
    if (output_channels % groups != 0) return Refuse(context, "groups of different sizes");
  }
  if (!HasBias(*node)) return kTfLiteOk;
  if (t.bias == nullptr || t.bias->type != kTfLiteInt32 || !IsWhole(*t.bias) || t.bias->params.zero_point != 0 ||
      ElementCount(*t.bias) != output_channels) {
    return Refuse(context, "bias that does not fit");
  }
  return kTfLiteOk;
}

TfLiteStatus CheckQuantization(TfLiteContext* context, const ConvTensors& t, int channels) {
  const auto* quantization = static_cast<const TfLiteAffineQuantizationParams*>(t.filter->quantization.params);
  if (quantization == nullptr) return Refuse(context, "filter without quantization");
  const int scales = quantization->scale->size;
  if (scales != 1 && scales != channels) return Refuse(context, "another number of scales than channels");
  if (scales > 1 && (quantization->quantized_dimension < 0 || quantization->quantized_dimension > 3 ||
                     t.filter->dims->data[quantization->quantized_dimension] != scales)) {
    return Refuse(context, "scales along another dimension");
  }
  for (int k = 0; k < channels; ++k) {
    FixedPoint scale;
    if (!ChannelScale(t, *quantization, k, &scale)) return Refuse(context, "scale without a fixed-point form");
  }
  return kTfLiteOk;
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node, const ConvKind& kind) {
  const ConvTensors t = TensorsOf(context, node);
  if (CheckTensors(context, node, t, kind) != kTfLiteOk) return kTfLiteError;
  const int channels = t.filter->dims->data[kind.channel_dimension];
  if (CheckQuantization(context, t, channels) != kTfLiteOk) return kTfLiteError;
  Window rows, columns;
  CodeRange range;
  if (!ResolveWindows(node, t, &rows, &columns)) return Refuse(context, "strides, dilations or padding");
  const TfLiteConvParams& parameters = ParametersOf(*node).geometry;
  if (!ActivationCodes(parameters.activation, *t.output, &range)) return Refuse(context, "activation");
  return ResizeTo(context, t.output,
                  {t.input->dims->data[0], static_cast<int>(rows.output), static_cast<int>(columns.output), channels});
}

// sum (q - zero_point) * w over the window; positions outside the image contribute nothing.
uint32_t Accumulate(const ConvTensors& t, const ConvKind& kind, const Window& rows, const Window& columns, int64_t image,
                    int64_t row, int64_t column, int channel, int groups_size, int multiplier) {
  const int depth = t.input->dims->data[3];
  const int filter_depth = t.filter->dims->data[3];
  // The inputs [first, first + count) that this channel reads.
  const int first = kind.depthwise ? channel / multiplier : channel / groups_size * filter_depth;
  const int count = kind.depthwise ? 1 : filter_depth;
  uint32_t sum = 0;
  for (int64_t ky = 0; ky < rows.filter; ++ky) {
    const int64_t y = row * rows.stride - rows.pad + ky * rows.dilation;
    if (y < 0 || y >= rows.input) continue;
    for (int64_t kx = 0; kx < columns.filter; ++kx) {
      const int64_t x = column * columns.stride - columns.pad + kx * columns.dilation;
      if (x < 0 || x >= columns.input) continue;
      const int8_t* codes = t.input->data.int8 + ((image * rows.input + y) * columns.input + x) * depth + first;
      const int64_t tap = ky * columns.filter + kx;
      const int8_t* weights = t.filter->data.int8 + (kind.depthwise ? tap * filter_depth + channel
                                                                    : (channel * rows.filter * columns.filter + tap) * filter_depth);
      for (int c = 0; c < count; ++c) {
        const int64_t product = (int64_t{codes[c]} - t.input->params.zero_point) * weights[c];
        sum += static_cast<uint32_t>(product);
      }
    }
  }
  return sum;
}

TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node, const ConvKind& kind) {
  const ConvTensors t = TensorsOf(context, node);
  const auto& quantization = *static_cast<const TfLiteAffineQuantizationParams*>(t.filter->quantization.params);
  const TfLiteConvParams& parameters = ParametersOf(*node).geometry;
  if (ElementCount(*t.output) == 0) return kTfLiteOk;
  // Another node that writes one of these tensors may have given it another shape since.
  if (CheckTensors(context, node, t, kind) != kTfLiteOk) return kTfLiteError;
  Window rows, columns;
  CodeRange range;
  if (!ResolveWindows(node, t, &rows, &columns)) return Refuse(context, "strides, dilations or padding");
  ActivationCodes(parameters.activation, *t.output, &range);
  const int channels = t.filter->dims->data[kind.channel_dimension];
  const std::vector<int> shape = {t.input->dims->data[0], static_cast<int>(rows.output), static_cast<int>(columns.output), channels};
  if (ToVector(t.output->dims) != shape) return Refuse(context, "output of another shape");
  const int groups = kind.depthwise ? 1 : t.input->dims->data[3] / t.filter->dims->data[3];
  const int groups_size = channels / groups;
  std::vector<FixedPoint> scales(channels);
  for (int k = 0; k < channels; ++k) ChannelScale(t, quantization, k, &scales[k]);
  int8_t* output = t.output->data.int8;
  for (int64_t image = 0; image < t.output->dims->data[0]; ++image) {
    for (int64_t row = 0; row < rows.output; ++row) {
      for (int64_t column = 0; column < columns.output; ++column) {
        for (int k = 0; k < channels; ++k) {
          uint32_t acc = Accumulate(t, kind, rows, columns, image, row, column, k, groups_size,
                                    ParametersOf(*node).depth_multiplier);
          if (t.bias != nullptr) acc += static_cast<uint32_t>(t.bias->data.i32[k]);
          const int64_t code = int64_t{Multiply(static_cast<int32_t>(acc), scales[k])} + t.output->params.zero_point;
          *output++ = range.Clamp(code);
        }
      }
    }
  }
  return kTfLiteOk;
}

TfLiteStatus PrepareConv(TfLiteContext* context, TfLiteNode* node) { return Prepare(context, node, kConv); }
TfLiteStatus InvokeConv(TfLiteContext* context, TfLiteNode* node) { return Invoke(context, node, kConv); }
TfLiteStatus PrepareDepthwise(TfLiteContext* context, TfLiteNode* node) { return Prepare(context, node, kDepthwise); }
TfLiteStatus InvokeDepthwise(TfLiteContext* context, TfLiteNode* node) { return Invoke(context, node, kDepthwise); }

}  // namespace

TfLiteRegistration Conv2dRegistration() { return Registration(PrepareConv, InvokeConv); }
TfLiteRegistration DepthwiseConv2dRegistration() { return Registration(PrepareDepthwise, InvokeDepthwise); }

}  // namespace tflite_eq
