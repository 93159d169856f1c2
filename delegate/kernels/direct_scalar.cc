// Direct convolution without intrinsics: gathers the window of each output pixel, padding included, then takes plain dot
// products with every filter.
#include <string.h>

#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/row_units.h"

namespace tflite_eq {
namespace {

// Packed: folded biases, then the filter as it was.
size_t PackedBytes(const ConvProblem& problem) {
  const size_t filter = problem.shape.filter_size();
  return problem.shape.output_channels * (sizeof(int32_t) + filter);
}

void Pack(const ConvProblem& problem, void* packed) {
  int32_t* bias = static_cast<int32_t*>(packed);
  const int channels = problem.shape.output_channels;
  for (int k = 0; k < channels; ++k) bias[k] = FoldedBias(problem, k);
  const size_t filters = static_cast<size_t>(channels) * problem.shape.filter_size();
  if (filters > 0) memcpy(bias + channels, problem.weights.filter, filters);
}

WorkPlan Plan(const ConvShape& shape, int workers) {
  WorkPlan plan = PlanRows(shape, workers, /*most=*/8);
  if (plan.units > 0) plan.scratch_bytes = shape.filter_size();
  return plan;
}

// The codes under the filter at one output pixel, in the filter's order.
void GatherWindow(const KernelContext& context, const int8_t* image, int row, int column, int8_t* window) {
  const ConvShape& s = context.shape;
  for (int ky = 0; ky < s.filter_height; ++ky) {
    for (int kx = 0; kx < s.filter_width; ++kx, window += s.input_channels) {
      const int y = row * s.stride_height - s.pad_top + ky * s.dilation_height;
      const int x = column * s.stride_width - s.pad_left + kx * s.dilation_width;
      if (y < 0 || x < 0 || y >= s.input_height || x >= s.input_width) {
        memset(window, context.input_zero_point, s.input_channels);
      } else {
        memcpy(window, image + (static_cast<size_t>(y) * s.input_width + x) * s.input_channels, s.input_channels);
      }
    }
  }
}

void RunRows(const KernelContext& context, int image, int row_begin, int row_end, const int8_t* input, int8_t* output,
             void* scratch) {
  const ConvShape& s = context.shape;
  const int32_t* bias = static_cast<const int32_t*>(context.packed);
  const int8_t* filters = reinterpret_cast<const int8_t*>(bias + s.output_channels);
  const int size = s.filter_size();
  int8_t* window = static_cast<int8_t*>(scratch);
  input += static_cast<size_t>(image) * s.input_height * s.input_width * s.input_channels;
  output += (static_cast<size_t>(image) * s.output_height + row_begin) * s.output_width * s.output_channels;
  for (int row = row_begin; row < row_end; ++row) {
    for (int column = 0; column < s.output_width; ++column) {
      if (size > 0) GatherWindow(context, input, row, column, window);
      for (int k = 0; k < s.output_channels; ++k) {
        const int8_t* filter = filters + static_cast<size_t>(k) * size;
        uint32_t acc = static_cast<uint32_t>(bias[k]);
        for (int i = 0; i < size; ++i) acc += static_cast<uint32_t>(window[i] * filter[i]);
        *output++ = context.requantization->Requantize(static_cast<int32_t>(acc), k);
      }
    }
  }
}

void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
         void* scratch) {
  const RowRange rows = UnitRows(context.shape, plan, unit);
  RunRows(context, rows.image, rows.begin, rows.end, input, output, scratch);
}

}  // namespace

const ConvKernel kDirectScalar = {Algorithm::kDirect, Isa::kScalar, /*needs_fallback=*/false, /*uses_lines=*/false, CertifyDirect,
                                  PackedBytes, Pack, Plan, Run, RunRows};

}  // namespace tflite_eq
