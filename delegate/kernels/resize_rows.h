// RESIZE_BILINEAR for any instruction set. With codes c of a row's neighbours, weights of 1024ths and fractions f within [0, 1024),
//
//   lower = 1024 c0 + (c1 - c0) f_x, the same for the upper row      below 2^17 in magnitude
//   sum   = 1024 lower + (upper - lower) f_y                         below 2^27
//
// and half away from zero, sum / 2^20 is (sum + 2^19 - [sum < 0]) >> 20. Where both neighbours are the same, the fraction makes no
// difference and is taken for 0: it is negative at edges. `V::Interpolate` is that for a vector of codes.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_RESIZE_ROWS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_RESIZE_ROWS_H_

#include "delegate/kernels/elementwise_blocks.h"

namespace tflite_eq {
namespace {

template <class V>
inline void ResizeBilinear(const ResizeRow& row, int8_t* output) {
  const ptrdiff_t channels = row.channels;
  const int8_t* const lower_end = row.lower + row.inputs * channels;
  const int8_t* const upper_end = row.upper + row.inputs * channels;
  const int8_t* const output_end = output + row.outputs * channels;
  const int down = row.lower == row.upper ? 0 : row.fraction;
  for (int i = 0; i < row.outputs; ++i, output += channels) {
    const Interpolation& column = row.columns[i];
    const int right = column.lower == column.upper ? 0 : column.fraction;
    const ptrdiff_t first = column.lower * channels;
    const ptrdiff_t second = column.upper * channels;
    ForEachChannelBlock<V>(row.channels, [&](int channel, int count) {
      const auto lower = LoadCodes<V>(row.lower + first + channel, count, lower_end);
      if (down == 0 && right == 0) {
        StoreCodes<V>(output + channel, lower, count, output_end);
        return;
      }
      const auto codes = V::Interpolate(lower, LoadCodes<V>(row.lower + second + channel, count, lower_end),
                                        LoadCodes<V>(row.upper + first + channel, count, upper_end),
                                        LoadCodes<V>(row.upper + second + channel, count, upper_end), right, down);
      StoreCodes<V>(output + channel, codes, count, output_end);
    });
  }
}

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_RESIZE_ROWS_H_
