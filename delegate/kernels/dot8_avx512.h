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

#include "delegate/kernels/conv_kernel.h"
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
// the weights. Per group: `vectors` weight loads, `columns` broadcasts, vectors * columns vpdpbusd. Columns lie `stride` bytes apart.
template <int columns, int vectors>
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
      const __m512i broadcast = _mm512_set1_epi32(four);
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) acc[i][v] = _mm512_dpbusd_epi32(acc[i][v], broadcast, weights_of[v]);
    }
  }
  weights->next = end;
  weights->prefetch = prefetch;
}

// Which of a few sizes of tiles, in ascending order from 1, comes next where `left` of `total` pixels or pairs are left: the least that
// takes all of them, if it may begin among those that are done, which it computes once more; else the largest that is not too large.
// Tiles of every size would save less than they take room.
template <int count>
int NextTile(const int (&sizes)[count], int left, int total) {
  int size = count - 1;
  while (size > 0 && (sizes[size - 1] >= left || sizes[size] > total)) --size;
  return size;
}

// Where one weight byte goes inside a [group][cout][4] block.
inline size_t PackedOffset(int cout, int channel) {
  return static_cast<size_t>(channel / kGroup) * kGroupBytes + static_cast<size_t>(cout) * kGroup + channel % kGroup;
}

// Pixels that follow each other.
struct NextPixel {
  static constexpr bool kAll = true;
  int8_t* operator()() {
    int8_t* to = out;
    out += stride;
    return to;
  }
  int8_t* out;
  size_t stride;
};

// Turns the sums of a tile into codes, 16 output channels after 16, in whichever way is exact for them and takes least, and stores them.
template <int vectors>
class StoreTile {
 public:
  static constexpr int kChannels = 16 * vectors;

  // The second half of a block of 16 channels or fewer is never stored: it counts as the first.
  StoreTile(const KernelContext& context, int channel, int channels_left)
      : context_(context),
        low_(_mm512_set1_epi8(static_cast<char>(context.requantization->activation_min()))),
        high_(_mm512_set1_epi8(static_cast<char>(context.requantization->activation_max()))),
        non_negative_(context.requantization->activation_min() >= context.requantization->zero_point()),
        mask_(channels_left >= kChannels ? ~uint32_t{0} : (uint32_t{1} << channels_left) - 1) {
    for (int v = 0; v < vectors; ++v) channel_[v] = channels_left > 16 * v ? channel + 16 * v : channel;
    const FloatRequantization* lines = context.lines;
    by_lines_ = lines != nullptr && lines->exact(channel_[0]) && lines->exact(channel_[vectors - 1]);
    if (!by_lines_) return;
    const int first = lines->exceptions(channel_[0]), last = lines->exceptions(channel_[vectors - 1]);
    exceptions_ = first > last ? first : last;
  }

  // The sums of a pixel's vectors follow each other, and those of pixels. next() says where the codes of each pixel go, in order; null
  // for one that is not stored, if not Next::kAll are. Sums come by memory, are written over, and are read to a whole number of four
  // vectors: what they are worth once they are added up is the same for every size of tile, so that it is in the library once.
  template <typename Next>
  __attribute__((noinline)) void operator()(__m512i* sums, int pixels, Next next) const {
    if (!by_lines_) {
      for (int v = 0; v < vectors; ++v) RequantizeByIntegers(channel_[v], sums + v, pixels);
      StoreAll<0>(sums, pixels, next, [](__m512i code, int) { return code; });
      return;
    }
    for (int e = 0; e < exceptions_; ++e) {
      for (int i = 0; i < pixels * vectors; ++i) {
        sums[i] = LinesAvx512::Substituted(*context_.lines, e, channel_[i % vectors], sums[i]);
      }
    }
    ByLines<0>(sums, pixels, next);
  }

  // The same from registers, for the size of tile that nearly all pixels are in: the way through memory takes as long as turning sums
  // into codes.
  template <int pixels, typename Next>
  __attribute__((always_inline)) void FromRegisters(__m512i (&acc)[pixels][vectors], Next next) const {
    constexpr int kSums = (pixels * vectors + 3) / 4 * 4;
    __m512i sums[kSums];
#pragma GCC unroll 32
    for (int i = 0; i < pixels * vectors; ++i) sums[i] = acc[i / vectors][i % vectors];
    if (!by_lines_) {
      __m512i copy[kSums];  // acc itself stays in registers
#pragma GCC unroll 32
      for (int i = 0; i < pixels * vectors; ++i) copy[i] = sums[i];
      return (*this)(copy, pixels, next);
    }
    for (int e = 0; e < exceptions_; ++e) {
#pragma GCC unroll 32
      for (int i = 0; i < pixels * vectors; ++i) {
        sums[i] = LinesAvx512::Substituted(*context_.lines, e, channel_[i % vectors], sums[i]);
      }
    }
    ByLines<pixels>(sums, pixels, next);
  }

  bool by_lines() const { return by_lines_; }
  // The most that a channel has, where there are lines.
  int exceptions() const { return exceptions_; }
  // Whether no code below the zero point is wanted.
  bool non_negative() const { return non_negative_; }

 private:
  template <int known, typename Next>
  __attribute__((always_inline)) void ByLines(const __m512i* sums, int pixels, Next& next) const {
    const LinesAvx512 first(*context_.lines, channel_[0]), second(*context_.lines, channel_[vectors - 1]);
    if (non_negative_) {
      StoreAll<known>(sums, pixels, next, [&](__m512i sum, int i) { return (i % vectors == 0 ? first : second).NonNegative(sum); });
    } else {
      StoreAll<known>(sums, pixels, next, [&](__m512i sum, int i) { return (i % vectors == 0 ? first : second).Signed(sum); });
    }
  }

  // `known` is the number of pixels where it is known and loops are to be unrolled, else 0.
  template <int known, typename Next, typename ToCode>
  __attribute__((always_inline)) void StoreAll(const __m512i* sums, int pixels, Next& next, ToCode to_code) const {
    // In registers, whatever is stored meanwhile.
    const __m512i low = low_, high = high_;
    const uint32_t mask = mask_;
    const auto store_four = [&](int i, int count) __attribute__((always_inline)) {
      const __m512i bytes =
          PackCodes(to_code(sums[i], 0), to_code(sums[i + 1], 1), to_code(sums[i + 2], 2), to_code(sums[i + 3], 3), low, high);
#pragma GCC unroll 4
      for (int part = 0; part < 4 / vectors; ++part) {
        if (i + part * vectors >= count) break;
        int8_t* out = next();
        if (Next::kAll || out != nullptr) Store(bytes, part, mask, out);
      }
    };
    if constexpr (known > 0) {
#pragma GCC unroll 16
      for (int i = 0; i < known * vectors; i += 4) store_four(i, known * vectors);
    } else {
#pragma clang loop unroll(disable)
      for (int i = 0; i < pixels * vectors; i += 4) store_four(i, pixels * vectors);
    }
  }

  void RequantizeByIntegers(int channel, __m512i* sums, int pixels) const {
    const Requantization& r = *context_.requantization;
    const int pre_shift = r.pre_shift(channel);
    if (pre_shift == 0) {
      for (int i = 0; i < pixels; ++i) sums[i * vectors] = RequantizeAvx512::General(r, channel, sums[i * vectors]);
      return;
    }
    const RequantizeAvx512 integers(r, channel);
    const __m512i shift = _mm512_set1_epi32(pre_shift);
    for (int i = 0; i < pixels; ++i) sums[i * vectors] = integers.FromShifted(_mm512_sllv_epi32(sums[i * vectors], shift));
  }

  static void Store(__m512i bytes, int part, uint32_t mask, int8_t* out) {
    if (vectors == 2) {
      const __m256i codes = part == 0 ? _mm512_castsi512_si256(bytes) : _mm512_extracti64x4_epi64(bytes, 1);
      _mm256_mask_storeu_epi8(out, mask, codes);
      return;
    }
    const __m128i codes = part == 0   ? _mm512_castsi512_si128(bytes)
                          : part == 1 ? _mm512_extracti32x4_epi32(bytes, 1)
                          : part == 2 ? _mm512_extracti32x4_epi32(bytes, 2)
                                      : _mm512_extracti32x4_epi32(bytes, 3);
    _mm_mask_storeu_epi8(out, static_cast<__mmask16>(mask), codes);
  }

  const KernelContext& context_;
  __m512i low_;
  __m512i high_;
  bool non_negative_;
  bool by_lines_;
  int exceptions_ = 0;
  uint32_t mask_;
  int channel_[vectors];
};

// Bytes of one input position's channels in the given block; channels past the last read as zero.
inline __m512i LoadLine(const int8_t* codes, int channels_left) {
  if (channels_left >= kLine) return _mm512_loadu_si512(codes);
  return _mm512_maskz_loadu_epi8((__mmask64{1} << channels_left) - 1, codes);
}

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_DOT8_AVX512_H_
