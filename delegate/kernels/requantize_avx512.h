// Requantization of 16 channels at a time; the derivation is in requantize.h.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_AVX512_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_AVX512_H_

#include <immintrin.h>
#include <stdint.h>

#include "delegate/kernels/requantize.h"
#include "delegate/kernels/requantize_float.h"

namespace tflite_eq {
namespace {

// The constants of 16 consecutive channels, in registers.
struct RequantizeAvx512 {
  __m512i even_multiplier;  // lanes 0, 2, 4, ... are what vpmuldq reads
  __m512i odd_multiplier;
  __m512i addend;
  __m512i negative_addend;
  __m512i right_shift;

  RequantizeAvx512(const Requantization& r, int channel)
      : even_multiplier(_mm512_loadu_si512(r.multiplier() + channel)),
        odd_multiplier(OddLanes(even_multiplier)),
        addend(_mm512_loadu_si512(r.addend() + channel)),
        negative_addend(_mm512_loadu_si512(r.negative_addend() + channel)),
        right_shift(_mm512_loadu_si512(r.right_shift() + channel)) {}

  static __m512i OddLanes(__m512i x) { return _mm512_shuffle_epi32(x, _MM_PERM_DDBB); }

  // From accumulators already multiplied by 2^pre_shift, even lanes and (moved to even positions) odd lanes.
  __m512i FromHalves(__m512i even, __m512i odd) const {
    even = _mm512_mul_epi32(even, even_multiplier);
    odd = _mm512_mul_epi32(odd, odd_multiplier);
    // The high halves of both, back in their lanes.
    const __m512i high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
    const __mmask16 negative = _mm512_movepi32_mask(high);
    __m512i numerator = _mm512_add_epi32(high, addend);
    numerator = _mm512_mask_add_epi32(numerator, negative, high, negative_addend);
    return _mm512_srav_epi32(numerator, right_shift);
  }

  // z + zero point without preconditions: SRDHM in 64 bits, then RoundingDivideByPOT as the oracle writes it.
  static __m512i General(const Requantization& r, int channel, __m512i acc) {
    const __m512i multiplier = _mm512_loadu_si512(r.multiplier() + channel);
    const __m512i shift = _mm512_loadu_si512(r.shift() + channel);
    const __m512i zero = _mm512_setzero_si512();
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i right = _mm512_sub_epi32(zero, _mm512_min_epi32(shift, zero));
    const __m512i x = _mm512_sllv_epi32(acc, _mm512_max_epi32(shift, zero));
    const __m512i nudge = _mm512_set1_epi64(int64_t{1} << 30);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, multiplier), nudge);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(OddLanes(x), OddLanes(multiplier)), nudge);
    // Bits 31 ... 62 of both sums, in the lanes they belong to.
    const __m512i y = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
    const __m512i low_bits = _mm512_sub_epi32(_mm512_sllv_epi32(one, right), one);
    const __m512i remainder = _mm512_and_si512(y, low_bits);
    const __m512i threshold = _mm512_add_epi32(_mm512_srli_epi32(low_bits, 1), _mm512_srli_epi32(y, 31));
    const __mmask16 up = _mm512_cmpgt_epi32_mask(remainder, threshold);
    __m512i z = _mm512_srav_epi32(y, right);
    z = _mm512_mask_add_epi32(z, up, z, one);
    // Far outside int8 already; keeps the zero point from overflowing.
    const __m512i far = _mm512_set1_epi32(1 << 20);
    z = _mm512_max_epi32(_mm512_min_epi32(z, far), _mm512_sub_epi32(zero, far));
    return _mm512_add_epi32(z, _mm512_set1_epi32(r.zero_point()));
  }

  // z + zero point for accumulators shifted left by pre_shift.
  __m512i FromShifted(__m512i x) const { return FromHalves(x, OddLanes(x)); }
};

// The same by lines, where they are exact (requantize_float.h).
struct LinesAvx512 {
  __m512 scale;
  __m512 offset;
  __m512 half;

  LinesAvx512(const FloatRequantization& lines, int channel)
      : scale(_mm512_loadu_ps(lines.scale() + channel)),
        offset(_mm512_loadu_ps(lines.offset() + channel)),
        half(_mm512_loadu_ps(lines.half() + channel)) {}
  LinesAvx512(__m512 scale, __m512 offset, __m512 half) : scale(scale), offset(offset), half(half) {}

  // Accumulators that are exceptions, the first of their channels or the second, replaced.
  static __m512i Substituted(const FloatRequantization& lines, int i, int channel, __m512i acc) {
    const __mmask16 exceptions = _mm512_cmpeq_epi32_mask(acc, _mm512_loadu_si512(lines.exception(i) + channel));
    return _mm512_mask_loadu_epi32(acc, exceptions, lines.substitute(i) + channel);
  }

  __m512i Signed(__m512i acc) const {
    const __m512 x = _mm512_cvtepi32_ps(acc);
    const __m512 sign = _mm512_and_ps(x, _mm512_set1_ps(-0.0f));
    return _mm512_cvtps_epi32(_mm512_fmadd_ps(x, scale, _mm512_add_ps(offset, _mm512_xor_ps(sign, half))));
  }

  // Where no code below the zero point is wanted, and `half` is 0.
  __m512i NonNegative(__m512i acc) const { return _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_cvtepi32_ps(acc), scale, offset)); }
};

// Four vectors of 16 codes-to-be, saturated to int8, clamped, and in order: bytes 16 i ... 16 i + 15 come from z[i].
inline __m512i PackCodes(const __m512i z0, const __m512i z1, const __m512i z2, const __m512i z3, __m512i low, __m512i high) {
  const __m512i words01 = _mm512_packs_epi32(z0, z1);
  const __m512i words23 = _mm512_packs_epi32(z2, z3);
  __m512i bytes = _mm512_packs_epi16(words01, words23);
  bytes = _mm512_max_epi8(bytes, low);
  bytes = _mm512_min_epi8(bytes, high);
  // The packs interleave 128-bit lanes: double word 4 l + i holds channels 4 l ... 4 l + 3 of z[i].
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, bytes);
}

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_AVX512_H_
