// A filter as the direct kernels see it.
//
// Where a whole filter row of channels is short, as in a network's first layer, the row's taps are taken for channels: NHWC holds
// them side by side, and no room and no products are spent on padding three channels to a vector.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_FILTER_TAPS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_FILTER_TAPS_H_

#include "delegate/kernels/conv_types.h"

namespace tflite_eq {
namespace {

struct FilterTaps {
  // Rows of up to `longest_row` values are folded.
  FilterTaps(const ConvShape& s, int longest_row)
      : folded(s.filter_width > 1 && s.dilation_width == 1 && s.input_channels > 0 &&
                int64_t{s.filter_width} * s.input_channels <= longest_row),
        rows(s.filter_height),
        columns(folded ? 1 : s.filter_width),
        channels(folded ? s.filter_width * s.input_channels : s.input_channels) {}
  int positions() const { return rows * columns; }
  bool folded;
  int rows;
  int columns;
  int channels;
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_FILTER_TAPS_H_
