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
  // Rows of up to `longest_row` values are folded; all rows into one, where `vector` is not 0 and that makes fewer vectors of so many
  // values.
  FilterTaps(const ConvShape& s, int longest_row, int vector = 0)
      : folded(s.filter_width > 1 && s.dilation_width == 1 && s.input_channels > 0 &&
                int64_t{s.filter_width} * s.input_channels <= longest_row),
        whole(folded && vector > 0 && WholeIsLess(s.filter_height, s.filter_width * s.input_channels, vector)),
        rows(whole ? 1 : s.filter_height),
        columns(folded ? 1 : s.filter_width),
        channels((folded ? s.filter_width * s.input_channels : s.input_channels) * (whole ? s.filter_height : 1)) {}
  static bool WholeIsLess(int rows, int row, int vector) {
    constexpr int kMostRows = 32;  // what is gathered for an output stays small
    return rows <= kMostRows && (rows * row + vector - 1) / vector < rows * ((row + vector - 1) / vector);
  }
  int positions() const { return rows * columns; }
  bool folded;
  bool whole;
  int rows;
  int columns;
  int channels;
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_FILTER_TAPS_H_
