// What the 8-bit NEON kernels share: how they read codes, which window codes lie in, and how sums become codes.
//
// Two windows of 128 codes make 7-bit codes of int8 ones: [-64, 63], and [0, 127], which activations behind a ReLU have. The second
// becomes the first by subtracting 64 from every code, padding included: sum q w = sum (q - 64) w + 64 sum w, so kernels for 7-bit
// codes see one window and have two biases.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_INT8_NEON_H_
#define TFLITE_EQ_DELEGATE_KERNELS_INT8_NEON_H_

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/requantize_neon.h"

namespace tflite_eq {
namespace {

constexpr int kVector = 16;              // int8 values in a register
constexpr int kNonNegativeOffset = 64;   // what [0, 127] is moved by
constexpr size_t kCacheLine = 64;

constexpr int VectorBlocks(int channels) { return (channels + kVector - 1) / kVector; }

// 16 codes of one position; channels past the last read as zero.
inline int8x16_t LoadVector(const int8_t* codes, int channels_left) {
  if (channels_left >= kVector) return vld1q_s8(codes);
  int8_t copy[kVector] = {};
  memcpy(copy, codes, channels_left);
  return vld1q_s8(copy);
}

// Whether the input rows [begin, end) of an image and the padding around them belong in the window [0, 127].
inline bool IsNonNegative(const KernelContext& context, const int8_t* image, int begin, int end) {
  if (context.input_zero_point < 0) return false;
  const ConvShape& s = context.shape;
  if (begin < 0) begin = 0;
  if (end > s.input_height) end = s.input_height;
  const size_t row_bytes = static_cast<size_t>(s.input_width) * s.input_channels;
  const int8_t* codes = image + begin * row_bytes;
  const int8_t* last = image + end * row_bytes;
  constexpr ptrdiff_t kGlance = 4096;  // signed activations are found out soon
  while (codes < last) {
    const int8_t* stop = last - codes > kGlance ? codes + kGlance : last;
    int8x16_t all = vdupq_n_s8(0);
    for (; stop - codes >= kVector; codes += kVector) all = vorrq_s8(all, vld1q_s8(codes));
    if (codes < stop) all = vorrq_s8(all, LoadVector(codes, static_cast<int>(stop - codes)));
    codes = stop;
    if (vminvq_s8(all) < 0) return false;
  }
  return true;
}

// Codes as a 7-bit kernel reads them.
struct CodeWindow {
  explicit CodeWindow(bool non_negative) : offset(vdupq_n_s8(non_negative ? kNonNegativeOffset : 0)) {}
  int8x16_t Move(int8x16_t codes) const { return vsubq_s8(codes, offset); }
  // Bit 7 is set where a code that was moved lies outside [-64, 63].
  static int8x16_t Outside(int8x16_t moved) { return vaddq_s8(moved, vdupq_n_s8(64)); }
  static bool Clean(int8x16_t outside) { return vminvq_s8(outside) >= 0; }
  int8x16_t offset;
};

// bias + 64 sum(w): the bias that goes with the window [0, 127].
inline int32_t NonNegativeBias(const ConvProblem& problem, int channel) {
  const int size = problem.shape.filter_size();
  const ChannelFilter filter = FilterOf(problem, channel);
  uint32_t sum = 0;
  for (int i = 0; i < size; ++i) sum += static_cast<uint32_t>(int32_t{filter[i]});
  return static_cast<int32_t>(static_cast<uint32_t>(FoldedBias(problem, channel)) + kNonNegativeOffset * sum);
}

// Turns sums of 4 * vectors output channels into codes and stores them, 4 / vectors pixels at a time.
template <int vectors>
class StoreCodesNeon {
 public:
  static constexpr int kPixels = 4 / vectors;
  static constexpr int kChannels = 4 * vectors;

  StoreCodesNeon(const Requantization& r, int channel, int channels_left)
      : pack_(r),
        channels_(channels_left < kChannels ? channels_left : kChannels),
        fast_(RequantizeNeon::IsFast(r, channel, kChannels)),
        requantization_(r),
        channel_(channel) {}

  // sums[vectors * pixel + vector]; pixels whose address is null are not stored. Inlined whatever the compiler thinks: an address
  // taken for a call would keep the caller's accumulators in memory throughout.
  __attribute__((always_inline)) void Store(const int32x4_t (&sums)[4], int8_t* const (&out)[kPixels]) const {
    const int8x16_t codes = fast_ ? Fast(sums) : General(sums[0], sums[1], sums[2], sums[3]);
    if (channels_ < kChannels) {
      StorePart(codes, out);
      return;
    }
    if (vectors == 4) {
      vst1q_s8(out[0], codes);
      return;
    }
    const uint64x2_t bits = vreinterpretq_u64_s8(codes);
    if (vectors == 2) {
      StorePixel<uint64_t>(vgetq_lane_u64(bits, 0), out[0]);
      StorePixel<uint64_t>(vgetq_lane_u64(bits, 1), out[1]);
      return;
    }
    const uint32x4_t words = vreinterpretq_u32_s8(codes);
    StorePixel<uint32_t>(vgetq_lane_u32(words, 0), out[0]);
    StorePixel<uint32_t>(vgetq_lane_u32(words, 1), out[1 % kPixels]);
    StorePixel<uint32_t>(vgetq_lane_u32(words, 2), out[2 % kPixels]);
    StorePixel<uint32_t>(vgetq_lane_u32(words, 3), out[3 % kPixels]);
  }

  // Sums of pixels that follow each other, by memory, to which a bias is to be added: [pixel][vector], readable to a multiple of four
  // vectors. Their codes are stored `step` bytes apart.
  void StoreRun(const int32x4_t* sums, int pixels, const int32_t* bias, int8_t* out, ptrdiff_t step) const {
    if (fast_) {
      Run<true>(sums, pixels, bias, out, step);
    } else {
      Run<false>(sums, pixels, bias, out, step);
    }
  }

  // The same for pixels of four vectors that follow each other in the output, each constant being read once. Steps of all pixels lie side
  // by side where every channel is there: cores that issue in order would wait for each step of one.
  template <int pixels>
  __attribute__((always_inline)) void StorePixels(int32x4_t (&sums)[pixels][4], int8_t* out, ptrdiff_t step) const {
    static_assert(vectors == 4, "a pixel is a vector of codes");
    // Unrolled, for sums that are indexed by a variable would be kept in memory throughout.
    if (!fast_) {
#pragma GCC unroll 4
      for (int p = 0; p < pixels; ++p, out += step) StoreOne(General(sums[p][0], sums[p][1], sums[p][2], sums[p][3]), out);
      return;
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const RequantizeNeon constants(requantization_, channel_ + 4 * v);
      for (int p = 0; p < pixels; ++p) sums[p][v] = constants.Fast(sums[p][v]);
    }
    int8x16_t codes[pixels];
    pack_.Pack(sums, codes);
    if (channels_ == kChannels) {
#pragma GCC unroll 4
      for (int p = 0; p < pixels; ++p, out += step) vst1q_s8(out, codes[p]);
    } else {
#pragma GCC unroll 4
      for (int p = 0; p < pixels; ++p, out += step) StorePart(codes[p], {out});
    }
  }

 private:
  // Constants of the channels.
  struct RunConstants {
    RunConstants(const StoreCodesNeon& store, const int32_t* biases) : pack(store.pack_) {
      for (int v = 0; v < vectors; ++v) {
        const RequantizeNeon constants(store.requantization_, store.channel_ + 4 * v);
        multiplier[v] = constants.multiplier;
        shift[v] = constants.shift;
        bias[v] = vld1q_s32(biases + 4 * v);
      }
    }
    PackCodesNeon pack;
    int32x4_t multiplier[vectors];
    int32x4_t shift[vectors];
    int32x4_t bias[vectors];
  };

  // Codes of fours of vectors, side by side: cores that issue in order would wait for each step of one.
  template <bool fast, int fours>
  static __attribute__((always_inline)) void Convert(const RunConstants& c, const int32x4_t* sums, int8x16_t (&codes)[fours]) {
    int32x4_t z[fours][4];
#pragma GCC unroll 16
    for (int i = 0; i < 4 * fours; ++i) {
      const RequantizeNeon constants(c.multiplier[i % vectors], c.shift[i % vectors]);
      const int32x4_t sum = vaddq_s32(sums[i], c.bias[i % vectors]);
      z[i / 4][i % 4] = fast ? constants.Fast(sum) : constants.General(sum);
    }
    c.pack.Pack(z, codes);
  }

  template <bool fast>
  __attribute__((always_inline)) void Run(const int32x4_t* sums, int pixels, const int32_t* bias, int8_t* out, ptrdiff_t step) const {
    int done = 0;
    if (channels_ == kChannels) {
      constexpr int kFours = 4;
      if (fast) done = RunWhole<true, kFours>(sums, pixels, bias, out, step);
      done += RunWhole<fast, 1>(sums + done * vectors, pixels - done, bias, out + done * step, step);
    }
    if (done < pixels) RunPart(sums + done * vectors, pixels - done, bias, out + done * step, step);
  }

  // All channels of the pixels that fill `fours` fours of vectors, as often as they do; returns their number. Nothing is called here, so
  // that constants stay in registers.
  template <bool fast, int fours>
  __attribute__((noinline)) int RunWhole(const int32x4_t* sums, int pixels, const int32_t* bias, int8_t* out, ptrdiff_t step) const {
    const RunConstants constants(*this, bias);
    constexpr int kAtOnce = fours * kPixels;
    int done = 0;
    for (; done + kAtOnce <= pixels; done += kAtOnce, sums += 4 * fours) {
      int8x16_t codes[fours];
      Convert<fast, fours>(constants, sums, codes);
      for (int i = 0; i < fours; ++i, out += kPixels * step) StoreWhole(codes[i], out, step);
    }
    return done;
  }

  // The others.
  __attribute__((noinline)) void RunPart(const int32x4_t* sums, int pixels, const int32_t* bias, int8_t* out, ptrdiff_t step) const {
    const RunConstants constants(*this, bias);
    for (; pixels > 0; pixels -= kPixels, sums += 4) {
      int8x16_t codes[1];
      Convert</*fast=*/false, 1>(constants, sums, codes);
      int8_t bytes[kVector];
      vst1q_s8(bytes, codes[0]);
      for (int p = 0; p < kPixels && p < pixels; ++p, out += step) memcpy(out, bytes + p * kChannels, channels_);
    }
  }

  static __attribute__((always_inline)) void StoreWhole(int8x16_t codes, int8_t* out, ptrdiff_t step) {
    if (vectors == 4) return vst1q_s8(out, codes);
    if (vectors == 2) {
      const uint64x2_t halves = vreinterpretq_u64_s8(codes);
      StoreBits<uint64_t>(vgetq_lane_u64(halves, 0), out);
      StoreBits<uint64_t>(vgetq_lane_u64(halves, 1), out + step);
      return;
    }
    const uint32x4_t words = vreinterpretq_u32_s8(codes);
    StoreBits<uint32_t>(vgetq_lane_u32(words, 0), out);
    StoreBits<uint32_t>(vgetq_lane_u32(words, 1), out + step);
    StoreBits<uint32_t>(vgetq_lane_u32(words, 2), out + 2 * step);
    StoreBits<uint32_t>(vgetq_lane_u32(words, 3), out + 3 * step);
  }

  __attribute__((always_inline)) void StoreOne(int8x16_t codes, int8_t* out) const {
    if (channels_ == kChannels) {
      vst1q_s8(out, codes);
    } else {
      StorePart(codes, {out});
    }
  }

  __attribute__((always_inline)) int8x16_t Fast(const int32x4_t (&sums)[4]) const {
    int32x4_t z[4];
    for (int i = 0; i < 4; ++i) z[i] = RequantizeNeon(requantization_, channel_ + i % vectors * 4).Fast(sums[i]);
    return pack_.Pack(z[0], z[1], z[2], z[3]);
  }

  __attribute__((noinline)) int8x16_t General(int32x4_t sum0, int32x4_t sum1, int32x4_t sum2, int32x4_t sum3) const {
    int32x4_t z[4] = {sum0, sum1, sum2, sum3};
    for (int i = 0; i < 4; ++i) z[i] = RequantizeNeon(requantization_, channel_ + i % vectors * 4).General(z[i]);
    return pack_.Pack(z[0], z[1], z[2], z[3]);
  }

  template <typename Codes>
  static void StoreBits(Codes codes, int8_t* out) {
    memcpy(out, &codes, sizeof(codes));
  }
  template <typename Codes>
  static void StorePixel(Codes codes, int8_t* out) {
    if (out != nullptr) StoreBits(codes, out);
  }

  __attribute__((noinline)) void StorePart(int8x16_t codes, int8_t* const (&out)[kPixels]) const {
    int8_t bytes[kVector];
    vst1q_s8(bytes, codes);
    for (int p = 0; p < kPixels; ++p) {
      if (out[p] != nullptr) memcpy(out[p], bytes + p * kChannels, channels_);
    }
  }

  PackCodesNeon pack_;
  int channels_;
  bool fast_;
  const Requantization& requantization_;
  int channel_;
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_INT8_NEON_H_
