// The innermost loops for AVX-512 with VNNI where a layer has up to 16 output channels: tiles of 16 pixels, which lie four to a vector.
//
//   codes     p0: c 0-3   p0: c 0-3   p0: c 0-3    p0: c 0-3    p1: c 0-3 ...     four input channels of four pixels, each four times
//   weights   cout 0      cout 1      cout 2       cout 3       cout 0 ...        of the same input channels, for every pixel
//   sums      p0, cout 0  p0, cout 1  p0, cout 2   p0, cout 3   p1, cout 0 ...
//
// Four such vectors of sums, one for each four output channels, pack to the codes of four pixels in order: where pixels follow each
// other without a gap these are one store. With a pixel in each vector, as dot8_avx512.h has them, moving codes to where they
// belong takes as long as the few multiplications of such layers. 16 codes of each of four pixels are gathered into a line, of which
// every four are what one shuffle repeats.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_NARROW_AVX512_H_
#define TFLITE_EQ_DELEGATE_KERNELS_NARROW_AVX512_H_

#include "delegate/kernels/dot8_avx512.h"

namespace tflite_eq {
namespace {

constexpr int kNarrow = 16;                // output channels, and codes of a pixel in a line
constexpr int kQuad = 4;                   // pixels, and output channels, in a vector
constexpr int kQuads = kNarrow / kQuad;    // vectors of sums for four pixels
constexpr int kNarrowGroupBytes = kQuads * kLine;

// Where the weight of a byte of a group goes, the first of its four copies; the others follow `kNarrow` bytes apart.
inline size_t NarrowOffset(int cout, int channel) {
  return static_cast<size_t>(channel / kGroup) * kNarrowGroupBytes + static_cast<size_t>(cout / kQuad) * kLine + cout % kQuad * kGroup +
         channel % kGroup;
}

// Pixels that are `column` bytes apart, `channels` bytes of every filter row each.
struct NarrowPixels {
  const uint8_t* codes;
  ptrdiff_t column;
  int channels;
  // What makes unsigned bytes of the codes: 0 where they are.
  __m512i flip;

  // 16 bytes of each of four pixels that have no others in between; what is not theirs meets weights of 0.
  __m512i Dense(const uint8_t* at) const { return _mm512_xor_si512(_mm512_loadu_si512(at), flip); }
  // As far as the mask says.
  __attribute__((always_inline)) __m512i Line(const uint8_t* at, __mmask16 mask) const {
    __m512i line = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(mask, at));
    line = _mm512_inserti32x4(line, _mm_maskz_loadu_epi8(mask, at + column), 1);
    line = _mm512_inserti32x4(line, _mm_maskz_loadu_epi8(mask, at + 2 * column), 2);
    line = _mm512_inserti32x4(line, _mm_maskz_loadu_epi8(mask, at + 3 * column), 3);
    return _mm512_xor_si512(line, flip);
  }
};

// sums[q][i] += dot products of one group of four input channels, of which `lines` hold four, with output channels 4 q ... 4 q + 3.
template <int group, int quads>
__attribute__((always_inline)) inline void AccumulateGroup(const __m512i (&lines)[quads], const int8_t* weights,
                                                           __m512i (&sums)[kQuads][quads]) {
  __m512i repeated[quads];
  for (int i = 0; i < quads; ++i) repeated[i] = _mm512_shuffle_epi32(lines[i], static_cast<_MM_PERM_ENUM>(group * 0x55));
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) {
    const __m512i weights_of = _mm512_load_si512(weights + q * kLine);
    for (int i = 0; i < quads; ++i) sums[q][i] = _mm512_dpbusd_epi32(sums[q][i], repeated[i], weights_of);
  }
}

// The same for one filter row. Advances the weights.
template <int quads>
__attribute__((always_inline)) inline void AccumulateNarrow(const NarrowPixels& pixels, const uint8_t* codes, const int8_t** weights,
                                                            __m512i (&sums)[kQuads][quads]) {
  const int8_t* w = *weights;
  for (int left = pixels.channels; left > 0; left -= kNarrow, codes += kNarrow) {
    __m512i lines[quads];
    const uint8_t* at = codes;
    const __mmask16 mask = static_cast<__mmask16>(left >= kNarrow ? 0xffff : (1 << left) - 1);
    for (int i = 0; i < quads; ++i, at += kQuad * pixels.column) {
      // Else the compiler keeps an address for each pixel, in memory, and moves all of them along.
      __asm__("" : "+r"(at));
      lines[i] = pixels.column == kNarrow ? pixels.Dense(at) : pixels.Line(at, mask);
    }
    AccumulateGroup<0>(lines, w, sums);
    if (left > kGroup) AccumulateGroup<1>(lines, w + kNarrowGroupBytes, sums);
    if (left > 2 * kGroup) AccumulateGroup<2>(lines, w + 2 * kNarrowGroupBytes, sums);
    if (left > 3 * kGroup) AccumulateGroup<3>(lines, w + 3 * kNarrowGroupBytes, sums);
    w += left >= kNarrow ? kGroup * kNarrowGroupBytes : Groups(left) * kNarrowGroupBytes;
  }
  *weights = w;
}

// Turns the sums of a tile of pixels that follow each other into codes, and stores them.
class StoreNarrow {
 public:
  // Pixels lie `pixel` bytes apart.
  StoreNarrow(const KernelContext& context, int channels, ptrdiff_t pixel)
      : context_(context),
        by_pixel_(context, 0, channels),
        channels_(channels),
        pixel_(pixel),
        low_(_mm512_set1_epi8(static_cast<char>(context.requantization->activation_min()))),
        high_(_mm512_set1_epi8(static_cast<char>(context.requantization->activation_max()))) {}

  template <int quads>
  __attribute__((always_inline)) void operator()(__m512i (&sums)[kQuads][quads], int8_t* out) const {
    if (!by_pixel_.by_lines()) {
      __m512i copy[kQuads * quads];  // sums itself stays in registers
#pragma GCC unroll 16
      for (int i = 0; i < kQuads * quads; ++i) copy[i] = sums[i / quads][i % quads];
      return ByPixel(copy, quads, out);
    }
    const FloatRequantization& lines = *context_.lines;
    for (int e = 0; e < by_pixel_.exceptions(); ++e) {
#pragma GCC unroll 4
      for (int q = 0; q < kQuads; ++q) {
        const __m512i exception = FourChannels(lines.exception(e) + kQuad * q);
        const __m512i substitute = FourChannels(lines.substitute(e) + kQuad * q);
        for (int i = 0; i < quads; ++i) {
          sums[q][i] = _mm512_mask_mov_epi32(sums[q][i], _mm512_cmpeq_epi32_mask(sums[q][i], exception), substitute);
        }
      }
    }
    if (by_pixel_.non_negative()) {
      Pack<quads>(sums, out, [](const LinesAvx512& line, __m512i sum) __attribute__((always_inline)) { return line.NonNegative(sum); });
    } else {
      Pack<quads>(sums, out, [](const LinesAvx512& line, __m512i sum) __attribute__((always_inline)) { return line.Signed(sum); });
    }
  }

 private:
  static __m512i FourChannels(const void* values) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(static_cast<const __m128i*>(values)));
  }
  static __m512 FourFloats(const float* values) { return _mm512_broadcast_f32x4(_mm_loadu_ps(values)); }

  template <int quads, typename ToCode>
  __attribute__((always_inline)) void Pack(__m512i (&sums)[kQuads][quads], int8_t* out, ToCode to_code) const {
    const FloatRequantization& lines = *context_.lines;
#pragma GCC unroll 4
    for (int q = 0; q < kQuads; ++q) {
      const LinesAvx512 line(FourFloats(lines.scale() + kQuad * q), FourFloats(lines.offset() + kQuad * q),
                             FourFloats(lines.half() + kQuad * q));
      for (int i = 0; i < quads; ++i) sums[q][i] = to_code(line, sums[q][i]);
    }
    for (int i = 0; i < quads; ++i, out += kQuad * pixel_) {
      const __m512i first = _mm512_packs_epi32(sums[0][i], sums[1][i]);
      const __m512i second = _mm512_packs_epi32(sums[2][i], sums[3][i]);
      const __m512i codes = _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(first, second), low_), high_);
      if (channels_ == kNarrow && pixel_ == kNarrow) {
        _mm512_storeu_si512(out, codes);
        continue;
      }
      const __mmask16 mask = static_cast<__mmask16>((1 << channels_) - 1);
      _mm_mask_storeu_epi8(out, mask, _mm512_castsi512_si128(codes));
      _mm_mask_storeu_epi8(out + pixel_, mask, _mm512_extracti32x4_epi32(codes, 1));
      _mm_mask_storeu_epi8(out + 2 * pixel_, mask, _mm512_extracti32x4_epi32(codes, 2));
      _mm_mask_storeu_epi8(out + 3 * pixel_, mask, _mm512_extracti32x4_epi32(codes, 3));
    }
  }

  // A vector for each pixel, for channels without a line.
  __attribute__((noinline)) void ByPixel(const __m512i* sums, int quads, int8_t* out) const {
    __m512i pixels[kNarrow];
    for (int i = 0; i < quads; ++i) {
      for (int q = 0; q < kQuads; ++q) {
        alignas(64) int32_t lanes[kQuad][kQuad];
        _mm512_store_si512(lanes, sums[q * quads + i]);
        for (int p = 0; p < kQuad; ++p) {
          memcpy(reinterpret_cast<int32_t*>(&pixels[kQuad * i + p]) + kQuad * q, lanes[p], sizeof(lanes[p]));
        }
      }
    }
    by_pixel_(pixels, kQuad * quads, NextPixel{out, static_cast<size_t>(pixel_)});
  }

  const KernelContext& context_;
  StoreTile<1> by_pixel_;
  ptrdiff_t channels_;
  ptrdiff_t pixel_;
  __m512i low_;
  __m512i high_;
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_NARROW_AVX512_H_
