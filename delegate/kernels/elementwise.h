// Operators without weights, as kernels see them: constants prepared once, then codes in, codes out. One table of functions for each
// instruction set; each computes what the reference of its operator in ops/reference/ computes, code for code.
//
// Everything is int8. Tensors are NHWC and dense. Functions take any number of values, 0 too, any alignment, and read and write
// nothing beyond them. `output` may be `input` itself where a function says so, and overlaps with it in no other way.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/always_inline.h"
#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

// How many codes there are: entries of a table, of which the one of a code is at code + 128.
inline constexpr int kCodes = 256;

// scale = multiplier * 2^(shift - 31), as QuantizeMultiplier makes it, with -31 <= shift <= kMostLeftShift.
struct FixedPointScale {
  int32_t multiplier = 0;
  int32_t shift = 0;

  // A code without its zero point times 2^(kMostLeftShift + 2) is an int16 (one_multiplication.h). A scale of 32 leaves three in four
  // codes saturated, and no network that answers anything.
  static constexpr int kMostLeftShift = 5;

  // Whether it is 1/2 or its negative.
  TFLITE_EQ_ALWAYS_INLINE bool IsHalf() const { return (multiplier == 1 << 30 || multiplier == -(1 << 30)) && shift == 0; }
};

// ADD and SUB: both sides are brought to twice the larger of their scales, with 20 bits more than the codes have. So the scale of one
// side is 1/2 exactly (multiplier 2^30, shift 0), that of the other at most 1/2, and the output's is below 1 (shift <= 0). SUB is the
// sum with a second side of negative multiplier: that is how the reference rounds it.
struct AddConstants {
  int32_t zero_point[2] = {0, 0};  // of the inputs
  FixedPointScale scale[2];
  int32_t output_zero_point = 0;
  FixedPointScale output_scale;
  int32_t activation_min = -128;
  int32_t activation_max = 127;
};

// MUL: (a - za) * (b - zb) times one scale, which may be above 1.
struct MulConstants {
  int32_t zero_point[2] = {0, 0};
  int32_t output_zero_point = 0;
  FixedPointScale scale;
  int32_t activation_min = -128;
  int32_t activation_max = 127;
};

// PRELU: x = code - zero point; x times `positive` where x >= 0, else (x * slope of the channel) times `negative`; plus the output's
// zero point, saturated to int8.
struct PreluConstants {
  int32_t input_zero_point = 0;
  int32_t output_zero_point = 0;
  FixedPointScale positive;
  FixedPointScale negative;
};

// One axis of a pool.
struct PoolAxis {
  int input = 0;
  int output = 0;
  int filter = 1;
  int stride = 1;
  int pad = 0;

  // The inputs that an output's window covers, as far as they exist: one at the least.
  struct Window {
    int begin;
    int end;
  };
  TFLITE_EQ_ALWAYS_INLINE Window WindowOf(int i) const {
    const int begin = i * stride - pad;
    const int end = begin + filter;
    return {begin > 0 ? begin : 0, end < input ? end : input};
  }
};

struct PoolShape {
  PoolAxis rows;
  PoolAxis columns;
  int channels = 0;
  int32_t activation_min = -128;
  int32_t activation_max = 127;
};

// MEAN over an image: the sum of its codes, less `pixels` times the input zero point, times `scale`, which has 1 / pixels in it.
struct MeanConstants {
  // Sums are int32, their sign included.
  static constexpr int kMostPixels = 1 << 22;

  int32_t pixels = 1;
  int32_t input_zero_point = 0;
  int32_t output_zero_point = 0;
  // Other than elsewhere its multiplier may be less than 2^30, and its shift to the left as long as no sum times 2^shift leaves int32.
  FixedPointScale scale;
};

// Where an output of RESIZE_BILINEAR lies along an axis: between two inputs, and by how many 1024ths of a pixel beyond the first. It
// lies before it, at the image's edge, where that is negative; both inputs are the same one then.
struct Interpolation {
  static constexpr int kOne = 1 << 10;

  int lower = 0;
  int upper = 0;
  int fraction = 0;
};

// One output row of RESIZE_BILINEAR.
struct ResizeRow {
  const int8_t* lower = nullptr;  // the input rows that it lies between, which may be the same one
  const int8_t* upper = nullptr;
  int fraction = 0;
  int inputs = 0;                          // columns
  const Interpolation* columns = nullptr;  // one per output
  int outputs = 0;
  int channels = 0;
};

// Of code_lines.h.
struct AddLine;
class ChannelLines;

struct ElementwiseKernels {
  Isa isa;
  // output[i] = table[input[i] + 128]. In place if wanted, and so are the two below, over either input.
  void (*look_up)(const int8_t* table, const int8_t* input, int8_t* output, size_t count);
  void (*add)(const AddConstants& constants, const int8_t* first, const int8_t* second, int8_t* output, size_t count);
  void (*mul)(const MulConstants& constants, const int8_t* first, const int8_t* second, int8_t* output, size_t count);
  // `slopes` minus their zero point, one per channel. In place if wanted. Null where lines or tables do better (ops/channel_function.h).
  void (*prelu)(const PreluConstants& constants, const int16_t* slopes, const int8_t* input, int8_t* output, size_t pixels,
                int channels);
  // Output rows [row_begin, row_end) of one image; `output` is the image's first row.
  void (*max_pool)(const PoolShape& shape, const int8_t* input, int row_begin, int row_end, int8_t* output);
  void (*average_pool)(const PoolShape& shape, const int8_t* input, int row_begin, int row_end, int8_t* output);
  // One image to one pixel.
  void (*mean)(const MeanConstants& constants, const int8_t* input, int channels, int8_t* output);
  void (*resize_bilinear)(const ResizeRow& row, int8_t* output);
  // In place if wanted, too. Null where nothing is gained by them.
  void (*add_on_line)(const AddLine& line, const int8_t* first, const int8_t* second, int8_t* output, size_t count);
  void (*follow_channel_lines)(const ChannelLines& lines, const int8_t* input, int8_t* output, size_t pixels);
};

// The best that run on a CPU with `most`, function by function: `isa` is what the most of them need. Scalar ones at the least.
ElementwiseKernels FindElementwise(Isa most);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_H_
