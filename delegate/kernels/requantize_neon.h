// Requantization of 4 channels at a time, on any NEON.
//
// The oracle's two roundings (requantize.h) have instructions of their own here:
//
//   y = SRDHM(acc * 2^max(shift, 0), multiplier)     sqrdmulh: floor((2 a b + 2^31) / 2^32), with the oracle's only saturating case
//   z = RDPOT(y, e), e = max(-shift, 0)              srshl by -e rounds half up, floor((y + 2^(e-1)) / 2^e); half away from zero
//                                                    is floor((y - [y < 0] + 2^(e-1)) / 2^e) for e >= 1, and [y < 0] is subtracted
//                                                    by ssra, which adds the sign that a shift by 31 leaves
//
// For e = 0 nothing is subtracted: the general form masks the sign with that of the shift, negative where e >= 1. In the fast form
// every channel has e >= 1, or the multiplier 0 of channels that are padding, whose y is 0. Neither form can overflow: multipliers
// are below 2^31, so |y| < |acc| and y - 1 is an int32, and srshl computes its sum without bounds.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_NEON_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_NEON_H_

#include <arm_neon.h>
#include <stdint.h>

#include "delegate/kernels/requantize.h"

namespace tflite_eq {
namespace {

// Constants of four channels.
struct RequantizeNeon {
  int32x4_t multiplier;
  int32x4_t shift;

  RequantizeNeon(const Requantization& r, int channel)
      : multiplier(vld1q_s32(r.multiplier() + channel)), shift(vld1q_s32(r.shift() + channel)) {}

  RequantizeNeon(int32x4_t four_multipliers, int32x4_t four_shifts) : multiplier(four_multipliers), shift(four_shifts) {}

  // Whether the fast form holds for `channels` channels, a multiple of four: no left shift, no shift of zero, and no bias that is
  // still to be added.
  static bool IsFast(const Requantization& r, int channel, int channels) {
    uint32x4_t slow = vdupq_n_u32(0);
    for (int c = channel; c < channel + channels; c += 4) {
      const uint32x4_t scaled = vtstq_s32(vld1q_s32(r.multiplier() + c), vdupq_n_s32(-1));
      const uint32x4_t not_right = vcgeq_s32(vld1q_s32(r.shift() + c), vdupq_n_s32(0));
      slow = vorrq_u32(slow, vandq_u32(scaled, not_right));
      slow = vorrq_u32(slow, vreinterpretq_u32_s32(vld1q_s32(r.late_bias() + c)));
    }
    return vmaxvq_u32(slow) == 0;
  }

  // z of the formulas above.
  int32x4_t Fast(int32x4_t acc) const {
    const int32x4_t y = vqrdmulhq_s32(acc, multiplier);
    return vrshlq_s32(vsraq_n_s32(y, y, 31), shift);
  }

  // The same without conditions. The left shift wraps, as the oracle's does.
  int32x4_t General(int32x4_t acc) const {
    const int32x4_t zero = vdupq_n_s32(0);
    const int32x4_t right = vminq_s32(shift, zero);
    const int32x4_t y = vqrdmulhq_s32(vshlq_s32(acc, vmaxq_s32(shift, zero)), multiplier);
    return vrshlq_s32(vsraq_n_s32(y, vandq_s32(y, right), 31), right);
  }
};

// What turns z into codes, for all channels alike.
struct PackCodesNeon {
  int16x8_t zero_point;
  int8x16_t low;
  int8x16_t high;

  explicit PackCodesNeon(const Requantization& r)
      : zero_point(vdupq_n_s16(static_cast<int16_t>(r.zero_point()))),
        low(vdupq_n_s8(static_cast<int8_t>(r.activation_min()))),
        high(vdupq_n_s8(static_cast<int8_t>(r.activation_max()))) {}

  // Fours of vectors of codes-to-be, in order: a step of all of them before the next step of any.
  template <int fours>
  void Pack(const int32x4_t (&z)[fours][4], int8x16_t (&codes)[fours]) const {
    int16x8_t front[fours], back[fours];
    for (int i = 0; i < fours; ++i) {
      front[i] = vqmovn_high_s32(vqmovn_s32(z[i][0]), z[i][1]);
      back[i] = vqmovn_high_s32(vqmovn_s32(z[i][2]), z[i][3]);
    }
    for (int i = 0; i < fours; ++i) {
      front[i] = vqaddq_s16(front[i], zero_point);
      back[i] = vqaddq_s16(back[i], zero_point);
    }
    for (int i = 0; i < fours; ++i) codes[i] = vqmovn_high_s16(vqmovn_s16(front[i]), back[i]);
    for (int i = 0; i < fours; ++i) codes[i] = vminq_s8(vmaxq_s8(codes[i], low), high);
  }

  // One four of them. Every step saturates, and beyond int16 is beyond int8 whatever the zero point.
  int8x16_t Pack(int32x4_t z0, int32x4_t z1, int32x4_t z2, int32x4_t z3) const {
    const int32x4_t z[1][4] = {{z0, z1, z2, z3}};
    int8x16_t codes[1];
    Pack(z, codes);
    return codes[0];
  }
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_NEON_H_
