#include "delegate/ops/reference/mean.h"

namespace tflite_eq {

bool MakeMeanConstants(const Quantization& input, const Quantization& output, int64_t pixels, MeanConstants* constants) {
  MeanConstants& c = *constants;
  FixedPointScale scale;
  const double quotient = static_cast<double>(input.scale) / static_cast<double>(output.scale);
  if (pixels < 1 || pixels > MeanConstants::kMostPixels || !ToFixedPointScale(quotient, kMostLeftShiftOfCode, &scale)) return false;
  // The division by the number of pixels becomes a part of the multiplier, which is brought near its old size: the largest power of
  // two in that number, unless the scale is as small as scales get.
  int shift = 63 - __builtin_clzll(static_cast<unsigned long long>(pixels));
  if (shift > 31 + scale.shift) shift = 31 + scale.shift;
  c.scale.multiplier = static_cast<int32_t>((int64_t{scale.multiplier} << shift) / pixels);
  c.scale.shift = scale.shift - shift;
  c.pixels = static_cast<int32_t>(pixels);
  c.input_zero_point = input.zero_point;
  c.output_zero_point = output.zero_point;
  return true;
}

void ReferenceMean(const MeanConstants& c, const int8_t* input, int channels, int8_t* output) {
  for (int channel = 0; channel < channels; ++channel) {
    int32_t sum = 0;
    for (int64_t pixel = 0; pixel < c.pixels; ++pixel) sum += input[pixel * channels + channel] - c.input_zero_point;
    output[channel] = ClampCode(int64_t{Multiply(sum, c.scale)} + c.output_zero_point);
  }
}

}  // namespace tflite_eq
