#include "delegate/ops/reference/transpose_conv.h"

#include <stddef.h>

#include "delegate/ops/reference/quantization.h"

namespace tflite_eq {
namespace {

// The row or column of the input whose tap `tap` falls on this one of the output; -1 where there is none.
int SourceOf(int output, int pad, int tap, int stride, int input) {
  const int distance = output + pad - tap;
  return distance >= 0 && distance % stride == 0 && distance / stride < input ? distance / stride : -1;
}

// Modulo 2^32, as in the oracle.
int32_t Accumulate(const ConvProblem& problem, const int8_t* image, int row, int column, int channel) {
  const ConvShape& s = problem.shape;
  uint32_t acc = problem.weights.bias != nullptr ? static_cast<uint32_t>(problem.weights.bias[channel]) : 0;
  const ChannelFilter filter = FilterOf(problem, channel);
  for (int ky = 0; ky < s.filter_height; ++ky) {
    const int y = SourceOf(row, s.pad_top, ky, s.stride_height, s.input_height);
    for (int kx = 0; kx < s.filter_width && y >= 0; ++kx) {
      const int x = SourceOf(column, s.pad_left, kx, s.stride_width, s.input_width);
      if (x < 0) continue;
      const int8_t* codes = image + (static_cast<size_t>(y) * s.input_width + x) * s.input_channels;
      const int tap = (ky * s.filter_width + kx) * s.input_channels;
      for (int c = 0; c < s.input_channels; ++c) {
        acc += static_cast<uint32_t>((codes[c] - problem.quantization.input_zero_point) * filter[tap + c]);
      }
    }
  }
  return static_cast<int32_t>(acc);
}

}  // namespace

void ReferenceTransposeConv(const ConvProblem& problem, const int8_t* input, int8_t* output) {
  const ConvShape& s = problem.shape;
  const ConvQuantization& q = problem.quantization;
  for (int image = 0; image < s.batch; ++image) {
    const int8_t* codes = input + static_cast<size_t>(image) * s.input_height * s.input_width * s.input_channels;
    for (int row = 0; row < s.output_height; ++row) {
      for (int column = 0; column < s.output_width; ++column) {
        for (int channel = 0; channel < s.output_channels; ++channel) {
          const FixedPointScale scale = {q.multiplier[channel], q.shift[channel]};
          const int64_t code = int64_t{Multiply(Accumulate(problem, codes, row, column, channel), scale)} + q.output_zero_point;
          *output++ = ClampCode(code, q.activation_min, q.activation_max);
        }
      }
    }
  }
}

}  // namespace tflite_eq
