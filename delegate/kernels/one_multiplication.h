// Multiplication by a fixed-point scale as one product, one addition and one shift: the form of requantize.h for values that are known
// to be small, where it has no exceptions.
//
// For |v| < 2^bits, a scale m * 2^(shift - 31), left = max(shift, 0) and e = max(-shift, 0), the oracle computes
//
//   y = SRDHM(v * 2^left, m),  z = RDPOT(y, e)
//
// With pre-shift p = 2 of requantize.h, applied to v * 2^left, and H = floor(v * 2^(left + 2) * m / 2^32),
//
//   z = floor((H + 1 + (2^(e-1) - [H < 0]) * 2) / 2^(e+1))     e >= 1
//     = floor((H + 1) / 2)                                     e = 0
//
// so the addend is 1 + 2^e, less 2 where H < 0, or 1 where e = 0. What this takes: v * 2^(left + 2) is an int32 where bits + left <= 29,
// and no numerator overflows, since |H| <= 2^30 and e <= bits: where e > bits, |y| <= |v| < 2^(e-1), so z = 0, which a multiplier of 0
// gives with any shift. Nothing here asks for a positive multiplier.
//
// Who uses it: ADD brings codes without their zero points (9 bits) to 28 bits and adds two of at most half that, so that bits = 28 for
// the sides and the sum, and left = 0. MUL and PRELU multiply two such values, bits = 16; and as 255 * 2^(5+2) is an int16, so is the
// shifted factor of their products for left <= 5 (FixedPointScale::kMostLeftShift): shifts cost nothing there. MEAN has sums of
// 255 * pixels, and takes the form where that and its shift leave room.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ONE_MULTIPLICATION_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ONE_MULTIPLICATION_H_

#include <stdint.h>

#include "delegate/kernels/elementwise.h"

namespace tflite_eq {
namespace {

struct OneMultiplication {
  int32_t pre_shift;  // left + 2, what values are shifted by before
  int32_t multiplier;
  int32_t addend;
  int32_t negative_correction;  // what is added besides where H < 0
  int32_t right_shift;
};

inline OneMultiplication MakeOneMultiplication(const FixedPointScale& scale, int bits) {
  const int left = scale.shift > 0 ? scale.shift : 0;
  const int e = scale.shift > 0 ? 0 : -scale.shift;
  if (e > bits) return {left + 2, 0, 1, 0, 1};
  return {left + 2, scale.multiplier, e > 0 ? 1 + (1 << e) : 1, e > 0 ? -2 : 0, e + 1};
}

inline constexpr int kAddBits = 28;
inline constexpr int kProductBits = 16;

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ONE_MULTIPLICATION_H_
