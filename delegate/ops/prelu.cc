#include "delegate/ops/prelu.h"

#include "delegate/ops/reference/prelu.h"
#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

bool Prelu::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  if (!ReadInt8(graph, node, 2, 2, reason)) return false;
  const TensorView slopes = graph.tensor(node.inputs.at(1, kNoTensor));
  Shape shape;
  if (!HasInt8Codes(slopes, "slopes", reason) || !ReadShape(slopes, "slopes", &shape, reason)) return false;
  slope_rank_ = shape.rank;
  const int channels = shape.rank > 0 ? shape.dims[shape.rank - 1] : 1;
  if (channels < 1 || shape.elements() != channels) {
    reason->Set("slopes are not one for each channel");
    return false;
  }
  if (channels > kMostSlopes) {
    reason->Set("%d slopes are more than %d", channels, kMostSlopes);
    return false;
  }
  if (!IsConstant(slopes, "slopes", kTfLiteInt8, static_cast<size_t>(channels), 1, reason)) return false;
  if (!slopes_.Allocate(channels)) {
    reason->Set("out of memory");
    return false;
  }
  for (int c = 0; c < channels; ++c) {
    slopes_[c] = static_cast<int16_t>(static_cast<const int8_t*>(slopes.data())[c] - slopes.zero_point());
  }
  reason->Set("its scales are none that the reference kernel takes");
  return MakePreluConstants(QuantizationOf(graph.tensor(inputs_[0])), slopes.scale(), QuantizationOf(graph.tensor(output_)), &constants_);
}

bool Prelu::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  *output = inputs[0];
  if (output->rank < 1 || output->rank < slope_rank_ || output->dims[output->rank - 1] != slopes_.size()) {
    reason->Set("there are %d slopes of %d dimensions, which do not go with the input", slopes_.size(), slope_rank_);
    return false;
  }
  item_bytes_ = slopes_.size();
  items_ = output->elements() / item_bytes_;
  row_work_.run = [](const void* of, const int8_t* from, Rows rows, int8_t* to, void*) {
    const Prelu& prelu = *static_cast<const Prelu*>(of);
    const int64_t pixels = static_cast<int64_t>(prelu.row_work_.output_row_bytes) / prelu.item_bytes_;
    prelu.RunPixels(from, to, pixels * rows.begin, pixels * rows.end);
  };
  row_work_.of = this;
  row_work_.SetEach(*output);
  return true;
}

bool Prelu::Prepare(const Environment& environment, int workers, Reason* reason) {
  if (!ElementwiseOperator::Prepare(environment, workers, reason)) return false;
  if (kernels_.prelu != nullptr) return true;
  Buffer tables;
  if (!tables.Allocate(static_cast<size_t>(slopes_.size()) * kCodes)) {
    reason->Set("out of memory");
    return false;
  }
  int8_t codes[kCodes];
  for (int i = 0; i < kCodes; ++i) codes[i] = static_cast<int8_t>(i - 128);
  for (int c = 0; c < slopes_.size(); ++c) {
    ReferencePrelu(constants_, &slopes_[c], codes, tables.as<int8_t>() + static_cast<ptrdiff_t>(c) * kCodes, kCodes, 1);
  }
  function_.Make(&tables, slopes_.size(), constants_.input_zero_point, kernels_);
  return true;
}

void Prelu::Run(const Codes& codes, int unit, void*) const {
  RunPixels(codes.inputs[0], codes.output, units_.begin(unit), units_.begin(unit + 1));
}

void Prelu::RunPixels(const int8_t* input, int8_t* output, int64_t begin, int64_t end) const {
  const auto pixels = static_cast<size_t>(end - begin);
  input += begin * item_bytes_;
  output += begin * item_bytes_;
  if (kernels_.prelu == nullptr) return function_.Run(kernels_, input, output, pixels);
  kernels_.prelu(constants_, slopes_.begin(), input, output, pixels, slopes_.size());
}

void Prelu::Reference(const Codes& codes) const {
  ReferencePrelu(constants_, slopes_.begin(), codes.inputs[0], codes.output, static_cast<size_t>(items_), slopes_.size());
}

Description Prelu::Describe() const {
  Description description = ElementwiseOperator::Describe();
  description.packed_bytes = sizeof(int16_t) * static_cast<size_t>(slopes_.size()) + function_.memory_bytes();
  if (kernels_.prelu == nullptr) description.kernel = function_.name();
  return description;
}

}  // namespace tflite_eq
