#include "delegate/ops/reference/strided_view.h"

namespace tflite_eq {
namespace {

// Of as many dimensions, from the front or, below 0, from the end; -1 where there is no such axis.
int FromFront(int axis, int rank) {
  const int front = axis < 0 ? axis + rank : axis;
  return front >= 0 && front < rank ? front : -1;
}

int64_t Between(int64_t value, int64_t low, int64_t high) { return value < low ? low : value > high ? high : value; }

bool IsImage(const Shape& input, int block, Reason* reason) {
  if (input.rank == 4 && block >= 1) return true;
  reason->Set("blocks of %d pixels of an input of %d dimensions", block, input.rank);
  return false;
}

}  // namespace

StridedView StridedView::Whole(const Shape& shape) {
  StridedView view;
  view.shape = shape;
  int64_t stride = 1;
  for (int d = shape.rank - 1; d >= 0; --d) {
    view.strides[d] = stride;
    stride *= shape.dims[d];
  }
  return view;
}

void StridedView::Slice(int dimension, int64_t begin, int count, int64_t step) {
  offset += begin * strides[dimension];
  strides[dimension] *= step;
  shape.dims[dimension] = count;
}

void StridedView::Split(int dimension, int inner) {
  for (int d = shape.rank++; d > dimension; --d) {
    shape.dims[d] = shape.dims[d - 1];
    strides[d] = strides[d - 1];
  }
  shape.dims[dimension] /= inner;
  strides[dimension] *= inner;
  shape.dims[dimension + 1] = inner;
}

void StridedView::Drop(int dimension) {
  --shape.rank;
  for (int d = dimension; d < shape.rank; ++d) {
    shape.dims[d] = shape.dims[d + 1];
    strides[d] = strides[d + 1];
  }
}

void StridedView::Reorder(const int* order) {
  const StridedView before = *this;
  for (int d = 0; d < shape.rank; ++d) {
    shape.dims[d] = before.shape.dims[order[d]];
    strides[d] = before.strides[order[d]];
  }
}

void StridedView::Merge() {
  if (shape.elements() == 0) {
    // The other dimensions of nothing may have a product beyond an int.
    shape = {1, {0}};
    strides[0] = 1;
    return;
  }
  for (int d = shape.rank - 1; d >= 0; --d) {
    if (shape.dims[d] == 1 && shape.rank > 1) Drop(d);
  }
  for (int d = shape.rank - 2; d >= 0; --d) {
    if (strides[d] != strides[d + 1] * shape.dims[d + 1]) continue;
    shape.dims[d + 1] *= shape.dims[d];
    Drop(d);
  }
  if (shape.rank > 0) return;
  shape = {1, {1}};
  strides[0] = 1;
}

int64_t StridedView::OffsetOf(int64_t code) const {
  int64_t at = offset;
  for (int d = shape.rank - 1; d >= 0; --d) {
    at += code % shape.dims[d] * strides[d];
    code /= shape.dims[d];
  }
  return at;
}

void ReferenceCopy(const StridedView& view, const int8_t* input, int8_t* output) {
  for (int64_t i = 0; i < view.shape.elements(); ++i) output[i] = input[view.OffsetOf(i)];
}

bool TransposedView(const Shape& input, const int32_t* order, int count, StridedView* view, Shape* output, Reason* reason) {
  int from[Shape::kMostDimensions];
  unsigned seen = 0;
  for (int d = 0; d < count && count == input.rank; ++d) {
    from[d] = FromFront(order[d], count);
    if (from[d] >= 0) seen |= 1u << from[d];
  }
  if (count != input.rank || seen != (1u << count) - 1) {
    reason->Set("its order is none of the input's %d dimensions", input.rank);
    return false;
  }
  *view = StridedView::Whole(input);
  view->Reorder(from);
  *output = view->shape;
  return true;
}

bool SlicedView(const Shape& input, const int32_t* begins, const int32_t* sizes, int count, StridedView* view, Shape* output,
                Reason* reason) {
  if (count != input.rank) {
    reason->Set("begin is for %d dimensions, the input has %d", count, input.rank);
    return false;
  }
  *view = StridedView::Whole(input);
  for (int d = 0; d < count; ++d) {
    const int64_t size = sizes[d] == -1 ? int64_t{input.dims[d]} - begins[d] : sizes[d];
    if (begins[d] < 0 || size < 0 || begins[d] + size > input.dims[d]) {
      reason->Set("%d from %d on is not within the %d along axis %d", sizes[d], begins[d], input.dims[d], d);
      return false;
    }
    view->Slice(d, begins[d], static_cast<int>(size));
  }
  *output = view->shape;
  return true;
}

bool StridedSlicedView(const Shape& input, const StridedSlices& slices, StridedView* view, Shape* output, Reason* reason) {
  if (slices.count > input.rank) {
    reason->Set("begin is for %d dimensions, the input has %d", slices.count, input.rank);
    return false;
  }
  *view = StridedView::Whole(input);
  // From the last, so that dimensions that go do not move those still to come.
  for (int d = slices.count - 1; d >= 0; --d) {
    const int64_t size = input.dims[d], stride = slices.strides[d];
    const bool shrink = (slices.shrink_mask >> d & 1) != 0;
    if (stride == 0 || (shrink && stride < 0)) {
      reason->Set("stride %d of axis %d", slices.strides[d], d);
      return false;
    }
    int64_t begin = slices.begins[d], end = slices.ends[d];
    if (begin < 0) begin += size;
    if (shrink) {
      if ((slices.begin_mask >> d & 1) != 0) begin = 0;
      if (begin < 0 || begin >= size) {
        reason->Set("there is no index %d in the %lld of axis %d", slices.begins[d], static_cast<long long>(size), d);
        return false;
      }
      view->Slice(d, begin, 1);
      view->Drop(d);
      continue;
    }
    if (end < 0) end += size;
    // The places that a step may begin and end at, in its direction.
    const int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? size : size - 1;
    begin = (slices.begin_mask >> d & 1) != 0 ? (stride > 0 ? low : high) : Between(begin, low, high);
    end = (slices.end_mask >> d & 1) != 0 ? (stride > 0 ? high : low) : Between(end, low, high);
    const int64_t distance = stride > 0 ? end - begin : begin - end;
    const int64_t step = stride > 0 ? stride : -stride;
    view->Slice(d, begin, distance > 0 ? static_cast<int>((distance + step - 1) / step) : 0, stride);
  }
  *output = view->shape;
  return true;
}

bool PieceView(const Shape& input, int axis, int64_t begin, int64_t size, StridedView* view, Shape* output, Reason* reason) {
  const int front = FromFront(axis, input.rank);
  if (front < 0 || begin < 0 || size < 0 || begin + size > input.dims[front]) {
    reason->Set("there is no piece of %lld from %lld on along axis %d", static_cast<long long>(size), static_cast<long long>(begin), axis);
    return false;
  }
  *view = StridedView::Whole(input);
  view->Slice(front, begin, static_cast<int>(size));
  *output = view->shape;
  return true;
}

bool SpaceToDepthView(const Shape& input, int block, StridedView* view, Shape* output, Reason* reason) {
  if (!IsImage(input, block, reason)) return false;
  if (input.dims[1] % block != 0 || input.dims[2] % block != 0) {
    reason->Set("%dx%d pixels are not whole blocks of %d", input.dims[1], input.dims[2], block);
    return false;
  }
  *view = StridedView::Whole(input);
  view->Split(2, block);
  view->Split(1, block);
  constexpr int kOrder[] = {0, 1, 3, 2, 4, 5};
  view->Reorder(kOrder);
  const int64_t channels = int64_t{block} * block * input.dims[3];
  if (channels > kLargestSize) {
    reason->Set("the output is too large");
    return false;
  }
  *output = {4, {input.dims[0], input.dims[1] / block, input.dims[2] / block, static_cast<int>(channels)}};
  return true;
}

bool DepthToSpaceView(const Shape& input, int block, StridedView* view, Shape* output, Reason* reason) {
  if (!IsImage(input, block, reason)) return false;
  const int64_t height = int64_t{block} * input.dims[1], width = int64_t{block} * input.dims[2];
  if (input.dims[3] % (int64_t{block} * block) != 0 || height > kLargestSize || width > kLargestSize) {
    reason->Set("%d channels are not those of blocks of %d, or the output is too large", input.dims[3], block);
    return false;
  }
  const int channels = static_cast<int>(input.dims[3] / (int64_t{block} * block));
  *view = StridedView::Whole(input);
  // Pixels of no channels have none to be divided.
  view->Split(3, channels > 0 ? channels : 1);
  view->Split(3, block);
  if (channels == 0) view->shape.dims[5] = 0;
  constexpr int kOrder[] = {0, 1, 3, 2, 4, 5};
  view->Reorder(kOrder);
  *output = {4, {input.dims[0], static_cast<int>(height), static_cast<int>(width), channels}};
  return true;
}

}  // namespace tflite_eq
