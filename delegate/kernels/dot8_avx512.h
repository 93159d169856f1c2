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
// the weights. Per group: 2 weight loads, `columns` broadcasts, 2 * columns vpdpbusd.
template <int columns>
inline __attribute__((always_inline)) void AccumulateColumns(__m512i (&acc)[columns][2], const uint8_t* codes, int groups,
                                                             WeightStream* weights) {
  const int8_t* w = weights->next;
  const int8_t* const end = w + static_cast<ptrdiff_t>(groups) * kGroupBytes;
  const char* prefetch = weights->prefetch;
  for (; w != end; w += kGroupBytes, codes += kGroup) {
    _mm_prefetch(prefetch, _MM_HINT_T1);
    prefetch += weights->prefetch_step;
    const __m512i weights0 = _mm512_load_si512(w);
    const __m512i weights1 = _mm512_load_si512(w + 64);
#pragma GCC unroll 16
    for (int i = 0; i < columns; ++i) {
      int32_t four;
      memcpy(&four, codes + i * kLine, sizeof(four));
      const __m512i broadcast = _mm512_set1_epi32(four);
      acc[i][0] = _mm512_dpbusd_epi32(acc[i][0], broadcast, weights0);
      acc[i][1] = _mm512_dpbusd_epi32(acc[i][1], broadcast, weights1);
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

// Bytes of one input position's channels in the given block; channels past the last read as zero.
inline __m512i LoadLine(const int8_t* codes, int channels_left) {
  if (channels_left >= kLine) return _mm512_loadu_si512(codes);
  return _mm512_maskz_loadu_epi8((__mmask64{1} << channels_left) - 1, codes);
}

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_DOT8_AVX512_H_
