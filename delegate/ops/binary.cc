#include "delegate/ops/binary.h"

#include <string.h>

#include "delegate/kernels/buffer.h"
#include "delegate/ops/activation.h"
#include "delegate/ops/extremum.h"
#include "delegate/ops/reference/add.h"
#include "delegate/ops/reference/mul.h"
#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

bool Binary::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  if (!HasTensors(graph, node, 2, 2, reason)) return false;
  output_ = node.outputs.at(0, kNoTensor);
  Quantization quantization[2];
  int computed[2];
  int count = 0;
  for (int i = 0; i < 2; ++i) {
    const char* role = i == 0 ? "first input" : "second input";
    const int index = node.inputs.at(i, kNoTensor);
    const TensorView tensor = graph.tensor(index);
    if (!HasInt8Codes(tensor, role, reason)) return false;
    quantization[i] = QuantizationOf(tensor);
    if (!tensor.is_constant()) {
      sides_[i].input = count;
      computed[count++] = index;
      continue;
    }
    if (!ReadShape(tensor, role, &sides_[i].shape, reason) ||
        !IsConstant(tensor, role, kTfLiteInt8, static_cast<size_t>(sides_[i].shape.elements()), 1, reason)) {
      return false;
    }
    sides_[i].constant = static_cast<const int8_t*>(tensor.data());
  }
  if (count == 0) {
    reason->Set("both inputs are constants");
    return false;
  }
  const TensorView output = graph.tensor(output_);
  if (!HasInt8Codes(output, "output", reason) || !SetInputs(computed, count, reason)) return false;
  reason->Set("its scales are none that the reference kernel takes");
  return MakeConstants(node, quantization, QuantizationOf(output), reason);
}

bool Binary::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  int rank = 0;
  for (Side& side : sides_) {
    if (side.constant == nullptr) side.shape = inputs[side.input];
    if (side.shape.rank > rank) rank = side.shape.rank;
  }
  // Both with as many dimensions as the output; those in front are of size 1.
  int dims[2][Shape::kMostDimensions] = {};
  output->rank = rank;
  for (int d = 0; d < rank; ++d) {
    for (int i = 0; i < 2; ++i) {
      const int from = d - (rank - sides_[i].shape.rank);
      dims[i][d] = from >= 0 ? sides_[i].shape.dims[from] : 1;
    }
    if (dims[0][d] != dims[1][d] && dims[0][d] != 1 && dims[1][d] != 1) {
      reason->Set("sizes %d and %d do not go together", dims[0][d], dims[1][d]);
      return false;
    }
    output->dims[d] = dims[0][d] == 1 ? dims[1][d] : dims[0][d];
  }
  if (!output->IsValid()) {
    reason->Set("the output is too large");
    return false;
  }
  // A run is as many of the last dimensions as both sides have whole, or one of them and the other a single value for all.
  int run_from = rank;
  item_bytes_ = 1;
  bool repeats[2] = {false, false};
  while (run_from > 0) {
    const int d = run_from - 1;
    const int size = output->dims[d];
    bool fits = true;
    bool next[2];
    for (int i = 0; i < 2; ++i) {
      const bool one = dims[i][d] == 1 && size != 1;
      // A side that is whole so far cannot go on as a single value, nor the other way round, unless nothing was taken yet.
      fits = fits && (size == 1 || item_bytes_ == 1 || one == repeats[i]);
      next[i] = size == 1 ? repeats[i] : one;
    }
    if (!fits) break;
    for (int i = 0; i < 2; ++i) repeats[i] = next[i];
    item_bytes_ *= size;
    run_from = d;
  }
  outer_ = *output;
  outer_.rank = run_from;
  items_ = outer_.elements();
  for (int i = 0; i < 2; ++i) {
    Side& side = sides_[i];
    side.repeats = repeats[i];
    int64_t stride = side.repeats ? 1 : item_bytes_;
    for (int d = run_from - 1; d >= 0; --d) {
      side.strides[d] = dims[i][d] == 1 ? 0 : stride;
      stride *= dims[i][d];
    }
  }
  if (run_from > 0) return true;
  // One run, which may be cut: where a side repeats, its value is the same everywhere.
  items_ = item_bytes_;
  item_bytes_ = 1;
  return true;
}

// Broadcasting aside: who asks compares shapes.
int Binary::channelwise() const {
  int channels = 1;
  for (const Side& side : sides_) {
    if (side.constant == nullptr || side.shape.elements() == 1) continue;
    const int last = side.shape.rank > 0 ? side.shape.dims[side.shape.rank - 1] : 1;
    if (side.shape.elements() != last) return 0;
    channels = last;
  }
  return channels;
}

Units Binary::Divide() {
  units_ = EvenUnits(items_, item_bytes_, workers_);
  const bool expands = sides_[0].repeats || sides_[1].repeats;
  // A line of what repeats.
  const int64_t longest = outer_.rank > 0 ? item_bytes_ : items_;
  const auto bytes = static_cast<size_t>(expands ? longest : 0);
  return {units_.count(), (bytes + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment};
}

void Binary::Offsets(int64_t run, int64_t (&offsets)[2]) const {
  offsets[0] = offsets[1] = 0;
  for (int d = outer_.rank - 1; d >= 0; --d) {
    const int64_t at = run % outer_.dims[d];
    run /= outer_.dims[d];
    for (int i = 0; i < 2; ++i) offsets[i] += at * sides_[i].strides[d];
  }
}

template <typename Function>
void Binary::ForRuns(const Codes& codes, int64_t begin, int64_t end, int8_t* scratch, Function function) const {
  const bool whole = outer_.rank == 0;
  const auto length = static_cast<size_t>(whole ? end - begin : item_bytes_);
  for (int64_t run = whole ? 0 : begin; run < (whole ? 1 : end); ++run) {
    int64_t offsets[2];
    Offsets(run, offsets);
    const int8_t* from[2];
    for (int i = 0; i < 2; ++i) {
      const Side& side = sides_[i];
      from[i] = Base(codes, side) + offsets[i] + (whole && !side.repeats ? begin : 0);
      if (!side.repeats) continue;
      // Both never repeat: the output would be a single value then.
      memset(scratch, *from[i], length);
      from[i] = scratch;
    }
    function(from[0], from[1], codes.output + (whole ? begin : run * item_bytes_), length);
  }
}

void Binary::Run(const Codes& codes, int unit, void* scratch) const {
  ForRuns(codes, units_.begin(unit), units_.begin(unit + 1), static_cast<int8_t*>(scratch),
          [this](const int8_t* first, const int8_t* second, int8_t* output, size_t count) { Compute(first, second, output, count); });
}

// By index, value by value: what broadcasting means.
void Binary::Reference(const Codes& codes) const {
  const int64_t length = outer_.rank > 0 ? item_bytes_ : items_;
  const int64_t runs = outer_.rank > 0 ? items_ : 1;
  for (int64_t run = 0; run < runs; ++run) {
    int64_t offsets[2];
    Offsets(run, offsets);
    for (int64_t i = 0; i < length; ++i) {
      ReferenceRun(Base(codes, sides_[0]) + offsets[0] + (sides_[0].repeats ? 0 : i),
                   Base(codes, sides_[1]) + offsets[1] + (sides_[1].repeats ? 0 : i), codes.output + run * length + i, 1);
    }
  }
}

bool Sum::MakeConstants(const NodeView& node, const Quantization (&inputs)[2], const Quantization& output, Reason* reason) {
  static_assert(sizeof(TfLiteAddParams) == sizeof(TfLiteSubParams), "read as one");
  const auto* parameters = ReadParameters<TfLiteAddParams>(node, reason);
  Activation activation;
  int32_t min, max;
  if (parameters == nullptr || !ReadActivation(parameters->activation, &activation, reason) ||
      !ReadActivationRange(parameters->activation, output.scale, output.zero_point, &min, &max, reason)) {
    return false;
  }
  codes_ = {min, max};
  return MakeAddConstants(inputs[0], inputs[1], output, activation, subtract_, &constants_);
}

bool Sum::Prepare(const Environment& environment, int workers, Reason* reason) {
  if (!Binary::Prepare(environment, workers, reason)) return false;
  // What adds a constant is mostly a part of a function of codes (fusion.h).
  on_line_ = kernels_.add_on_line != nullptr && inputs_.size() == 2 && FitAddLine(constants_, &line_);
  return true;
}

void Sum::ReferenceRun(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const {
  ReferenceAdd(constants_, first, second, output, count);
}

bool Product::MakeConstants(const NodeView& node, const Quantization (&inputs)[2], const Quantization& output, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteMulParams>(node, reason);
  Activation activation;
  int32_t min, max;
  if (parameters == nullptr || !ReadActivation(parameters->activation, &activation, reason) ||
      !ReadActivationRange(parameters->activation, output.scale, output.zero_point, &min, &max, reason)) {
    return false;
  }
  codes_ = {min, max};
  return MakeMulConstants(inputs[0], inputs[1], output, activation, &constants_);
}

void Product::ReferenceRun(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const {
  ReferenceMul(constants_, first, second, output, count);
}

bool Extremum::MakeConstants(const NodeView&, const Quantization (&inputs)[2], const Quantization& output, Reason* reason) {
  for (const Quantization& input : inputs) {
    if (input.scale == output.scale && input.zero_point == output.zero_point) continue;
    reason->Set("input and output have different scales");
    return false;
  }
  return true;
}

void Extremum::Compute(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const {
  TakeExtremum(minimum_, first, second, output, count);
}

void Extremum::ReferenceRun(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const {
  for (size_t i = 0; i < count; ++i) output[i] = (first[i] < second[i]) == minimum_ ? first[i] : second[i];
}

}  // namespace tflite_eq
