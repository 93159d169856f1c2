// Requantization of 8 channels at a time; the derivation is in requantize.h.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_AVX2_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_AVX2_H_

#include <immintrin.h>
#include <stdint.h>

#include "delegate/kernels/requantize.h"
#include "delegate/kernels/requantize_float.h"

namespace tflite_eq {
namespace {

struct RequantizeAvx2 {
  __m256i even_multiplier;
  __m256i odd_multiplier;
  __m256i addend;
  __m256i correction;  // negative_addend - addend
  __m256i right_shift;

  RequantizeAvx2(const Requantization& r, int channel)
      : even_multiplier(Load(r.multiplier() + channel)),
        odd_multiplier(OddLanes(even_multiplier)),
        addend(Load(r.addend() + channel)),
        correction(_mm256_sub_epi32(Load(r.negative_addend() + channel), addend)),
        right_shift(Load(r.right_shift() + channel)) {}

  static __m256i Load(const int32_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
  static __m256i OddLanes(__m256i x) { return _mm256_shuffle_epi32(x, 0xf5); }

  __m256i FromHalves(__m256i even, __m256i odd) const {
    even = _mm256_mul_epi32(even, even_multiplier);
    odd = _mm256_mul_epi32(odd, odd_multiplier);
    const __m256i high = _mm256_blend_epi32(OddLanes(even), odd, 0xaa);
    const __m256i negative = _mm256_srai_epi32(high, 31);
    const __m256i numerator =
        _mm256_add_epi32(_mm256_add_epi32(high, addend), _mm256_and_si256(negative, correction));
    return _mm256_srav_epi32(numerator, right_shift);
  }

  // z + zero point without preconditions: SRDHM in 64 bits, then RoundingDivideByPOT as the oracle writes it.
  static __m256i General(const Requantization& r, int channel, __m256i acc) {
    const __m256i multiplier = Load(r.multiplier() + channel);
    const __m256i shift = Load(r.shift() + channel);
    const __m256i zero = _mm256_setzero_si256();
    const __m256i one = _mm256_set1_epi32(1);
    const __m256i right = _mm256_sub_epi32(zero, _mm256_min_epi32(shift, zero));
    const __m256i x = _mm256_sllv_epi32(acc, _mm256_max_epi32(shift, zero));
    const __m256i nudge = _mm256_set1_epi64x(int64_t{1} << 30);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, multiplier), nudge);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(OddLanes(x), OddLanes(multiplier)), nudge);
    // Bits 31 ... 62 of both sums, in the lanes they belong to.
    const __m256i y = _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xaa);
    const __m256i low_bits = _mm256_sub_epi32(_mm256_sllv_epi32(one, right), one);
    const __m256i remainder = _mm256_and_si256(y, low_bits);
    const __m256i threshold = _mm256_add_epi32(_mm256_srli_epi32(low_bits, 1), _mm256_srli_epi32(y, 31));
    // A comparison yields -1 where it holds.
    __m256i z = _mm256_sub_epi32(_mm256_srav_epi32(y, right), _mm256_cmpgt_epi32(remainder, threshold));
    // Far outside int8 already; keeps the zero point from overflowing.
    const __m256i far = _mm256_set1_epi32(1 << 20);
    z = _mm256_max_epi32(_mm256_min_epi32(z, far), _mm256_sub_epi32(zero, far));
    return _mm256_add_epi32(z, _mm256_set1_epi32(r.zero_point()));
  }

  __m256i FromShifted(__m256i x) const { return FromHalves(x, OddLanes(x)); }
};

// The same by lines, where they are exact (requantize_float.h).
struct LinesAvx2 {
  __m256 scale;
  __m256 offset;
  __m256 half;

  LinesAvx2(const FloatRequantization& lines, int channel)
      : scale(_mm256_loadu_ps(lines.scale() + channel)),
        offset(_mm256_loadu_ps(lines.offset() + channel)),
        half(_mm256_loadu_ps(lines.half() + channel)) {}

  // Accumulators that are exceptions, the first of their channels or the second, replaced.
  static __m256i Substituted(const FloatRequantization& lines, int i, int channel, __m256i acc) {
    const auto load = [channel](const int32_t* values) {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + channel));
    };
    return _mm256_blendv_epi8(acc, load(lines.substitute(i)), _mm256_cmpeq_epi32(acc, load(lines.exception(i))));
  }

  __m256i Signed(__m256i acc) const {
    const __m256 x = _mm256_cvtepi32_ps(acc);
    const __m256 sign = _mm256_and_ps(x, _mm256_set1_ps(-0.0f));
    return _mm256_cvtps_epi32(_mm256_fmadd_ps(x, scale, _mm256_add_ps(offset, _mm256_xor_ps(sign, half))));
  }

  // Where no code below the zero point is wanted, and `half` is 0.
  __m256i NonNegative(__m256i acc) const { return _mm256_cvtps_epi32(_mm256_fmadd_ps(_mm256_cvtepi32_ps(acc), scale, offset)); }
};

// Four vectors of 8 codes-to-be, saturated to int8, clamped, and in order: bytes 8 i ... 8 i + 7 come from z[i].
inline __m256i PackCodes(__m256i z0, __m256i z1, __m256i z2, __m256i z3, int low, int high) {
  __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(z0, z1), _mm256_packs_epi32(z2, z3));
  bytes = _mm256_max_epi8(bytes, _mm256_set1_epi8(static_cast<char>(low)));
  bytes = _mm256_min_epi8(bytes, _mm256_set1_epi8(static_cast<char>(high)));
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_AVX2_H_
