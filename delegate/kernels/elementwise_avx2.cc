// The primitives of elementwise_blocks.h, elementwise_x86.h and pool_rows.h on 256 bits.
#include <immintrin.h>

#include "delegate/kernels/elementwise_kernels.h"
#include "delegate/kernels/elementwise_lines_x86.h"
#include "delegate/kernels/elementwise_x86.h"

namespace tflite_eq {
namespace {

struct Avx2 {
  using Vec = __m256i;
  static constexpr int kBytes = 32;

  static Vec Load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
  static Vec LoadPartial(const int8_t* from, size_t count) {
    int8_t codes[kBytes] = {};
    memcpy(codes, from, count);
    return Load(codes);
  }
  static void Store(void* to, Vec codes) { _mm256_storeu_si256(static_cast<__m256i*>(to), codes); }
  static void StorePartial(int8_t* to, Vec codes, size_t count) {
    int8_t stored[kBytes];
    Store(stored, codes);
    memcpy(to, stored, count);
  }

  static Vec Set8(int8_t value) { return _mm256_set1_epi8(value); }
  static Vec Set16(int16_t value) { return _mm256_set1_epi16(value); }
  static Vec Set32(int32_t value) { return _mm256_set1_epi32(value); }
  static Vec Xor(Vec a, Vec b) { return _mm256_xor_si256(a, b); }

  static Vec Min8(Vec a, Vec b) { return _mm256_min_epi8(a, b); }
  static Vec Max8(Vec a, Vec b) { return _mm256_max_epi8(a, b); }
  static Vec LoadRow(const int8_t* from) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static Vec ShuffleRow(Vec row, Vec indices) { return _mm256_shuffle_epi8(row, indices); }
  static Vec SubSaturated8(Vec a, Vec b) { return _mm256_subs_epi8(a, b); }

  static Vec UnpackLow8(Vec a, Vec b) { return _mm256_unpacklo_epi8(a, b); }
  static Vec UnpackHigh8(Vec a, Vec b) { return _mm256_unpackhi_epi8(a, b); }
  static Vec UnpackLow16(Vec a, Vec b) { return _mm256_unpacklo_epi16(a, b); }
  static Vec UnpackHigh16(Vec a, Vec b) { return _mm256_unpackhi_epi16(a, b); }
  static Vec Pack16(Vec a, Vec b) { return _mm256_packs_epi16(a, b); }
  static Vec Pack32(Vec a, Vec b) { return _mm256_packs_epi32(a, b); }

  static Vec Sub16(Vec a, Vec b) { return _mm256_sub_epi16(a, b); }
  static Vec AddSaturated16(Vec a, Vec b) { return _mm256_adds_epi16(a, b); }
  static Vec MulLow16(Vec a, Vec b) { return _mm256_mullo_epi16(a, b); }
  static Vec MulHigh16(Vec a, Vec b) { return _mm256_mulhi_epi16(a, b); }
  static Vec ShiftRight16(Vec a, __m128i right) { return _mm256_sra_epi16(a, right); }

  static Vec Add32(Vec a, Vec b) { return _mm256_add_epi32(a, b); }
  static Vec Sub32(Vec a, Vec b) { return _mm256_sub_epi32(a, b); }
  template <int right>
  static Vec ShiftRight32(Vec a) {
    return _mm256_srai_epi32(a, right);
  }
  template <int left>
  static Vec ShiftLeft32(Vec a) {
    return _mm256_slli_epi32(a, left);
  }
  static Vec ShiftLeft32By(Vec a, __m128i left) { return _mm256_sll_epi32(a, left); }
  static Vec MulLow32(Vec a, Vec b) { return _mm256_mullo_epi32(a, b); }
  // Of words: a0 b0 + a1 b1 in each double word.
  static Vec MulAddPairs16(Vec a, Vec b) { return _mm256_madd_epi16(a, b); }
  static Vec ShiftRight32By(Vec a, Vec right) { return _mm256_srav_epi32(a, right); }
  static Vec AddWhereNegative(Vec sum, Vec sign, Vec addend) {
    return Add32(sum, _mm256_and_si256(ShiftRight32<31>(sign), addend));
  }

  using Floats = __m256;
  static constexpr int kParts = 4;
  static Floats SetFloat(float value) { return _mm256_set1_ps(value); }
  static Floats LoadFloats(const float* from) { return _mm256_loadu_ps(from); }
  static Floats ToFloats(const int8_t* codes) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes))));
  }
  static Floats MulAdd(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats SelectBelow(Floats value, Floats limit, Floats below, Floats otherwise) {
    return _mm256_blendv_ps(otherwise, below, _mm256_cmp_ps(value, limit, _CMP_LT_OQ));
  }
  static Vec ToCodes(const Floats (&values)[kParts]) {
    const Vec front = Pack32(_mm256_cvtps_epi32(values[0]), _mm256_cvtps_epi32(values[1]));
    const Vec back = Pack32(_mm256_cvtps_epi32(values[2]), _mm256_cvtps_epi32(values[3]));
    return _mm256_permutevar8x32_epi32(Pack16(front, back), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  }

  static Vec MulEven(Vec a, Vec b) { return _mm256_mul_epi32(a, b); }
  static Vec OddToEven(Vec a) { return _mm256_srli_epi64(a, 32); }
  static Vec HighHalves(Vec even, Vec odd) { return _mm256_blend_epi32(OddToEven(even), odd, 0xaa); }

  static Vec Interpolate(Vec lower_first, Vec lower_second, Vec upper_first, Vec upper_second, int right, int down) {
    return InterpolateCodes<Avx2>(lower_first, lower_second, upper_first, upper_second, right, down);
  }

  // Sums are in the order in which unpacking leaves codes.
  using Sums = Words<Avx2>;
  using WideSums = Quad<Avx2>;
  static Sums ClearSums() { return {Set32(0), Set32(0)}; }
  static WideSums ClearWideSums() { return {{Set32(0), Set32(0), Set32(0), Set32(0)}}; }
  static void AddPair(Sums* sums, Vec a, Vec b) {
    const Vec ones = Set8(1);
    sums->low = _mm256_add_epi16(sums->low, _mm256_maddubs_epi16(ones, UnpackLow8(a, b)));
    sums->high = _mm256_add_epi16(sums->high, _mm256_maddubs_epi16(ones, UnpackHigh8(a, b)));
  }
  static void Flush(WideSums* wide, const Sums& sums) {
    const Quad<Avx2> parts = Join<Avx2>({Set32(0), Set32(0)}, sums);
    for (int i = 0; i < 4; ++i) wide->part[i] = Add32(wide->part[i], ShiftRight32<16>(parts.part[i]));
  }
  static Vec Divide(const WideSums& sums, int count) {
    const __m256 inverse = _mm256_set1_ps(1.0f / static_cast<float>(count));
    const __m256 half = _mm256_set1_ps(static_cast<float>(count / 2) + 0.5f);
    const __m256 sign = _mm256_set1_ps(-0.0f);
    Vec quotients[4];
    for (int i = 0; i < 4; ++i) {
      const __m256 sum = _mm256_cvtepi32_ps(sums.part[i]);
      const __m256 rounded = _mm256_add_ps(sum, _mm256_or_ps(half, _mm256_and_ps(sum, sign)));
      quotients[i] = _mm256_cvttps_epi32(_mm256_mul_ps(rounded, inverse));
    }
    return Pack16(Pack32(quotients[0], quotients[1]), Pack32(quotients[2], quotients[3]));
  }
  // Lane l of part i holds channels 16 l + 4 i ... 16 l + 4 i + 3.
  static void StoreWideSums(int32_t* to, const WideSums& sums) {
    for (int i = 0; i < 4; ++i) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 4 * i), _mm256_castsi256_si128(sums.part[i]));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 4 * i + 16), _mm256_extracti128_si256(sums.part[i], 1));
    }
  }
};

}  // namespace

const ElementwiseKernels kElementwiseAvx2 = {Isa::kAvx2,  LookUp<Avx2>,  Add<Avx2>,        Mul<Avx2>,
                                             nullptr,      MaxPool<Avx2>, AveragePool<Avx2>, Mean<Avx2>,
                                             ResizeBilinear<Avx2>, AddOnLine<Avx2>, FollowChannelLines<Avx2>};

}  // namespace tflite_eq
