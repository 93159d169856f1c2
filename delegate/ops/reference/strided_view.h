// Operators that move codes and compute none, as views of their input: where in it each code of the output lies. TRANSPOSE, SLICE,
// STRIDED_SLICE, SPLIT, SPLIT_V, UNPACK, SPACE_TO_DEPTH and DEPTH_TO_SPACE.
#ifndef TFLITE_EQ_DELEGATE_OPS_REFERENCE_STRIDED_VIEW_H_
#define TFLITE_EQ_DELEGATE_OPS_REFERENCE_STRIDED_VIEW_H_

#include <stdint.h>

#include "delegate/graph/shape.h"
#include "delegate/kernels/reason.h"

namespace tflite_eq {

// The output's codes in order are those of the input at offset + sum of index[d] * strides[d]. A view of no codes may lie anywhere.
struct StridedView {
  Shape shape;
  int64_t strides[Shape::kMostDimensions] = {};
  int64_t offset = 0;

  // Of a dense tensor, in its own order.
  static StridedView Whole(const Shape& shape);

  // Along a dimension: `count` of its indices from `begin` on, each `step` beyond the one before. Inside it, unless `count` is 0.
  void Slice(int dimension, int64_t begin, int count, int64_t step = 1);
  // Makes two dimensions of one: its size over `inner`, and `inner`, which divides it.
  void Split(int dimension, int inner);
  void Drop(int dimension);
  // Dimension d becomes what `order[d]` was.
  void Reorder(const int* order);
  // The same codes with as few dimensions as possible; one at the least.
  void Merge();

  int64_t OffsetOf(int64_t code) const;
};

void ReferenceCopy(const StridedView& view, const int8_t* input, int8_t* output);

// What operators make of their input's shape. `output` is the view's shape, or what its dimensions are joined to. All return false
// with a reason where the operator is none for that shape.

// `order` has one entry per dimension, from the front or, below 0, from the end.
bool TransposedView(const Shape& input, const int32_t* order, int count, StridedView* view, Shape* output, Reason* reason);

// `sizes` of -1 mean as much as there is.
bool SlicedView(const Shape& input, const int32_t* begins, const int32_t* sizes, int count, StridedView* view, Shape* output,
                Reason* reason);

// As Python slices. Bit i of a mask is about entry i.
struct StridedSlices {
  const int32_t* begins = nullptr;
  const int32_t* ends = nullptr;
  const int32_t* strides = nullptr;
  int count = 0;
  unsigned begin_mask = 0;   // as if there were no such begin
  unsigned end_mask = 0;     // nor end
  unsigned shrink_mask = 0;  // an index, which takes its dimension away
};
bool StridedSlicedView(const Shape& input, const StridedSlices& slices, StridedView* view, Shape* output, Reason* reason);

// Pieces of an axis, of `begin` to `begin + size`.
bool PieceView(const Shape& input, int axis, int64_t begin, int64_t size, StridedView* view, Shape* output, Reason* reason);

// From blocks of pixels to pixels of as many more channels, and back.
bool SpaceToDepthView(const Shape& input, int block, StridedView* view, Shape* output, Reason* reason);
bool DepthToSpaceView(const Shape& input, int block, StridedView* view, Shape* output, Reason* reason);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REFERENCE_STRIDED_VIEW_H_
