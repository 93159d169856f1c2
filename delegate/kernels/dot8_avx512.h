// What the 8-bit AVX-512 VNNI kernels share: the layout of operands and the innermost loop.
//
// vpdpbusd multiplies unsigned by signed bytes, so activations are stored as (value ^ 0x80), which is value + 128, and
// -128 * sum(weights) is added to the bias.
//
// Activations lie in planes: one 64-byte line holds 64 channels of one column, the lines of a row's columns follow each other,
// and so do the rows. A plane holds one channel block; columns that are neighbours in the output are neighbours in the plane
// whatever the stride, so consecutive outputs, across rows too, are 64 bytes apart and need one address register.
//
// Weights are packed in the order of use: for each cout block of 32 output channels, for each filter position and 64-channel
// block, for each group of four channels, 32 output channels x 4 bytes.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_DOT8_AVX512_H_
#define TFLITE_EQ_DELEGATE_KERNELS_DOT8_AVX512_H_

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "delegate/kernels/requantize_avx512.h"

namespace tflite_eq {
namespace {

constexpr int kLine = 64;       // channels, and bytes, in a line
constexpr int kGroup = 4;       // channels in one 32-bit dot product
constexpr int kCoutBlock = 32;  // output channels side by side: two vectors of 16
constexpr int kGroupBytes = kCoutBlock * kGroup;

constexpr int LineBlocks(int channels) { return (channels + kLine - 1) / kLine; }
constexpr int Groups(int channels) { return (channels + kGroup - 1) / kGroup; }
// Groups that are not all padding in the given channel block.
constexpr int GroupsInBlock(int channels, int block) {
  return Groups(channels) - block * (kLine / kGroup) < kLine / kGroup ? Groups(channels) - block * (kLine / kGroup)
                                                                       : kLine / kGroup;
}

// The weights of a cout block as a tile reads them, and the part of the next block's that this tile fetches into the
// second-level cache meanwhile: the weights of deep layers come from the third level or from memory, each used by few tiles.
struct WeightStream {
  WeightStream(const int8_t* block, size_t block_bytes, int tile, int tiles)
      : next(block),
        prefetch(reinterpret_cast<const char*>(block) + block_bytes + block_bytes / tiles * tile),
        prefetch_step(kGroupBytes / tiles) {}
  const int8_t* next;
  const char* prefetch;
  int prefetch_step;
};

// acc[i][v] += dot products of column i with output channels 16 v ... 16 v + 15, over `groups` groups of channels. Advances
// the weights. Per group: `vectors` weight loads, `columns` broadcasts, vectors * columns vpdpbusd. `stride` bytes lie between columns,
// whose signs are flipped on the way if they are codes of a tensor rather than of a plane.
template <int columns, int vectors, bool flip = false>
inline __attribute__((always_inline)) void AccumulateColumns(__m512i (&acc)[columns][vectors], const uint8_t* codes, int groups,
                                                             WeightStream* weights, ptrdiff_t stride = kLine) {
  const int8_t* w = weights->next;
  const int8_t* const end = w + static_cast<ptrdiff_t>(groups) * kGroupBytes;
  const char* prefetch = weights->prefetch;
  for (; w != end; w += kGroupBytes, codes += kGroup) {
    _mm_prefetch(prefetch, _MM_HINT_T1);
    prefetch += weights->prefetch_step;
    __m512i weights_of[vectors];
    for (int v = 0; v < vectors; ++v) weights_of[v] = _mm512_load_si512(w + 64 * v);
#pragma GCC unroll 16
    for (int i = 0; i < columns; ++i) {
      int32_t four;
      memcpy(&four, codes + i * stride, sizeof(four));
      __m512i broadcast = _mm512_set1_epi32(four);
      if (flip) broadcast = _mm512_xor_si512(broadcast, _mm512_set1_epi8(static_cast<char>(0x80)));
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) acc[i][v] = _mm512_dpbusd_epi32(acc[i][v], broadcast, weights_of[v]);
    }
  }
  weights->next = end;
  weights->prefetch = prefetch;
}

// Where one weight byte goes inside a [group][cout][4] block.
inline size_t PackedOffset(int cout, int channel) {
  return static_cast<size_t>(channel / kGroup) * kGroupBytes + static_cast<size_t>(cout) * kGroup + channel % kGroup;
}

// Turns accumulators of 32 output channels into codes and stores them, two pixels at a time.
class StoreCodes {
 public:
  StoreCodes(const Requantization& requantization, int channel, int channels_left)
      : constants0_(requantization, channel),
        constants1_(requantization, channel + 16),
        low_(_mm512_set1_epi8(static_cast<char>(requantization.activation_min()))),
        high_(_mm512_set1_epi8(static_cast<char>(requantization.activation_max()))),
        pre_shift_(_mm512_set1_epi32(requantization.pre_shift(channel))),
        fast_(requantization.pre_shift(channel) != 0),
        mask_(channels_left >= kCoutBlock ? ~__mmask32{0} : (__mmask32{1} << channels_left) - 1),
        requantization_(requantization),
        channel_(channel) {}

  // Accumulators of two pixels, two vectors each; `second` may be null when there is only one pixel to store. Inlined whatever
  // the compiler thinks: an address taken for a call would keep the caller's accumulators in memory throughout.
  __attribute__((always_inline)) void Pair(__m512i first0, __m512i first1, __m512i second0, __m512i second1, int8_t* first,
                                           int8_t* second) const {
    __m512i bytes;
    if (fast_) {
      bytes = PackCodes(Fast(constants0_, first0), Fast(constants1_, first1), Fast(constants0_, second0),
                        Fast(constants1_, second1), low_, high_);
    } else {
      bytes = General(first0, first1, second0, second1);
    }
    Store(first, _mm512_castsi512_si256(bytes));
    if (second != nullptr) Store(second, _mm512_extracti64x4_epi64(bytes, 1));
  }

 private:
  void Store(int8_t* out, __m256i codes) const {
    if (mask_ == ~__mmask32{0}) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), codes);
    } else {
      _mm256_mask_storeu_epi8(out, mask_, codes);
    }
  }

  __m512i Fast(const RequantizeAvx512& constants, __m512i acc) const {
    return constants.FromShifted(_mm512_sllv_epi32(acc, pre_shift_));
  }

  __attribute__((noinline)) __m512i General(__m512i first0, __m512i first1, __m512i second0, __m512i second1) const {
    return PackCodes(RequantizeAvx512::General(requantization_, channel_, first0),
                     RequantizeAvx512::General(requantization_, channel_ + 16, first1),
                     RequantizeAvx512::General(requantization_, channel_, second0),
                     RequantizeAvx512::General(requantization_, channel_ + 16, second1), low_, high_);
  }

  RequantizeAvx512 constants0_;
  RequantizeAvx512 constants1_;
  __m512i low_;
  __m512i high_;
  __m512i pre_shift_;
  bool fast_;
  __mmask32 mask_;
  const Requantization& requantization_;
  int channel_;
};

// The same for 16 output channels, four pixels at a time.
class StoreHalfCodes {
 public:
  StoreHalfCodes(const Requantization& requantization, int channel, int channels_left)
      : constants_(requantization, channel),
        low_(_mm512_set1_epi8(static_cast<char>(requantization.activation_min()))),
        high_(_mm512_set1_epi8(static_cast<char>(requantization.activation_max()))),
        pre_shift_(_mm512_set1_epi32(requantization.pre_shift(channel))),
        fast_(requantization.pre_shift(channel) != 0),
        mask_(channels_left >= 16 ? static_cast<__mmask16>(~0) : static_cast<__mmask16>((1 << channels_left) - 1)),
        requantization_(requantization),
        channel_(channel) {}

  // `pixels` of them, at most four, `stride` bytes apart.
  template <int pixels>
  __attribute__((always_inline)) void Quad(__m512i z0, __m512i z1, __m512i z2, __m512i z3, int8_t* out, size_t stride) const {
    const __m512i bytes = fast_ ? PackCodes(Fast(z0), Fast(z1), Fast(z2), Fast(z3), low_, high_) : General(z0, z1, z2, z3);
    _mm_mask_storeu_epi8(out, mask_, _mm512_castsi512_si128(bytes));
    if (pixels > 1) _mm_mask_storeu_epi8(out + stride, mask_, _mm512_extracti32x4_epi32(bytes, 1));
    if (pixels > 2) _mm_mask_storeu_epi8(out + 2 * stride, mask_, _mm512_extracti32x4_epi32(bytes, 2));
    if (pixels > 3) _mm_mask_storeu_epi8(out + 3 * stride, mask_, _mm512_extracti32x4_epi32(bytes, 3));
  }

 private:
  __m512i Fast(__m512i acc) const { return constants_.FromShifted(_mm512_sllv_epi32(acc, pre_shift_)); }

  __attribute__((noinline)) __m512i General(__m512i z0, __m512i z1, __m512i z2, __m512i z3) const {
    return PackCodes(RequantizeAvx512::General(requantization_, channel_, z0), RequantizeAvx512::General(requantization_, channel_, z1),
                     RequantizeAvx512::General(requantization_, channel_, z2), RequantizeAvx512::General(requantization_, channel_, z3),
                     low_, high_);
  }

  RequantizeAvx512 constants_;
  __m512i low_;
  __m512i high_;
  __m512i pre_shift_;
  bool fast_;
  __mmask16 mask_;
  const Requantization& requantization_;
  int channel_;
};

// Bytes of one input position's channels in the given block; channels past the last read as zero.
inline __m512i LoadLine(const int8_t* codes, int channels_left) {
  if (channels_left >= kLine) return _mm512_loadu_si512(codes);
  return _mm512_maskz_loadu_epi8((__mmask64{1} << channels_left) - 1, codes);
}

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_DOT8_AVX512_H_
