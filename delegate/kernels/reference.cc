#include "delegate/kernels/reference.h"

#include "delegate/kernels/requantize.h"

namespace tflite_eq {
namespace {

// sum (q - zero_point) * w over the filter window and the input channels that the output channel looks at, plus bias. Positions outside the input contribute nothing: padding reads
// as the zero point. Arithmetic is modulo 2^32, as in the oracle.
int32_t Accumulate(const ConvProblem& problem, const int8_t* image, int row, int column, int channel) {
  const ConvShape& s = problem.shape;
  uint32_t acc = problem.weights.bias != nullptr ? static_cast<uint32_t>(problem.weights.bias[channel]) : 0;
  const ChannelFilter filter = FilterOf(problem, channel);
  const int first_channel = s.depthwise ? channel / s.depth_multiplier() : 0;
  for (int ky = 0; ky < s.filter_height; ++ky) {
    const int y = row * s.stride_height - s.pad_top + ky * s.dilation_height;
    if (y < 0 || y >= s.input_height) continue;
    for (int kx = 0; kx < s.filter_width; ++kx) {
      const int x = column * s.stride_width - s.pad_left + kx * s.dilation_width;
      if (x < 0 || x >= s.input_width) continue;
      const int8_t* codes = image + (static_cast<size_t>(y) * s.input_width + x) * s.input_channels + first_channel;
      const int tap = (ky * s.filter_width + kx) * s.filter_channels();
      for (int c = 0; c < s.filter_channels(); ++c) {
        acc += static_cast<uint32_t>((codes[c] - problem.quantization.input_zero_point) * filter[tap + c]);
      }
    }
  }
  return static_cast<int32_t>(acc);
}

int8_t ToCode(const ConvQuantization& q, int32_t acc, int channel) {
  const int64_t scaled =
      int64_t{MultiplyByQuantizedMultiplier(acc, q.multiplier[channel], q.shift[channel])} + q.output_zero_point;
  const int64_t low = scaled < q.activation_min ? q.activation_min : scaled;
  return static_cast<int8_t>(low > q.activation_max ? q.activation_max : low);
}

}  // namespace

void ReferenceConvRows(const ConvProblem& problem, const int8_t* input, int image, int row_begin, int row_end,
                       int8_t* output) {
  const ConvShape& s = problem.shape;
  const int8_t* codes = input + static_cast<size_t>(image) * s.input_height * s.input_width * s.input_channels;
  for (int row = row_begin; row < row_end; ++row) {
    int8_t* out = output + (static_cast<size_t>(image) * s.output_height + row) * s.output_width * s.output_channels;
    for (int column = 0; column < s.output_width; ++column) {
      for (int channel = 0; channel < s.output_channels; ++channel) {
        *out++ = ToCode(problem.quantization, Accumulate(problem, codes, row, column, channel), channel);
      }
    }
  }
}

void ReferenceConv(const ConvProblem& problem, const int8_t* input, int8_t* output) {
  for (int image = 0; image < problem.shape.batch; ++image) {
    ReferenceConvRows(problem, input, image, 0, problem.shape.output_height, output);
  }
}

}  // namespace tflite_eq
