// Depthwise convolution without intrinsics: one output pixel at a time, its channels side by side as the filter's taps have them.
#include <string.h>

#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/row_units.h"

namespace tflite_eq {
namespace {

// Packed: folded biases, then the filter as it was.
size_t PackedBytes(const ConvProblem& problem) {
  return problem.shape.output_channels * (sizeof(int32_t) + problem.shape.filter_size());
}

void Pack(const ConvProblem& problem, void* packed) {
  int32_t* bias = static_cast<int32_t*>(packed);
  const int channels = problem.shape.output_channels;
  for (int k = 0; k < channels; ++k) bias[k] = FoldedBias(problem, k);
  const size_t filter = static_cast<size_t>(channels) * problem.shape.filter_size();
  if (filter > 0) memcpy(bias + channels, problem.weights.filter, filter);
}

// Scratch: the sums of a pixel.
WorkPlan Plan(const ConvShape& shape, int workers) {
  WorkPlan plan = PlanRows(shape, workers, /*most=*/8);
  if (plan.units > 0) plan.scratch_bytes = shape.output_channels * sizeof(uint32_t);
  return plan;
}

// Adds one tap's products; `codes` is null where the tap lies outside the image.
void AddTap(const KernelContext& context, const int8_t* codes, const int8_t* weights, uint32_t* sums) {
  const ConvShape& s = context.shape;
  const int multiplier = s.depth_multiplier();
  for (int c = 0; c < s.input_channels; ++c) {
    const int code = codes != nullptr ? codes[c] : context.input_zero_point;
    for (int m = 0; m < multiplier; ++m) *sums++ += static_cast<uint32_t>(code * *weights++);
  }
}

void RunRow(const KernelContext& context, const int8_t* image, int row, int8_t* output, uint32_t* sums) {
  const ConvShape& s = context.shape;
  const int32_t* bias = static_cast<const int32_t*>(context.packed);
  for (int column = 0; column < s.output_width; ++column) {
    memcpy(sums, bias, s.output_channels * sizeof(uint32_t));
    const int8_t* weights = reinterpret_cast<const int8_t*>(bias + s.output_channels);
    for (int ky = 0; ky < s.filter_height; ++ky) {
      const int y = row * s.stride_height - s.pad_top + ky * s.dilation_height;
      for (int kx = 0; kx < s.filter_width; ++kx, weights += s.output_channels) {
        const int x = column * s.stride_width - s.pad_left + kx * s.dilation_width;
        const bool inside = y >= 0 && x >= 0 && y < s.input_height && x < s.input_width;
        AddTap(context, inside ? image + (static_cast<size_t>(y) * s.input_width + x) * s.input_channels : nullptr, weights, sums);
      }
    }
    for (int k = 0; k < s.output_channels; ++k) {
      *output++ = context.requantization->Requantize(static_cast<int32_t>(sums[k]), k);
    }
  }
}

void RunRows(const KernelContext& context, int image, int row_begin, int row_end, const int8_t* input, int8_t* output,
             void* scratch) {
  const ConvShape& s = context.shape;
  input += static_cast<size_t>(image) * s.input_height * s.input_width * s.input_channels;
  for (int row = row_begin; row < row_end; ++row) {
    RunRow(context, input, row,
           output + (static_cast<size_t>(image) * s.output_height + row) * s.output_width * s.output_channels,
           static_cast<uint32_t*>(scratch));
  }
}

void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
         void* scratch) {
  const RowRange rows = UnitRows(context.shape, plan, unit);
  RunRows(context, rows.image, rows.begin, rows.end, input, output, scratch);
}

}  // namespace

const ConvKernel kDepthwiseScalar = {Algorithm::kDepthwise, Isa::kScalar, /*needs_fallback=*/false, /*uses_lines=*/false, CertifyDepthwise,
                                     PackedBytes, Pack, Plan, Run, RunRows};

}  // namespace tflite_eq
