// Which input rows the direct kernels gather for some output rows, and where.
//
// Output rows that are neighbours look at input rows that are one stride apart, so rows are gathered into planes of rows one stride
// apart; every filter row is then an offset of whole rows inside a plane. Two ways:
//
//   * Filter rows share. One plane for each phase, the input rows that are equal modulo the stride; it holds all rows from the first
//     that any filter row sees to the last.
//   * Each filter row has a plane of its own, with the rows that it sees. Nothing is gathered in between: far fewer rows where
//     dilation has moved the filter rows apart, however far.
//
// The one with fewer rows in all is taken.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_PLANE_ROWS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_PLANE_ROWS_H_

#include <stdint.h>

#include "delegate/kernels/conv_types.h"

namespace tflite_eq {
namespace {

struct PlaneRows {
  // Divides: once is enough in every kernel.
  __attribute__((noinline)) PlaneRows(const ConvShape& s, int output_rows) : stride(s.stride_height), dilation(s.dilation_height) {
    const int taps = s.filter_height;
    // Phases of filter rows ky repeat with this period.
    const int period = stride / GreatestCommonDivisor(stride, dilation);
    const int phases = period < taps ? period : taps;
    const int64_t shared_rows = output_rows + (int64_t{taps} - 1) * dilation / stride;
    shared = taps > 0 && phases * shared_rows <= int64_t{taps} * output_rows;
    planes = shared ? phases : taps;
    rows = shared ? static_cast<int>(shared_rows) : output_rows;
    input_rows = taps > 0 ? (output_rows - 1) * stride + (taps - 1) * dilation + 1 : 0;
  }

  // The plane filter row ky reads, and the row of it that belongs to the first output row.
  int plane_of(int ky) const { return shared ? ky % planes : ky; }
  int first_row(int ky) const { return shared ? ky * dilation / stride : 0; }
  // The input row that row `row` of a plane holds, counted from the one under (first output row, first filter row).
  int input_row(int plane, int row) const { return row * stride + (shared ? plane * dilation % stride : plane * dilation); }

  static int GreatestCommonDivisor(int a, int b) {
    while (b != 0) {
      const int rest = a % b;
      a = b;
      b = rest;
    }
    return a;
  }

  int stride;
  int dilation;
  bool shared;
  int planes;
  int rows;        // in each plane
  int input_rows;  // from the first to the last that is looked at
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_PLANE_ROWS_H_
