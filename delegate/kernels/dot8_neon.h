// The layout of operands and the innermost loop of the kernels on 8-bit dot products, for sdot and smmla alike.
//
// Codes lie in planes: 8 channels of one column, then those of the next column, across rows too; a plane holds one block of 8
// channels. Two columns fill a register. Weights are packed in the order of use, 8 output channels x 8 input channels = 64 bytes per
// block. Register tile, up to 3 couples of columns x 8 output channels, twice (the 1-D kernel keeps two sums):
//
//                 v24-27: weights of 8 output channels x 8 input channels
//   v28 couple 0  4 accumulators  4 accumulators
//   v29 couple 1  4               4                 v28-30: 8 input channels of two columns each
//   v30 couple 2  4               4                 24 accumulators, 12 of which are in use at a time
//
// 12 smmla or 24 sdot for 7 loads. What the four accumulators of a couple hold is up to the instruction:
//
//   struct Ops {
//     static constexpr Isa kIsa;
//     // Byte of the weight for output channel `cout` and input channel `channel`, both in [0, 8), in a block of 64.
//     static size_t PackedOffset(int cout, int channel);
//     static void Multiply(const int8x16_t (&weights)[4], int8x16_t codes, int32x4_t (&acc)[4]);
//     // Sums in order: output channels 0-3 and 4-7 of the first column, then of the second.
//     static void Sort(const int32x4_t (&acc)[4], int32x4_t (&sums)[4]);
//     // A value per output channel where Multiply puts its sums.
//     static void Spread(const int32_t* values, int32x4_t (&spread)[4]);
//   };
#ifndef TFLITE_EQ_DELEGATE_KERNELS_DOT8_NEON_H_
#define TFLITE_EQ_DELEGATE_KERNELS_DOT8_NEON_H_

#include "delegate/kernels/int8_neon.h"

namespace tflite_eq {
namespace {

constexpr int kDotChannels = 8;  // input channels in a block
constexpr int kDotCout = 8;      // output channels in a block
constexpr int kDotBlockBytes = kDotChannels * kDotCout;
constexpr int kCouple = 2;  // columns in a register

// Whole vectors of 16 channels: the last may be padded with zeros. Always an even number.
constexpr int DotBlocks(int channels) { return VectorBlocks(channels) * (kVector / kDotChannels); }

// Bytes of a plane of `columns` columns in all: an odd number of cache lines, so that planes do not fall into the same sets, with
// room to read a couple whose second column is past the end.
constexpr size_t DotPlaneBytes(size_t columns) {
  return (((columns + 1) * kDotChannels + kCacheLine - 1) / kCacheLine | 1) * kCacheLine;
}

// 16 channels of one column, into two planes.
inline void StoreDotBlocks(int8_t* line, size_t plane_bytes, int8x16_t codes) {
  vst1_s8(line, vget_low_s8(codes));
  vst1_s8(line + plane_bytes, vget_high_s8(codes));
}

// acc[couple] += products of `blocks` blocks of channels, an even number, with consecutive couples of columns. Returns where the
// weights went on.
template <typename Ops, int couples>
inline __attribute__((always_inline)) const int8_t* AccumulateDots(int32x4_t (&acc)[couples][4], const int8_t* codes,
                                                                   size_t plane_bytes, int blocks, const int8_t* weights) {
  const int8_t* const end = weights + static_cast<ptrdiff_t>(blocks) * kDotBlockBytes;
  do {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      int8x16_t w[4];
      for (int i = 0; i < 4; ++i) w[i] = vld1q_s8(weights + i * kVector);
#pragma GCC unroll 8
      for (int couple = 0; couple < couples; ++couple) {
        Ops::Multiply(w, vld1q_s8(codes + couple * kVector), acc[couple]);
      }
      codes += plane_bytes;
      weights += kDotBlockBytes;
    }
  } while (weights != end);
  return end;
}

template <int couples>
inline __attribute__((always_inline)) void ClearDots(int32x4_t (&acc)[couples][4]) {
  for (int couple = 0; couple < couples; ++couple) {
    for (int i = 0; i < 4; ++i) acc[couple][i] = vdupq_n_s32(0);
  }
}

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_DOT8_NEON_H_
