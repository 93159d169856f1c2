#include "delegate/ops/movement.h"

#include <string.h>

namespace tflite_eq {
namespace {

using Arguments = Movement::Arguments;

// How many there are along an axis; none where there is no such axis, which making the view finds.
int Along(const Shape& input, int axis) {
  const int front = axis < 0 ? axis + input.rank : axis;
  return front >= 0 && front < input.rank ? input.dims[front] : 0;
}

bool OneAxis(const ConstantInts& axis, Reason* reason) {
  if (axis.count == 1) return true;
  reason->Set("it has %d axes", axis.count);
  return false;
}

bool ViewTranspose(const Arguments& a, const Shape& input, StridedView* view, Shape* output, Reason* reason) {
  return TransposedView(input, a.constants[0].values, a.constants[0].count, view, output, reason);
}

bool ViewSlice(const Arguments& a, const Shape& input, StridedView* view, Shape* output, Reason* reason) {
  const ConstantInts &begins = a.constants[0], &sizes = a.constants[1];
  if (begins.count == sizes.count) return SlicedView(input, begins.values, sizes.values, begins.count, view, output, reason);
  reason->Set("begin and size are for %d and %d dimensions", begins.count, sizes.count);
  return false;
}

bool ReadStridedSlice(const NodeView& node, Arguments* a, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteStridedSliceParams>(node, reason);
  if (parameters == nullptr) return false;
  if (parameters->ellipsis_mask != 0 || parameters->new_axis_mask != 0 || parameters->offset) {
    reason->Set("it has an ellipsis, new axes or offsets");
    return false;
  }
  const ConstantInts &begins = a->constants[0], &ends = a->constants[1], &strides = a->constants[2];
  if (begins.count != ends.count || begins.count != strides.count) {
    reason->Set("begin, end and strides are for %d, %d and %d dimensions", begins.count, ends.count, strides.count);
    return false;
  }
  a->slices.begins = begins.values;
  a->slices.ends = ends.values;
  a->slices.strides = strides.values;
  a->slices.count = begins.count;
  a->slices.begin_mask = static_cast<unsigned>(parameters->begin_mask);
  a->slices.end_mask = static_cast<unsigned>(parameters->end_mask);
  a->slices.shrink_mask = static_cast<unsigned>(parameters->shrink_axis_mask);
  return true;
}

bool ViewStridedSlice(const Arguments& a, const Shape& input, StridedView* view, Shape* output, Reason* reason) {
  return StridedSlicedView(input, a.slices, view, output, reason);
}

// One of as many equal pieces as there are outputs.
bool ViewPiece(const Arguments& a, int axis, const Shape& input, StridedView* view, Shape* output, Reason* reason) {
  const int size = Along(input, axis);
  if (size % a.pieces != 0) {
    reason->Set("%d along axis %d are not divided by %d", size, axis, a.pieces);
    return false;
  }
  const int64_t piece = size / a.pieces;
  return PieceView(input, axis, a.which * piece, piece, view, output, reason);
}

bool ViewSplit(const Arguments& a, const Shape& input, StridedView* view, Shape* output, Reason* reason) {
  return OneAxis(a.constants[0], reason) && ViewPiece(a, a.constants[0][0], input, view, output, reason);
}

bool ViewSplitV(const Arguments& a, const Shape& input, StridedView* view, Shape* output, Reason* reason) {
  const ConstantInts& sizes = a.constants[0];
  if (!OneAxis(a.constants[1], reason)) return false;
  const int axis = a.constants[1][0];
  if (sizes.count != a.pieces) {
    reason->Set("it has %d sizes for %d outputs", sizes.count, a.pieces);
    return false;
  }
  // One of them may be what the others leave.
  int64_t sum = 0, before = 0;
  int open = -1;
  for (int i = 0; i < sizes.count; ++i) {
    if (sizes[i] == -1 && open < 0) {
      open = i;
      continue;
    }
    sum += sizes[i];
    if (i < a.which) before += sizes[i];
  }
  const int64_t rest = Along(input, axis) - sum;
  if (rest < 0 || (open < 0 && rest != 0)) {
    reason->Set("its sizes are not those of the %d along axis %d", Along(input, axis), axis);
    return false;
  }
  if (open >= 0 && open < a.which) before += rest;
  return PieceView(input, axis, before, open == a.which ? rest : sizes[a.which], view, output, reason);
}

bool ReadUnpack(const NodeView& node, Arguments* a, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteUnpackParams>(node, reason);
  if (parameters == nullptr) return false;
  a->number = parameters->axis;
  return true;
}

bool ViewUnpack(const Arguments& a, const Shape& input, StridedView* view, Shape* output, Reason* reason) {
  if (!ViewPiece(a, a.number, input, view, output, reason)) return false;
  if (Along(input, a.number) != a.pieces) {
    reason->Set("it has %d outputs for %d along axis %d", a.pieces, Along(input, a.number), a.number);
    return false;
  }
  view->Drop(a.number < 0 ? a.number + input.rank : a.number);
  *output = view->shape;
  return true;
}

bool ReadBlock(const NodeView& node, Arguments* a, Reason* reason) {
  static_assert(sizeof(TfLiteSpaceToDepthParams) == sizeof(TfLiteDepthToSpaceParams), "read as one");
  const auto* parameters = ReadParameters<TfLiteSpaceToDepthParams>(node, reason);
  if (parameters == nullptr) return false;
  a->number = parameters->block_size;
  return true;
}

bool ViewSpaceToDepth(const Arguments& a, const Shape& input, StridedView* view, Shape* output, Reason* reason) {
  return SpaceToDepthView(input, a.number, view, output, reason);
}

bool ViewDepthToSpace(const Arguments& a, const Shape& input, StridedView* view, Shape* output, Reason* reason) {
  return DepthToSpaceView(input, a.number, view, output, reason);
}

}  // namespace

const Movement::Kind kDepthToSpace = {SimpleOperator::kSlice, 0, false, {}, ReadBlock, ViewDepthToSpace};
const Movement::Kind kSlice = {SimpleOperator::kSlice, 0, false, {"begin", "size"}, nullptr, ViewSlice};
const Movement::Kind kSpaceToDepth = {SimpleOperator::kSlice, 0, false, {}, ReadBlock, ViewSpaceToDepth};
const Movement::Kind kSplit = {SimpleOperator::kSlice, 1, true, {"axis"}, nullptr, ViewSplit};
const Movement::Kind kSplitV = {SimpleOperator::kSlice, 0, true, {"sizes", "axis"}, nullptr, ViewSplitV};
const Movement::Kind kStridedSlice = {SimpleOperator::kSlice,  0, false, {"begin", "end", "strides"}, ReadStridedSlice,
                                      ViewStridedSlice};
const Movement::Kind kTranspose = {SimpleOperator::kTranspose, 0, false, {"order"}, nullptr, ViewTranspose};
const Movement::Kind kUnpack = {SimpleOperator::kSlice, 0, true, {}, ReadUnpack, ViewUnpack};

Movement::Movement(const Kind* kind) : ElementwiseOperator(kind->cost), movement_(*kind) {}

bool Movement::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  int constants = 0;
  while (constants < kMostConstants && movement_.roles[constants] != nullptr) ++constants;
  if (!ReadInt8(graph, node, constants + 1, constants + 1, reason, movement_.moved, movement_.several_outputs) ||
      !HasSameQuantization(graph.tensor(inputs_[0]), graph.tensor(output_), reason)) {
    return false;
  }
  for (int i = 0; i < constants; ++i) {
    const int position = i < movement_.moved ? i : i + 1;
    if (!ReadInts(graph, node, position, movement_.roles[i], &arguments_.constants[i], reason)) return false;
  }
  arguments_.pieces = node.outputs.size();
  arguments_.which = node.output;
  if (movement_.read != nullptr && !movement_.read(node, &arguments_, reason)) return false;
  for (int d = 0; d < arguments_.slices.count; ++d) {
    // Of these the runtime takes code by code.
    if (arguments_.slices.strides[d] != 1) kind_ = SimpleOperator::kStridedSlice;
  }
  return true;
}

bool Movement::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  if (!movement_.view(arguments_, inputs[0], &view_, output, reason)) return false;
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

}  // namespace tflite_eq
