// From an int32 accumulator to an int8 code, exactly as TFLite's reference kernel (BUILTIN_REF) does it.
//
// The oracle multiplies by a real scale s = input_scale * weight_scale / output_scale, written as a fixed-point number
// multiplier * 2^(shift - 31) with multiplier in [2^30, 2^31), and rounds twice:
//
//   y = SaturatingRoundingDoublingHighMul(acc * 2^max(shift, 0), multiplier)      round half up
//   z = RoundingDivideByPOT(y, max(-shift, 0))                                    round half away from zero
//   code = clamp(z + output_zero_point, activation_min, activation_max)
//
// The vector kernels compute the same z by one multiplication and one shift. With e = -shift >= 0 and a pre-shift p in
// [2, 6] such that |acc| * 2^p < 2^31, let H = floor(acc * 2^p * multiplier / 2^32), the high half of a 32x32-bit product.
// Nested floors of divisions by powers of two merge, and SRDHM is a plain floor (its truncating division by 2^31 and its
// sign-dependent nudge amount to floor((acc * m + 2^30) / 2^31) for either sign), so
//
//   y = floor((H + 2^(p-2)) / 2^(p-1))
//   z = floor((y + 2^(e-1) - [y < 0]) / 2^e)                                      e >= 1; z = y for e = 0
//     = floor((H + 2^(p-2) + (2^(e-1) - [H < 0]) * 2^(p-1)) / 2^(e+p-1))
//
// [y < 0] may be replaced by [H < 0]: they differ only for H in [-2^(p-2), -1], where y = 0 and both forms give z = 0.
// z + zero_point comes for free by adding zero_point * 2^(e+p-1) to the numerator. Hence two addends per channel, chosen by
// the sign of H, and one arithmetic shift. p = 6 is what the F(4,3) kernel needs: its accumulators arrive times 64.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_H_

#include <stdint.h>

#include "delegate/kernels/always_inline.h"
#include "delegate/kernels/buffer.h"
#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

// TFLite's QuantizeMultiplier: scale = *multiplier * 2^(*shift - 31), for 0 <= scale < 2^31.
void QuantizeMultiplier(double scale, int32_t* multiplier, int* shift);

// The oracle's effective scale: the product and quotient are formed in double precision from float scales.
double EffectiveScale(float input_scale, float weight_scale, float output_scale);

// Output codes that the fused activation lets through. kNone, kRelu, kRelu6 and kReluN1To1 as in TFLite.
enum class Activation { kNone, kRelu, kRelu6, kReluN1To1, kRelu0To1 };
void ActivationRange(Activation activation, float output_scale, int32_t output_zero_point, int32_t* activation_min,
                     int32_t* activation_max);

// z of the formulas above, before zero point and clamp. `static`: this header is compiled for several instruction sets, and
// the linker must not merge their copies.
static inline int32_t MultiplyByQuantizedMultiplier(int32_t acc, int32_t multiplier, int32_t shift) {
  const int left_shift = shift > 0 ? shift : 0;
  const int right_shift = shift > 0 ? 0 : -shift;
  // The oracle lets this product wrap.
  const int32_t shifted = static_cast<int32_t>(static_cast<uint32_t>(acc) << left_shift);
  int32_t high;
  if (shifted == INT32_MIN && multiplier == INT32_MIN) {
    high = INT32_MAX;
  } else {
    const int64_t product = static_cast<int64_t>(shifted) * multiplier;
    high = static_cast<int32_t>((product + (int64_t{1} << 30)) >> 31);
  }
  const int32_t mask = static_cast<int32_t>((int64_t{1} << right_shift) - 1);
  const int32_t remainder = high & mask;
  const int32_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
  return (high >> right_shift) + (remainder > threshold ? 1 : 0);
}

// Where multiplications are cheaper than that, as on x86, single precision does it in three instructions (requantize_float.h).
//
// Where the preconditions fail, vectors take the formulas at the top as they stand, in 64 bits, which has no preconditions. Real
// networks need it: a channel that training left all but zero gets a tiny weight scale, and a bias of up to 2^30.
//
// Per-channel constants of one convolution, padded to a multiple of kChannelPadding channels so that vector kernels may read
// whole vectors. Padding channels produce the output zero point and are never stored.
class Requantization {
 public:
  static constexpr int kChannelPadding = 64;

  // `magnitude` bounds the accumulator of each channel, zero point and bias included (see certificate.h). `late_bias` may be
  // null. False when memory runs out.
  bool Prepare(const ConvQuantization& quantization, int channels, const int64_t* magnitude, const int32_t* late_bias);

  // Constants are chosen for blocks of this many channels.
  static constexpr int kBlock = 32;

  // p of the formulas above for the block that holds a channel: the largest in [2, 6] that all its channels allow, or 0 where
  // the one-multiplication form is not exact.
  TFLITE_EQ_ALWAYS_INLINE int pre_shift(int channel) const { return pre_shift_.as<int32_t>()[channel / kBlock]; }

  TFLITE_EQ_ALWAYS_INLINE const int32_t* multiplier() const { return multiplier_.as<int32_t>(); }
  TFLITE_EQ_ALWAYS_INLINE const int32_t* shift() const { return shift_.as<int32_t>(); }
  // The two addends and the final shift e + p - 1.
  TFLITE_EQ_ALWAYS_INLINE const int32_t* addend() const { return addend_.as<int32_t>(); }
  TFLITE_EQ_ALWAYS_INLINE const int32_t* negative_addend() const { return negative_addend_.as<int32_t>(); }
  TFLITE_EQ_ALWAYS_INLINE const int32_t* right_shift() const { return right_shift_.as<int32_t>(); }
  // Bias that is not part of the accumulator yet (see BiasComesLate); zero in blocks with pre-shift 6.
  TFLITE_EQ_ALWAYS_INLINE const int32_t* late_bias() const { return late_bias_.as<int32_t>(); }
  TFLITE_EQ_ALWAYS_INLINE int32_t zero_point() const { return zero_point_; }
  TFLITE_EQ_ALWAYS_INLINE int32_t activation_min() const { return activation_min_; }
  TFLITE_EQ_ALWAYS_INLINE int32_t activation_max() const { return activation_max_; }

  // The whole of the arithmetic for one accumulator.
  int8_t Requantize(int32_t acc, int channel) const;

 private:
  Buffer multiplier_;
  Buffer shift_;
  Buffer addend_;
  Buffer negative_addend_;
  Buffer right_shift_;
  Buffer late_bias_;
  Buffer pre_shift_;
  int32_t zero_point_ = 0;
  int32_t activation_min_ = -128;
  int32_t activation_max_ = 127;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_H_
