// Functions of codes in single precision, exact because that has been checked for every code.
//
// A kernel in fixed point multiplies 32-bit values, for which vectors have an instruction for every other lane only. The nearest integer
// to a line, v = fma(code, scale, offset), takes a third of that, and a function of int8 codes has so few arguments that all of them can
// be tried: 256 for each channel of what depends on one code, 65 536 for ADD. Where no line gives all of them, there is none.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_CODE_LINES_H_
#define TFLITE_EQ_DELEGATE_KERNELS_CODE_LINES_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/buffer.h"
#include "delegate/kernels/elementwise.h"

namespace tflite_eq {

// ADD: nearest integer to fma(first, scale[0], fma(second, scale[1], offset)), saturated, clamped.
struct AddLine {
  float scale[2] = {0, 0};
  float offset = 0;
  int32_t activation_min = -128;
  int32_t activation_max = 127;
};

// False where no line was found, as when many sums lie in the middle between two codes.
bool FitAddLine(const AddConstants& constants, AddLine* line);

// Functions of one code, one for each channel, each on two lines: one for codes from `kink` on and one for codes below. Constants lie as
// vectors read them: of `period` values, 64 at a time, those of value i for the code i positions behind a pixel's first channel.
class ChannelLines {
 public:
  static constexpr int kBlock = 64;

  // Of a block of 64 values.
  struct Block {
    // [0] from the kink on, [1] below.
    float scale[2][kBlock];
    float offset[2][kBlock];
  };

  // `tables`: of each channel its 256 codes. False where a channel does not lie on two lines, or memory runs out.
  bool Fit(const int8_t* tables, int channels, int kink);

  bool fits() const { return blocks_.size() > 0; }
  size_t memory_bytes() const { return blocks_.size(); }
  TFLITE_EQ_ALWAYS_INLINE int kink() const { return kink_; }
  TFLITE_EQ_ALWAYS_INLINE int channels() const { return channels_; }
  // Whether blocks run on over pixels, and begin anew only after all of them; else with every pixel.
  TFLITE_EQ_ALWAYS_INLINE bool runs_on() const { return runs_on_; }
  TFLITE_EQ_ALWAYS_INLINE int blocks() const { return block_count_; }
  TFLITE_EQ_ALWAYS_INLINE const Block* block(int i) const { return blocks_.as<Block>() + i; }

 private:
  Buffer blocks_;
  int block_count_ = 0;
  int channels_ = 0;
  int kink_ = 0;
  bool runs_on_ = false;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_CODE_LINES_H_
