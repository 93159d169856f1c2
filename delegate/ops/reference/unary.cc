#include "delegate/ops/reference/unary.h"

namespace tflite_eq {
namespace {

// Scales are formed in single precision, but for QUANTIZE's: as the oracle does.
double Quotient(const Quantization& input, const Quantization& output) {
  return static_cast<double>(input.scale / output.scale);
}

}  // namespace

bool ReluTable(Activation activation, const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  FixedPointScale scale;
  if (!ToFixedPointScale(Quotient(input, output), kMostLeftShiftOfCode, &scale)) return false;
  int32_t min, max;
  ActivationRange(activation, output.scale, output.zero_point, &min, &max);
  for (int i = 0; i < kCodes; ++i) {
    const int32_t value = i - 128 - input.zero_point;
    table[i] = ClampCode(int64_t{Multiply(value, scale)} + output.zero_point, min, max);
  }
  return true;
}

bool AbsTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  FixedPointScale scale;
  if (!ToFixedPointScale(Quotient(input, output), kMostLeftShiftOfCode, &scale)) return false;
  for (int i = 0; i < kCodes; ++i) {
    const int32_t value = i - 128 - input.zero_point;
    table[i] = ClampCode(int64_t{Multiply(value < 0 ? -value : value, scale)} + output.zero_point);
  }
  return true;
}

bool LeakyReluTable(float slope, const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  FixedPointScale positive, negative;
  const float slope_scale = input.scale * slope / output.scale;
  if (!ToFixedPointScale(Quotient(input, output), kMostLeftShiftOfCode, &positive) ||
      !ToFixedPointScale(static_cast<double>(slope < 0 ? -slope_scale : slope_scale), kMostLeftShiftOfCode,
                         &negative)) {
    return false;
  }
  if (slope < 0) negative.multiplier = -negative.multiplier;
  for (int i = 0; i < kCodes; ++i) {
    const int32_t value = i - 128 - input.zero_point;
    table[i] = ClampCode(int64_t{Multiply(value, value >= 0 ? positive : negative)} + output.zero_point);
  }
  return true;
}

bool RequantizeTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  FixedPointScale scale;
  const double quotient = static_cast<double>(input.scale) / static_cast<double>(output.scale);
  if (!ToFixedPointScale(quotient, kMostLeftShiftOfCode, &scale)) return false;
  for (int i = 0; i < kCodes; ++i) {
    table[i] = ClampCode(int64_t{Multiply(i - 128 - input.zero_point, scale)} + output.zero_point);
  }
  return true;
}

}  // namespace tflite_eq
