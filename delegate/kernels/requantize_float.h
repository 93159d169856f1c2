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
// integers; 255 of them leave some room for the line unless the scale is far below 2^-8. From there on channels have now and then one
// accumulator next to a step that the line takes to the wrong side, or two where negative results mirror positive ones. Such an
// exception is replaced by its neighbour on the right side, which has the same code: two instructions more for the 16 channels of a
// vector, of which one is enough to need it. And a channel that training left all but zero, with one code for whatever it adds up, has
// that code for a line. The others take the integers.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_FLOAT_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_FLOAT_H_

#include <stdint.h>

#include "delegate/kernels/always_inline.h"
#include "delegate/kernels/buffer.h"
#include "delegate/kernels/certificate.h"
#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

// Whether kernels of this architecture requantize by lines: libraries for others are spared the search.
#if defined(__x86_64__)
inline constexpr bool kKernelsUseLines = true;
#else
inline constexpr bool kKernelsUseLines = false;
#endif

// The line of one channel. An accumulator exception[i] has to be taken for substitute[i]; where they are equal there is none.
struct RequantizeLine {
  static constexpr int kMostExceptions = 2;

  float scale;
  float offset;
  float half;
  int exceptions;
  int32_t exception[kMostExceptions];
  int32_t substitute[kMostExceptions];
};

// Finds a line that is exact for all accumulators in the range; false where it finds none.
bool FindRequantizeLine(const ConvQuantization& quantization, int channel, const AccumulatorRange& range, RequantizeLine* line);

// The lines of one convolution, padded as those of Requantization are.
class FloatRequantization {
 public:
  // Channels that are decided together.
  static constexpr int kBlock = 16;

  // Until then no block is exact. False when memory runs out.
  bool Prepare(const ConvQuantization& quantization, int channels, const AccumulatorRange* ranges);

  // Whether all channels of the block that begins at `channel` have a line, and then the most exceptions that one of them has.
  TFLITE_EQ_ALWAYS_INLINE bool exact(int channel) const { return found_.size() > 0 && found(channel) != 0; }
  TFLITE_EQ_ALWAYS_INLINE int exceptions(int channel) const { return found(channel) - 1; }
  TFLITE_EQ_ALWAYS_INLINE const float* scale() const { return scale_.as<float>(); }
  TFLITE_EQ_ALWAYS_INLINE const float* offset() const { return offset_.as<float>(); }
  TFLITE_EQ_ALWAYS_INLINE const float* half() const { return half_.as<float>(); }
  // The first exceptions of all channels, or the second, if a channel has as many.
  TFLITE_EQ_ALWAYS_INLINE const int32_t* exception(int i) const { return exception_[i].as<int32_t>(); }
  TFLITE_EQ_ALWAYS_INLINE const int32_t* substitute(int i) const { return substitute_[i].as<int32_t>(); }
  size_t memory_bytes() const {
    size_t bytes = 3 * scale_.size() + found_.size();
    for (int i = 0; i < RequantizeLine::kMostExceptions; ++i) bytes += exception_[i].size() + substitute_[i].size();
    return bytes;
  }

 private:
  TFLITE_EQ_ALWAYS_INLINE uint8_t found(int channel) const { return found_.as<uint8_t>()[channel / kBlock]; }

  Buffer scale_;
  Buffer offset_;
  Buffer half_;
  Buffer exception_[RequantizeLine::kMostExceptions];
  Buffer substitute_[RequantizeLine::kMostExceptions];
  Buffer found_;  // 0 where a channel has no line, else 1 more than the most exceptions
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_FLOAT_H_
