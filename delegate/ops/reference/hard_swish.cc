// HARD_SWISH: x * min(max(x + 3, 0), 6) / 6 in 16-bit fixed point.
#include "delegate/ops/reference/unary.h"

namespace tflite_eq {
namespace {

// The oracle divides in 16 bits.
constexpr int kMostRightShift = -15;

int32_t Saturate16(int64_t value) {
  return static_cast<int32_t>(value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value);
}

// A 16-bit multiplier from one of 32 bits.
int32_t Narrow(int32_t multiplier) {
  constexpr int32_t kHalf = 1 << 15;
  return multiplier >= INT32_MAX - kHalf ? INT16_MAX : (multiplier + kHalf) >> 16;
}

// a * b / 2^15 of values in 16 bits, rounded half up and towards zero.
int32_t RoundingHigh(int32_t a, int32_t b) { return Saturate16((int64_t{a} * b + (1 << 14)) >> 15); }
int32_t TruncatingHigh(int32_t a, int32_t b) { return Saturate16(int64_t{a} * b / (1 << 15)); }

// Rounded half away from zero.
int32_t DivideByPowerOfTwo(int32_t value, int exponent) {
  const int64_t magnitude = value < 0 ? -int64_t{value} : value;
  const auto rounded = static_cast<int32_t>((magnitude + (int64_t{1} << exponent >> 1)) >> exponent);
  return value < 0 ? -rounded : rounded;
}

}  // namespace

bool HardSwishTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  // Input codes get seven bits more; 1 in 16 bits stands for 3 in the gate.
  const float fine_scale = (1.0f / 128.0f) * input.scale;
  FixedPointScale output_scale, gate_scale;
  if (!ToFixedPointScale(static_cast<double>(fine_scale / output.scale), 0, &output_scale) ||
      !ToFixedPointScale(static_cast<double>(fine_scale / (3.0f / 32768.0f)), kMostLeftShiftOfCode, &gate_scale) ||
      output_scale.shift < kMostRightShift || gate_scale.shift < kMostRightShift) {
    return false;
  }
  for (int i = 0; i < kCodes; ++i) {
    const int32_t fine = (i - 128 - input.zero_point) * (1 << 7);
    // x, but for the output's shift.
    const int32_t value = RoundingHigh(fine, Narrow(output_scale.multiplier));
    // x / 3 in [-1, 1]. The last bit of a shift to the left comes after the multiplication: what saturates before it does not count.
    int32_t gate = fine;
    if (gate_scale.shift > 0) gate = Saturate16(int64_t{gate} * (1 << (gate_scale.shift - 1)));
    gate = RoundingHigh(gate, Narrow(gate_scale.multiplier));
    if (gate_scale.shift > 0) gate = Saturate16(int64_t{gate} * 2);
    if (gate_scale.shift < 0) gate = DivideByPowerOfTwo(gate, -gate_scale.shift);
    // (x / 3 + 1) / 2, which is min(max(x + 3, 0), 6) / 6.
    gate = (gate + (1 << 15)) >> 1;
    const int32_t product = DivideByPowerOfTwo(TruncatingHigh(gate, value), -output_scale.shift);
    table[i] = ClampCode(int64_t{product} + output.zero_point);
  }
  return true;
}

}  // namespace tflite_eq
