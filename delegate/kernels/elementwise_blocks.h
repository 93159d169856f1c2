// Loops over codes that every instruction set shares. `V` holds the primitives of one: `Codes` is a vector of `kBytes` codes.
//
//   Load, Store                 of whole vectors, at any address
//   LoadPartial, StorePartial   of the first `count` < kBytes codes; what is not loaded may be anything
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_BLOCKS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_BLOCKS_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "delegate/kernels/elementwise.h"

namespace tflite_eq {
namespace {

inline int Least(int a, int b) { return a < b ? a : b; }

// Calls visit(codes' offset in a pixel, how many of them) for vectors that cover all channels: whole ones, of which the last two may
// overlap, or where a vector holds more than all channels a part of one.
template <class V, class Visit>
inline void ForEachChannelBlock(int channels, const Visit& visit) {
  if (channels < V::kBytes) {
    visit(0, channels);
    return;
  }
  for (int channel = 0;;) {
    visit(channel, V::kBytes);
    if (channel + V::kBytes >= channels) return;
    channel = Least(channel + V::kBytes, channels - V::kBytes);
  }
}

// `count` codes, where a whole vector may be read as long as it ends before `end`, and written likewise: what lies behind them is not
// used, or written later.
template <class V>
inline typename V::Vec LoadCodes(const int8_t* from, int count, const int8_t* end) {
  return count == V::kBytes || end - from >= V::kBytes ? V::Load(from) : V::LoadPartial(from, static_cast<size_t>(count));
}

template <class V>
inline void StoreCodes(int8_t* to, typename V::Vec codes, int count, const int8_t* end) {
  if (count == V::kBytes || end - to >= V::kBytes) {
    V::Store(to, codes);
  } else {
    V::StorePartial(to, codes, static_cast<size_t>(count));
  }
}

// output = block(input), a vector of codes at a time.
template <class V, class Block>
inline void ForEachBlock(const int8_t* input, int8_t* output, size_t count, const Block& block) {
  // There is one block, for whole vectors and the rest.
  for (size_t i = 0; i < count; i += V::kBytes) {
    const size_t left = count - i;
    const bool whole = left >= V::kBytes;
    const auto codes = block(whole ? V::Load(input + i) : V::LoadPartial(input + i, left));
    if (whole) {
      V::Store(output + i, codes);
    } else {
      V::StorePartial(output + i, codes, left);
    }
  }
}

template <class V, class Block>
inline void ForEachPair(const int8_t* first, const int8_t* second, int8_t* output, size_t count, const Block& block) {
  // Blocks are long: there is one, for whole vectors and the rest.
  for (size_t i = 0; i < count; i += V::kBytes) {
    const size_t left = count - i;
    const bool whole = left >= V::kBytes;
    const auto codes = block(whole ? V::Load(first + i) : V::LoadPartial(first + i, left),
                             whole ? V::Load(second + i) : V::LoadPartial(second + i, left));
    if (whole) {
      V::Store(output + i, codes);
    } else {
      V::StorePartial(output + i, codes, left);
    }
  }
}

// The slopes of a PRELU in the order in which codes are once they are words: of a group of kBytes, first what unpacking the lower
// halves of all 128-bit lanes leaves, then that of the upper halves.
template <class V>
class ArrangedSlopes {
 public:
  // `count` slopes at most.
  static constexpr int kMost = 4096;

  // Slope i of every group is slopes[i % channels].
  void Fill(const int16_t* slopes, int channels, int count) {
    for (int i = 0, channel = 0; i < count; ++i) {
      const int place = i % V::kBytes;
      values_[i - place + place / 16 * 8 + place % 8 + (place % 16 < 8 ? 0 : V::kBytes / 2)] = slopes[channel];
      if (++channel == channels) channel = 0;
    }
  }

  const int16_t* values() const { return values_; }

 private:
  int16_t values_[kMost];
};

// block(codes, slopes of these codes) for all pixels. Groups of codes run on over pixels where slopes repeat soon enough.
template <class V, class Block>
inline void ForEachSlopedBlock(const int16_t* slopes, const int8_t* input, int8_t* output, size_t pixels, int channels,
                               const Block& block) {
  ArrangedSlopes<V> arranged;
  int groups = channels;  // until channel 0 is the first of a group again
  for (int bytes = V::kBytes; bytes > 1 && groups % 2 == 0; bytes /= 2) groups /= 2;
  if (groups <= ArrangedSlopes<V>::kMost / V::kBytes) {
    const size_t count = pixels * static_cast<size_t>(channels);
    const int16_t* const values = arranged.values();
    // No more than are read.
    const size_t needed = (count + V::kBytes - 1) / V::kBytes * V::kBytes;
    const size_t period = static_cast<size_t>(groups) * V::kBytes;
    arranged.Fill(slopes, channels, static_cast<int>(needed < period ? needed : period));
    size_t i = 0;
    size_t at = 0;
    for (; i + V::kBytes <= count; i += V::kBytes) {
      V::Store(output + i, block(V::Load(input + i), values + at));
      at += V::kBytes;
      if (at == period) at = 0;
    }
    if (i < count) V::StorePartial(output + i, block(V::LoadPartial(input + i, count - i), values + at), count - i);
    return;
  }
  for (int first = 0; first < channels; first += ArrangedSlopes<V>::kMost) {
    const int left = channels - first;
    const int part = left < ArrangedSlopes<V>::kMost ? left : ArrangedSlopes<V>::kMost;
    arranged.Fill(slopes + first, part, (part + V::kBytes - 1) / V::kBytes * V::kBytes);
    for (size_t pixel = 0; pixel < pixels; ++pixel) {
      const size_t start = pixel * static_cast<size_t>(channels) + static_cast<size_t>(first);
      int i = 0;
      for (; i + V::kBytes <= part; i += V::kBytes) {
        V::Store(output + start + i, block(V::Load(input + start + i), arranged.values() + i));
      }
      if (i < part) {
        const auto rest = static_cast<size_t>(part - i);
        V::StorePartial(output + start + i, block(V::LoadPartial(input + start + i, rest), arranged.values() + i), rest);
      }
    }
  }
}

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_BLOCKS_H_
