// Requantization in single precision, exact where it has been proved so.
//
// As a function of the accumulator, the oracle's code is a staircase that never falls: it is known from its steps, the least
// accumulator t_k that gives at least k, for each k. So is the nearest integer to a line,
//
//   v = fma(acc, scale, offset + sign(acc) * half)      z + zero point = nearest integer to v
//
// and the two are equal if their steps are, as far as accumulators reach. (The oracle rounds twice, so that negative results lie half a unit of its first rounding
// further down; requantize.h. Where no code below the zero point is wanted, `half` is 0.) With E(t) the value of the line before the
// fma rounds it, the steps are equal if for each k that an accumulator can reach
//
//   E(t_k) > k - 1/2 + u/2   and   E(t_k - 1) < k - 1/2 - u/2
//
// and for the next steps beyond that the second holds for the largest accumulator, or the first for the least,
// with u the distance of floats at k - 1/2, itself a float, so that rounding cannot carry v over it. A step lies somewhere between two
// integers; 255 of them leave some room for the line unless the scale is far below 2^-8: of the depthwise layers of MobileNetV1-0.75,
// DeepLabV3 and a palm detector, quantized per channel, nine in ten vectors of 16 channels and more pass. The others take the integers.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_FLOAT_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_FLOAT_H_

#include <stdint.h>

#include "delegate/kernels/always_inline.h"
#include "delegate/kernels/buffer.h"
#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

// The line of one channel.
struct RequantizeLine {
  float scale;
  float offset;
  float half;
};

// Finds a line that is exact for all |acc| <= magnitude; false where it finds none.
bool FindRequantizeLine(const ConvQuantization& quantization, int channel, int64_t magnitude, RequantizeLine* line);

// The lines of one convolution, padded as those of Requantization are.
class FloatRequantization {
 public:
  // Channels that are decided together.
  static constexpr int kBlock = 16;

  // Until then no block is exact. False when memory runs out.
  bool Prepare(const ConvQuantization& quantization, int channels, const int64_t* magnitude);

  // Whether all channels of the block that begins at `channel` have a line.
  TFLITE_EQ_ALWAYS_INLINE bool exact(int channel) const {
    return exact_.size() > 0 && exact_.as<uint8_t>()[channel / kBlock] != 0;
  }
  TFLITE_EQ_ALWAYS_INLINE const float* scale() const { return scale_.as<float>(); }
  TFLITE_EQ_ALWAYS_INLINE const float* offset() const { return offset_.as<float>(); }
  TFLITE_EQ_ALWAYS_INLINE const float* half() const { return half_.as<float>(); }
  size_t memory_bytes() const { return scale_.size() + offset_.size() + half_.size() + exact_.size(); }

 private:
  Buffer scale_;
  Buffer offset_;
  Buffer half_;
  Buffer exact_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_FLOAT_H_
