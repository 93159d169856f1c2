// What the two forms of F(4x4,3x3) for AVX-512 share: vectors, and how sums become codes.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_2D_AVX512_H_
#define TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_2D_AVX512_H_

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/requantize_avx512.h"

namespace tflite_eq {
namespace {

struct WinogradAvx512 {
  using Vectors = WinogradAvx512;
  static constexpr int kLanes16 = 32;
  static constexpr int kLanes = 16;
  static constexpr int kChannelGroup = 2;
  static constexpr bool kInterleaved = true;
  using I16 = __m512i;
  using I32 = __m512i;

  static I16 LoadCodes(const int8_t* codes) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)));
  }
  static void Store16(int16_t* to, I16 value) { _mm512_store_si512(to, value); }
  static I16 Add16(I16 a, I16 b) { return _mm512_add_epi16(a, b); }
  static I16 Sub16(I16 a, I16 b) { return _mm512_sub_epi16(a, b); }
  template <int bits>
  static I16 Shl16(I16 a) {
    return _mm512_slli_epi16(a, bits);
  }
  static I32 Load32(const int32_t* from) { return _mm512_load_si512(from); }
  static void Store32(int32_t* to, I32 value) { _mm512_store_si512(to, value); }
  static I32 Add32(I32 a, I32 b) { return _mm512_add_epi32(a, b); }
  static I32 Sub32(I32 a, I32 b) { return _mm512_sub_epi32(a, b); }
  template <int bits>
  static I32 Shl32(I32 a) {
    return _mm512_slli_epi32(a, bits);
  }

  static constexpr int kScaleBits = 6;  // of 576, and the factor 9
  static constexpr int kPreShift = 6;
  static constexpr bool kUsesLines = true;
  static constexpr bool kStoresTiles = false;
  static constexpr int kRowsAtOnce = 1;  // that the output transform unrolls

  struct Constants {
    Constants(const KernelContext& context, int first)
        : r(*context.requantization),
          lines(*context.lines),
          channel(first),
          low(_mm512_set1_epi8(static_cast<char>(r.activation_min()))),
          high(_mm512_set1_epi8(static_cast<char>(r.activation_max()))) {}
    const Requantization& r;
    const FloatRequantization& lines;
    int channel;
    __m512i low;
    __m512i high;
  };

  // 2^6 * acc from sums that are 576 * acc, all modulo 2^32. F(2,3), which saves nothing here, is not built.
  static I32 DivideByNine(I32 y) { return _mm512_mullo_epi32(y, _mm512_set1_epi32(0x38E38E39)); }
  template <int count>
  static I32 Divide(I32 y) {
    static_assert(count == 4, "F(4,3)");
    return _mm512_srai_epi32(DivideByNine(y), kScaleBits);
  }

  // Whichever way they become codes.
  static bool AtOnce(const KernelContext&, int) { return true; }

  __attribute__((noinline)) static I32 RequantizeAccumulators(const Constants& constants, I32 acc) {
    if (constants.r.pre_shift(constants.channel) == kPreShift) {
      return RequantizeAvx512(constants.r, constants.channel).FromShifted(_mm512_slli_epi32(acc, kPreShift));
    }
    const I32 bias = _mm512_loadu_si512(constants.r.late_bias() + constants.channel);
    return RequantizeAvx512::General(constants.r, constants.channel, _mm512_add_epi32(acc, bias));
  }

  // Outputs of a tile, which are 576 * acc modulo 2^32. Where there are lines, 2^6 * acc is a float as well as acc is, so that the line
  // takes the factor: it is a power of two, and the same product. Else 2^6 * acc is what requantization by integers wants of most.
  template <int count>
  static void RequantizeSums(const Constants& constants, const I32* y, I32* z) {
    for (int i = 0; i < count; ++i) z[i] = DivideByNine(y[i]);
    const FloatRequantization& lines = constants.lines;
    if (!lines.exact(constants.channel)) {
      if (constants.r.pre_shift(constants.channel) == kPreShift) {
        const RequantizeAvx512 integers(constants.r, constants.channel);
        for (int i = 0; i < count; ++i) z[i] = integers.FromShifted(z[i]);
      } else {
        for (int i = 0; i < count; ++i) z[i] = RequantizeAccumulators(constants, _mm512_srai_epi32(z[i], kScaleBits));
      }
      return;
    }
    for (int e = 0; e < lines.exceptions(constants.channel); ++e) {
      const I32 exception = _mm512_slli_epi32(_mm512_loadu_si512(lines.exception(e) + constants.channel), kScaleBits);
      const I32 substitute = _mm512_slli_epi32(_mm512_loadu_si512(lines.substitute(e) + constants.channel), kScaleBits);
      for (int i = 0; i < count; ++i) z[i] = _mm512_mask_mov_epi32(z[i], _mm512_cmpeq_epi32_mask(z[i], exception), substitute);
    }
    LinesAvx512 line(lines, constants.channel);
    line.scale = _mm512_mul_ps(line.scale, _mm512_set1_ps(1.0f / (1 << kScaleBits)));
    for (int i = 0; i < count; ++i) z[i] = line.Signed(z[i]);
  }

  // Four outputs of a tile that are `pixel` apart, of which `columns` are stored; sums or, if `divided`, accumulators.
  template <int count, bool divided>
  static void Store(const Constants& constants, const I32* y, int8_t* out, size_t pixel, int columns, int channels) {
    __m512i z[count];
    if constexpr (divided) {
      for (int i = 0; i < count; ++i) z[i] = RequantizeAccumulators(constants, y[i]);
    } else {
      RequantizeSums<count>(constants, y, z);
    }
    const __m512i bytes = PackCodes(z[0], z[1], z[2], z[3], constants.low, constants.high);
    const __mmask16 mask = static_cast<__mmask16>((1u << channels) - 1);
    StoreColumn<0>(out, pixel, columns, mask, bytes);
    StoreColumn<1>(out, pixel, columns, mask, bytes);
    StoreColumn<2>(out, pixel, columns, mask, bytes);
    StoreColumn<3>(out, pixel, columns, mask, bytes);
  }

  template <int column>
  static void StoreColumn(int8_t* out, size_t pixel, int columns, __mmask16 mask, __m512i bytes) {
    if (column >= columns) return;
    const __m128i codes = _mm512_extracti32x4_epi32(bytes, column);
    _mm_mask_storeu_epi8(out + column * pixel, mask, codes);
  }
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_2D_AVX512_H_
