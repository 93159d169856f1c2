// What the specifications of operators share: a tensor's scale, scales in fixed point, and codes that are in range.
#ifndef TFLITE_EQ_DELEGATE_OPS_REFERENCE_QUANTIZATION_H_
#define TFLITE_EQ_DELEGATE_OPS_REFERENCE_QUANTIZATION_H_

#include <stdint.h>

#include "delegate/kernels/elementwise.h"
#include "delegate/kernels/requantize.h"

namespace tflite_eq {

// real = scale * (code - zero_point). The zero point is a code, the scale positive and finite.
struct Quantization {
  float scale = 0;
  int32_t zero_point = 0;
};

// Shifts further left than this make an int32 of a code without its zero point wrap.
inline constexpr int kMostLeftShiftOfCode = 22;

// False where the scale is negative, not a number, or shifts further left than `most_left_shift`.
inline bool ToFixedPointScale(double scale, int most_left_shift, FixedPointScale* fixed) {
  if (!(scale >= 0 && scale <= 1 << most_left_shift)) return false;
  int shift;
  QuantizeMultiplier(scale, &fixed->multiplier, &shift);
  fixed->shift = shift;
  return shift <= most_left_shift;
}

inline int32_t Multiply(int32_t value, const FixedPointScale& scale) {
  return MultiplyByQuantizedMultiplier(value, scale.multiplier, scale.shift);
}

inline int8_t ClampCode(int64_t value, int32_t min = -128, int32_t max = 127) {
  return static_cast<int8_t>(value < min ? min : value > max ? max : value);
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REFERENCE_QUANTIZATION_H_
