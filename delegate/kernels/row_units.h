// Cutting the output into units of whole rows, for kernels that work along rows, and rows into segments where they are too long.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ROW_UNITS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ROW_UNITS_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/geometry.h"

namespace tflite_eq {

struct RowRange {
  int image;
  int begin;
  int end;
};

// Units of at most `most` rows, of nearly equal size, at least one for each worker where there are rows enough. None for an empty
// output.
static inline WorkPlan PlanRows(const ConvShape& shape, int workers, int most) {
  WorkPlan plan;
  if (IsEmpty(shape)) return plan;
  const int rows = shape.output_height;
  if (most < 1) most = 1;
  int units = (rows + most - 1) / most;
  const int wanted = (workers - 1) / shape.batch + 1;
  if (units < wanted) units = wanted < rows ? wanted : rows;
  plan.unit_size = (rows + units - 1) / units;
  plan.units = shape.batch * ((rows + plan.unit_size - 1) / plan.unit_size);
  return plan;
}

static inline RowRange UnitRows(const ConvShape& shape, const WorkPlan& plan, int unit) {
  const int units = plan.units / shape.batch;
  const int begin = unit % units * plan.unit_size;
  const int end = plan.unit_size < shape.output_height - begin ? begin + plan.unit_size : shape.output_height;
  return {unit / units, begin, end};
}

// Of sizes that are only compared with a limit.
static inline size_t SaturatingProduct(size_t a, size_t b) {
  size_t product;
  return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

// The largest size in [1, most] for which bytes(size), which grows with it but for roundings, is at most `target`; 1 where none is.
template <typename Bytes>
static inline int LargestWithin(int most, size_t target, Bytes bytes) {
  if (most < 1 || bytes(most) <= target) return most < 1 ? 1 : most;
  int low = 1;
  int high = most;  // too large
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    if (bytes(middle) <= target) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

// What a kernel gathers takes room in proportion to the rows and columns of output that it computes at a time. bytes(rows, columns)
// says how much; the target is what suits the caches.
//
// Rows are kept whole unless one alone exceeds the target this many times: segments of a row gather the columns between them twice.
constexpr size_t kLongestRow = 4;

// Columns computed at a time: nearly equal parts of a row.
template <typename Bytes>
static inline int SegmentColumns(int columns, size_t target, Bytes bytes) {
  const int most = LargestWithin(columns, kLongestRow * target, [&bytes](int n) { return bytes(1, n); });
  if (most >= columns) return columns;
  const int segments = (columns - 1) / most + 1;
  return (columns - 1) / segments + 1;
}

// Units for a kernel that computes rows in such segments, scratch included.
template <typename Bytes>
static inline WorkPlan PlanSegments(const ConvShape& shape, int workers, int columns, size_t target, Bytes bytes) {
  if (IsEmpty(shape)) return WorkPlan();
  const int segment = SegmentColumns(columns, target, bytes);
  const int most = segment < columns ? 1 : LargestWithin(shape.output_height, target, [&](int rows) { return bytes(rows, columns); });
  WorkPlan plan = PlanRows(shape, workers, most);
  // The last unit of an image has fewer rows, which may take more: each filter row has planes of its own then (plane_rows.h), and each
  // plane is rounded up.
  for (int rows = 1; rows <= plan.unit_size; ++rows) {
    const size_t needed = bytes(rows, segment);
    if (needed > plan.scratch_bytes) plan.scratch_bytes = needed;
  }
  return plan;
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ROW_UNITS_H_
