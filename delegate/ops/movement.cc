#include "delegate/ops/movement.h"

#include <string.h>

namespace tflite_eq {

bool Movement::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  return ReadInt8(graph, node, node_inputs_, node_inputs_, reason, moved_, several_outputs_) &&
         HasSameQuantization(graph.tensor(inputs_[0]), graph.tensor(output_), reason) && ReadArguments(graph, node, reason);
}

bool Movement::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  if (!View(inputs[0], &view_, output, reason)) return false;
  if (!output->IsValid()) {
    reason->Set("the output is too large");
    return false;
  }
  merged_ = view_;
  merged_.Merge();
  const int last = merged_.shape.rank - 1;
  item_bytes_ = merged_.shape.dims[last];
  items_ = item_bytes_ > 0 ? output->elements() / item_bytes_ : 0;
  if (last > 0) return true;
  // One run, which may be cut.
  items_ = item_bytes_;
  item_bytes_ = 1;
  return true;
}

void Movement::Run(const Codes& codes, int unit, void*) const {
  int64_t begin = units_.begin(unit), end = units_.begin(unit + 1);
  int8_t* to = codes.output + begin * item_bytes_;
  const int last = merged_.shape.rank - 1;
  const int64_t stride = merged_.strides[last];
  // Of each run, or of the only one as much as the unit has of it.
  const int64_t count = last > 0 ? item_bytes_ : end - begin;
  if (last == 0) end = begin + 1;
  // Counts the dimensions in front of runs, so that no run costs a division.
  int64_t index[Shape::kMostDimensions] = {};
  int64_t at = merged_.offset;
  if (last == 0) {
    at += begin * stride;
  } else {
    int64_t left = begin;
    for (int d = last - 1; d >= 0; --d) {
      index[d] = left % merged_.shape.dims[d];
      at += index[d] * merged_.strides[d];
      left /= merged_.shape.dims[d];
    }
  }
  for (int64_t run = begin; run < end; ++run, to += count) {
    const int8_t* from = codes.inputs[0] + at;
    if (stride == 1) {
      memcpy(to, from, static_cast<size_t>(count));
    } else {
      for (int64_t i = 0; i < count; ++i) to[i] = from[i * stride];
    }
    for (int d = last - 1; d >= 0; --d) {
      at += merged_.strides[d];
      if (++index[d] < merged_.shape.dims[d]) break;
      at -= merged_.shape.dims[d] * merged_.strides[d];
      index[d] = 0;
    }
  }
}

void Movement::Reference(const Codes& codes) const { ReferenceCopy(view_, codes.inputs[0], codes.output); }

bool Transpose::ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) {
  return ReadInts(graph, node, 1, "order", &order_, reason);
}

bool Transpose::View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const {
  return TransposedView(input, order_.values, order_.count, view, output, reason);
}

bool Slice::ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) {
  if (!ReadInts(graph, node, 1, "begin", &begins_, reason) || !ReadInts(graph, node, 2, "size", &sizes_, reason)) return false;
  if (begins_.count == sizes_.count) return true;
  reason->Set("begin and size are for %d and %d dimensions", begins_.count, sizes_.count);
  return false;
}

bool Slice::View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const {
  return SlicedView(input, begins_.values, sizes_.values, begins_.count, view, output, reason);
}

bool StridedSlice::ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteStridedSliceParams>(node, reason);
  ConstantInts begins, ends, strides;
  if (parameters == nullptr || !ReadInts(graph, node, 1, "begin", &begins, reason) || !ReadInts(graph, node, 2, "end", &ends, reason) ||
      !ReadInts(graph, node, 3, "strides", &strides, reason)) {
    return false;
  }
  if (begins.count != ends.count || begins.count != strides.count) {
    reason->Set("begin, end and strides are for %d, %d and %d dimensions", begins.count, ends.count, strides.count);
    return false;
  }
  if (parameters->ellipsis_mask != 0 || parameters->new_axis_mask != 0 || parameters->offset) {
    reason->Set("it has an ellipsis, new axes or offsets");
    return false;
  }
  slices_.begins = begins.values;
  slices_.ends = ends.values;
  slices_.strides = strides.values;
  slices_.count = begins.count;
  slices_.begin_mask = static_cast<unsigned>(parameters->begin_mask);
  slices_.end_mask = static_cast<unsigned>(parameters->end_mask);
  slices_.shrink_mask = static_cast<unsigned>(parameters->shrink_axis_mask);
  return true;
}

bool StridedSlice::View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const {
  return StridedSlicedView(input, slices_, view, output, reason);
}

bool Piece::ReadAxis(const GraphView& graph, const NodeView& node, int position, Reason* reason) {
  ConstantInts axis;
  if (!ReadInts(graph, node, position, "axis", &axis, reason)) return false;
  pieces_ = node.outputs.size();
  which_ = node.output;
  if (axis.count == 1) {
    axis_ = axis[0];
    return true;
  }
  reason->Set("it has %d axes", axis.count);
  return false;
}

bool Piece::View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const {
  const int axis = axis_ < 0 ? axis_ + input.rank : axis_;
  const int size = axis >= 0 && axis < input.rank ? input.dims[axis] : 0;
  if (size % pieces_ != 0) {
    reason->Set("%d along axis %d are not divided by %d", size, axis_, pieces_);
    return false;
  }
  const int64_t piece = size / pieces_;
  return PieceView(input, axis_, which_ * piece, piece, view, output, reason);
}

bool Split::ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) {
  return ReadAxis(graph, node, 0, reason);
}

bool SplitV::ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) {
  if (!ReadInts(graph, node, 1, "sizes", &sizes_, reason) || !ReadAxis(graph, node, 2, reason)) return false;
  if (sizes_.count == pieces_) return true;
  reason->Set("it has %d sizes for %d outputs", sizes_.count, pieces_);
  return false;
}

bool SplitV::View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const {
  const int axis = axis_ < 0 ? axis_ + input.rank : axis_;
  const int whole = axis >= 0 && axis < input.rank ? input.dims[axis] : 0;
  int64_t before = 0, sum = 0;
  int open = -1;
  for (int i = 0; i < pieces_; ++i) {
    if (sizes_[i] == -1 && open < 0) {
      open = i;
      continue;
    }
    sum += sizes_[i];
    if (i < which_) before += sizes_[i];
  }
  const int64_t rest = whole - sum;
  if (open >= 0 && open < which_) before += rest;
  const int64_t size = open == which_ ? rest : sizes_[which_];
  if (rest < 0 || (open < 0 && rest != 0)) {
    reason->Set("its sizes are not those of the %d along axis %d", whole, axis_);
    return false;
  }
  return PieceView(input, axis_, before, size, view, output, reason);
}

bool Unpack::ReadArguments(const GraphView&, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteUnpackParams>(node, reason);
  if (parameters == nullptr) return false;
  axis_ = parameters->axis;
  pieces_ = node.outputs.size();
  which_ = node.output;
  return true;
}

bool Unpack::View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const {
  if (!Piece::View(input, view, output, reason)) return false;
  const int axis = axis_ < 0 ? axis_ + input.rank : axis_;
  if (input.dims[axis] != pieces_) {
    reason->Set("it has %d outputs for %d along axis %d", pieces_, input.dims[axis], axis_);
    return false;
  }
  view->Drop(axis);
  *output = view->shape;
  return true;
}

bool Blocks::ReadArguments(const GraphView&, const NodeView& node, Reason* reason) {
  static_assert(sizeof(TfLiteSpaceToDepthParams) == sizeof(TfLiteDepthToSpaceParams), "read as one");
  const auto* parameters = ReadParameters<TfLiteSpaceToDepthParams>(node, reason);
  if (parameters == nullptr) return false;
  block_ = parameters->block_size;
  return true;
}

}  // namespace tflite_eq
