// TRANSPOSE_CONV, as TFLite computes it: every value of the input is spread over the output.
#include "delegate/testing/operator_helpers.h"
#include "delegate/testing/operators.h"

namespace tflite_eq {
namespace {

struct Tensors {
  const TfLiteTensor* sizes;
  const TfLiteTensor* filter;
  const TfLiteTensor* input;
  const TfLiteTensor* bias;  // or null
  TfLiteTensor* output;
};

Tensors TensorsOf(const TfLiteContext* context, const TfLiteNode* node) {
  return {InputAt(context, node, 0), InputAt(context, node, 1), InputAt(context, node, 2), InputAt(context, node, 3), OutputAt(context, node)};
}

const TfLiteAffineQuantizationParams* ScalesOf(const Tensors& t) {
  return static_cast<const TfLiteAffineQuantizationParams*>(t.filter->quantization.params);
}

bool ChannelScale(const Tensors& t, int channel, FixedPoint* scale) {
  const TfLiteAffineQuantizationParams& filter = *ScalesOf(t);
  const float filter_scale = filter.scale->data[filter.scale->size == 1 ? 0 : channel];
  return ToFixedPoint(static_cast<double>(t.input->params.scale) * static_cast<double>(filter_scale) /
                          static_cast<double>(t.output->params.scale),
                      scale);
}

// TFLite's activation came with version 4.
int32_t ActivationOf(const TestNode& node) { return node.version < 4 ? int32_t{kTfLiteActNone} : node.geometry.activation; }

const char* Fault(const TfLiteNode* node, const Tensors& t) {
  const TestNode& p = ParametersOf(*node);
  if (node->builtin_data == nullptr || !HasCounts(node, 3, 4)) return "transposed convolution without parameters or tensors";
  if (!IsInt8(t.input) || !IsInt8(t.filter) || !IsInt8(t.output) || t.sizes == nullptr || t.sizes->type != kTfLiteInt32) {
    return "transposed convolution of other types";
  }
  if (t.sizes->allocation_type != kTfLiteMmapRo || !IsWhole(*t.sizes) || ToVector(t.sizes->dims) != std::vector<int>{4}) return "output shape";
  if (t.filter->allocation_type != kTfLiteMmapRo || !IsWhole(*t.filter) || !IsWhole(*t.input)) return "filter that is computed, or sparse";
  if (!HasRank(t.input, 4) || !HasRank(t.filter, 4)) return "transposed convolution of other ranks";
  const int32_t* sizes = t.sizes->data.i32;
  const int* filter = t.filter->dims->data;
  if (t.input->dims->data[3] != filter[3] || sizes[3] != filter[0] || sizes[0] != t.input->dims->data[0]) return "batch or channels";
  for (int d = 0; d < 4; ++d) {
    if (filter[d] < 1 || sizes[d] < 0 || sizes[d] > 1 << 20) return "sizes";
  }
  if (node->inputs->size == 4 && node->inputs->data[3] >= 0 &&
      (t.bias == nullptr || t.bias->type != kTfLiteInt32 || !IsWhole(*t.bias) || t.bias->allocation_type != kTfLiteMmapRo ||
       ElementCount(*t.bias) != filter[0])) {
    return "bias that does not fit";
  }
  const TfLiteAffineQuantizationParams* scales = ScalesOf(t);
  if (scales == nullptr || (scales->scale->size != 1 && (scales->scale->size != filter[0] || scales->quantized_dimension != 0))) return "scales";
  for (int k = 0; k < filter[0]; ++k) {
    FixedPoint scale;
    if (!ChannelScale(t, k, &scale)) return "scale without a fixed-point form";
  }
  CodeRange range;
  if (!ActivationCodes(ActivationOf(p), *t.output, &range)) return "activation";
  Window rows, columns;
  // Padding is that of the convolution the other way.
  if (!ResolveWindow(p.geometry.padding, filter[1], p.geometry.stride_height, 1, sizes[1], &rows) ||
      !ResolveWindow(p.geometry.padding, filter[2], p.geometry.stride_width, 1, sizes[2], &columns) || rows.output < 0 || columns.output < 0) {
    return "strides or padding";
  }
  return nullptr;
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  const Tensors t = TensorsOf(context, node);
  const char* fault = Fault(node, t);
  if (fault != nullptr) return Refuse(context, fault);
  const int32_t* sizes = t.sizes->data.i32;
  return ResizeTo(context, t.output, std::vector<int>(sizes, sizes + 4));
}

TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node) {
  const Tensors t = TensorsOf(context, node);
  const TestNode& p = ParametersOf(*node);
  const char* fault = Fault(node, t);
  if (fault != nullptr) return Refuse(context, fault);
  const int* filter = t.filter->dims->data;
  const int* size = t.input->dims->data;
  const int64_t height = t.output->dims->data[1], width = t.output->dims->data[2], outputs = filter[0];
  Window rows, columns;
  ResolveWindow(p.geometry.padding, filter[1], p.geometry.stride_height, 1, height, &rows);
  ResolveWindow(p.geometry.padding, filter[2], p.geometry.stride_width, 1, width, &columns);
  std::vector<uint32_t> sums(static_cast<size_t>(ElementCount(*t.output)), 0);
  for (int64_t i = 0; i < ElementCount(*t.input); ++i) {
    const int64_t c = i % size[3], x = i / size[3] % size[2], y = i / size[3] / size[2] % size[1], image = i / size[3] / size[2] / size[1];
    const int64_t value = int64_t{t.input->data.int8[i]} - t.input->params.zero_point;
    for (int64_t ky = 0; ky < rows.filter; ++ky) {
      const int64_t row = y * rows.stride - rows.pad + ky;
      for (int64_t kx = 0; kx < columns.filter; ++kx) {
        const int64_t column = x * columns.stride - columns.pad + kx;
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        for (int64_t k = 0; k < outputs; ++k) {
          const int8_t weight = t.filter->data.int8[((k * rows.filter + ky) * columns.filter + kx) * size[3] + c];
          sums[static_cast<size_t>(((image * height + row) * width + column) * outputs + k)] += static_cast<uint32_t>(value * weight);
        }
      }
    }
  }
  CodeRange range;
  ActivationCodes(ActivationOf(p), *t.output, &range);
  for (size_t i = 0; i < sums.size(); ++i) {
    const int k = static_cast<int>(i % static_cast<size_t>(outputs));
    FixedPoint scale;
    ChannelScale(t, k, &scale);
    const uint32_t sum = sums[i] + (t.bias != nullptr ? static_cast<uint32_t>(t.bias->data.i32[k]) : 0);
    t.output->data.int8[i] = range.Clamp(int64_t{Multiply(static_cast<int32_t>(sum), scale)} + t.output->params.zero_point);
  }
  return kTfLiteOk;
}

}  // namespace

TfLiteRegistration TransposeConvRegistration() { return Registration(Prepare, Invoke); }

}  // namespace tflite_eq
