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
  FixedPointScale negated = negative;
  if (slope < 0) negated.multiplier = -negative.multiplier;
  for (int i = 0; i < kCodes; ++i) {
    const int32_t value = i - 128 - input.zero_point;
    const int32_t product = Multiply(value, value >= 0 ? positive : negated);
    table[i] = ClampCode(int64_t{product} + output.zero_point);
    if (value >= 0 || slope >= 0) continue;
    // As LiteRT 2.3 has it. Halves are rounded up, so that one that is negated is rounded the other way.
    if (table[i] != ClampCode(-int64_t{Multiply(value, negative)} + output.zero_point)) return false;
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
