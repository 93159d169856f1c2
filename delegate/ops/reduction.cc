#include "delegate/ops/reduction.h"

#include <string.h>

#include "delegate/ops/extremum.h"

namespace tflite_eq {

bool Reduction::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteReducerParams>(node, reason);
  if (parameters == nullptr || !ReadInt8(graph, node, 2, 2, reason)) return false;
  keep_dims_ = parameters->keep_dims;
  return ReadScales(graph, reason) && ReadInts(graph, node, 1, "axes", &axes_, reason);
}

bool Reduction::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  const Shape& input = inputs[0];
  // In any order, counted from either end, and as often as one likes.
  bool is_reduced[Shape::kMostDimensions] = {};
  for (int i = 0; i < axes_.count; ++i) {
    const int axis = axes_[i] < 0 ? axes_[i] + input.rank : axes_[i];
    if (axis < 0 || axis >= input.rank) {
      reason->Set("it has no axis %d among %d dimensions", axes_[i], input.rank);
      return false;
    }
    is_reduced[axis] = true;
  }
  int64_t outer = 1, reduced = 1, row = 1;
  bool began = false, ended = false;
  *output = {};
  for (int d = 0; d < input.rank; ++d) {
    const int size = input.dims[d];
    if (!is_reduced[d] || keep_dims_) output->dims[output->rank++] = is_reduced[d] ? 1 : size;
    // Where there is one of something, it may be counted to either side.
    if (size == 1) continue;
    if (is_reduced[d] && ended) {
      reason->Set("dimensions between its axes stay");
      return false;
    }
    began = began || is_reduced[d];
    ended = began && !is_reduced[d];
    (is_reduced[d] ? reduced : began ? row : outer) *= size;
  }
  if (axes_.count == 0 || reduced < 1) {
    reason->Set("it has nothing to reduce");
    return false;
  }
  reduced_ = static_cast<int>(reduced);
  row_ = static_cast<int>(row);
  items_ = row > 0 ? outer : 0;
  item_bytes_ = reduced * row;
  return MakeConstants(reason);
}

void Reduction::Run(const Codes& codes, int unit, void*) const {
  for (int64_t item = units_.begin(unit); item < units_.begin(unit + 1); ++item) {
    RunOne(codes.inputs[0] + item * item_bytes_, codes.output + item * row_);
  }
}

void Reduction::Reference(const Codes& codes) const {
  for (int64_t item = 0; item < items_; ++item) ReferenceOne(codes.inputs[0] + item * item_bytes_, codes.output + item * row_);
}

bool ReduceExtremum::ReadScales(const GraphView& graph, Reason* reason) {
  return HasSameQuantization(graph.tensor(inputs_[0]), graph.tensor(output_), reason);
}

void ReduceExtremum::RunOne(const int8_t* input, int8_t* output) const {
  const auto row = static_cast<size_t>(row_);
  memcpy(output, input, row);
  for (int i = 1; i < reduced_; ++i) TakeExtremum(minimum_, output, input + static_cast<size_t>(i) * row, output, row);
}

void ReduceExtremum::ReferenceOne(const int8_t* input, int8_t* output) const {
  for (int k = 0; k < row_; ++k) {
    int8_t extremum = input[k];
    for (int64_t i = 1; i < reduced_; ++i) {
      const int8_t code = input[i * row_ + k];
      if (minimum_ ? code < extremum : code > extremum) extremum = code;
    }
    output[k] = extremum;
  }
}

}  // namespace tflite_eq
