// The primitives of elementwise_blocks.h, elementwise_x86.h and pool_rows.h on 512 bits.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_AVX512_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_AVX512_H_

#include <immintrin.h>

#include "delegate/kernels/elementwise_kernels.h"
#include "delegate/kernels/elementwise_lines_x86.h"
#include "delegate/kernels/elementwise_x86.h"

namespace tflite_eq {
namespace {

struct Avx512 {
  using Vec = __m512i;
  static constexpr int kBytes = 64;

  static __mmask64 First(size_t count) { return (__mmask64{1} << count) - 1; }
  static Vec Load(const int8_t* from) { return _mm512_loadu_si512(from); }
  static Vec LoadPartial(const int8_t* from, size_t count) { return _mm512_maskz_loadu_epi8(First(count), from); }
  static void Store(int8_t* to, Vec codes) { _mm512_storeu_si512(to, codes); }
  static void StorePartial(int8_t* to, Vec codes, size_t count) { _mm512_mask_storeu_epi8(to, First(count), codes); }

  static Vec Set8(int8_t value) { return _mm512_set1_epi8(value); }
  static Vec Set16(int16_t value) { return _mm512_set1_epi16(value); }
  static Vec Set32(int32_t value) { return _mm512_set1_epi32(value); }
  static Vec Xor(Vec a, Vec b) { return _mm512_xor_si512(a, b); }

  static Vec Min8(Vec a, Vec b) { return _mm512_min_epi8(a, b); }
  static Vec Max8(Vec a, Vec b) { return _mm512_max_epi8(a, b); }
  static Vec LoadRow(const int8_t* from) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static Vec ShuffleRow(Vec row, Vec indices) { return _mm512_shuffle_epi8(row, indices); }
  static Vec SubSaturated8(Vec a, Vec b) { return _mm512_subs_epi8(a, b); }

  static Vec UnpackLow8(Vec a, Vec b) { return _mm512_unpacklo_epi8(a, b); }
  static Vec UnpackHigh8(Vec a, Vec b) { return _mm512_unpackhi_epi8(a, b); }
  static Vec UnpackLow16(Vec a, Vec b) { return _mm512_unpacklo_epi16(a, b); }
  static Vec UnpackHigh16(Vec a, Vec b) { return _mm512_unpackhi_epi16(a, b); }
  static Vec Pack16(Vec a, Vec b) { return _mm512_packs_epi16(a, b); }
  static Vec Pack32(Vec a, Vec b) { return _mm512_packs_epi32(a, b); }

  static Vec Sub16(Vec a, Vec b) { return _mm512_sub_epi16(a, b); }
  static Vec AddSaturated16(Vec a, Vec b) { return _mm512_adds_epi16(a, b); }
  static Vec MulLow16(Vec a, Vec b) { return _mm512_mullo_epi16(a, b); }
  static Vec MulHigh16(Vec a, Vec b) { return _mm512_mulhi_epi16(a, b); }
  static Vec ShiftRight16(Vec a, __m128i right) { return _mm512_sra_epi16(a, right); }

  static Vec Add32(Vec a, Vec b) { return _mm512_add_epi32(a, b); }
  static Vec Sub32(Vec a, Vec b) { return _mm512_sub_epi32(a, b); }
  template <int right>
  static Vec ShiftRight32(Vec a) {
    return _mm512_srai_epi32(a, right);
  }
  template <int left>
  static Vec ShiftLeft32(Vec a) {
    return _mm512_slli_epi32(a, left);
  }
  static Vec ShiftLeft32By(Vec a, __m128i left) { return _mm512_sll_epi32(a, left); }
  static Vec MulLow32(Vec a, Vec b) { return _mm512_mullo_epi32(a, b); }
  // Of words: a0 b0 + a1 b1 in each double word.
  static Vec MulAddPairs16(Vec a, Vec b) { return _mm512_madd_epi16(a, b); }
  static Vec ShiftRight32By(Vec a, Vec right) { return _mm512_srav_epi32(a, right); }
  static Vec AddWhereNegative(Vec sum, Vec sign, Vec addend) {
    return _mm512_mask_add_epi32(sum, _mm512_movepi32_mask(sign), sum, addend);
  }

  using Floats = __m512;
  static constexpr int kParts = 4;
  static Floats SetFloat(float value) { return _mm512_set1_ps(value); }
  static Floats LoadFloats(const float* from) { return _mm512_loadu_ps(from); }
  static Floats ToFloats(const int8_t* codes) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes))));
  }
  static Floats MulAdd(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats SelectBelow(Floats value, Floats limit, Floats below, Floats otherwise) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(value, limit, _CMP_LT_OQ), otherwise, below);
  }
  static Vec ToCodes(const Floats (&values)[kParts]) {
    const Vec front = Pack32(_mm512_cvtps_epi32(values[0]), _mm512_cvtps_epi32(values[1]));
    const Vec back = Pack32(_mm512_cvtps_epi32(values[2]), _mm512_cvtps_epi32(values[3]));
    const Vec order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, Pack16(front, back));
  }

  static Vec MulEven(Vec a, Vec b) { return _mm512_mul_epi32(a, b); }
  static Vec OddToEven(Vec a) { return _mm512_srli_epi64(a, 32); }
  static Vec HighHalves(Vec even, Vec odd) { return _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB); }

  static Vec Interpolate(Vec lower_first, Vec lower_second, Vec upper_first, Vec upper_second, int right, int down) {
    return InterpolateCodes<Avx512>(lower_first, lower_second, upper_first, upper_second, right, down);
  }

  // Sums are in the order in which unpacking leaves codes.
  using Sums = Words<Avx512>;
  using WideSums = Quad<Avx512>;
  static Sums ClearSums() { return {Set32(0), Set32(0)}; }
  static WideSums ClearWideSums() { return {{Set32(0), Set32(0), Set32(0), Set32(0)}}; }
  static void AddPair(Sums* sums, Vec a, Vec b) {
    const Vec ones = Set8(1);
    sums->low = _mm512_add_epi16(sums->low, _mm512_maddubs_epi16(ones, UnpackLow8(a, b)));
    sums->high = _mm512_add_epi16(sums->high, _mm512_maddubs_epi16(ones, UnpackHigh8(a, b)));
  }
  static void Flush(WideSums* wide, const Sums& sums) {
    const Quad<Avx512> parts = Join<Avx512>({Set32(0), Set32(0)}, sums);
    for (int i = 0; i < 4; ++i) wide->part[i] = Add32(wide->part[i], ShiftRight32<16>(parts.part[i]));
  }
  static Vec Divide(const WideSums& sums, int count) {
    const __m512 inverse = _mm512_set1_ps(1.0f / static_cast<float>(count));
    const __m512 half = _mm512_set1_ps(static_cast<float>(count / 2) + 0.5f);
    const __m512 sign = _mm512_set1_ps(-0.0f);
    Vec quotients[4];
    for (int i = 0; i < 4; ++i) {
      const __m512 sum = _mm512_cvtepi32_ps(sums.part[i]);
      const __m512 rounded = _mm512_add_ps(sum, _mm512_or_ps(half, _mm512_and_ps(sum, sign)));
      quotients[i] = _mm512_cvttps_epi32(_mm512_mul_ps(rounded, inverse));
    }
    return Pack16(Pack32(quotients[0], quotients[1]), Pack32(quotients[2], quotients[3]));
  }
  // Lane l of part i holds channels 16 l + 4 i ... 16 l + 4 i + 3.
  static void StoreWideSums(int32_t* to, const WideSums& sums) {
    for (int i = 0; i < 4; ++i) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 4 * i), _mm512_extracti32x4_epi32(sums.part[i], 0));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 4 * i + 16), _mm512_extracti32x4_epi32(sums.part[i], 1));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 4 * i + 32), _mm512_extracti32x4_epi32(sums.part[i], 2));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 4 * i + 48), _mm512_extracti32x4_epi32(sums.part[i], 3));
    }
  }
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_AVX512_H_
