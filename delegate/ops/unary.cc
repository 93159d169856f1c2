#include "delegate/ops/unary.h"

#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

bool Unary::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  if (!ReadInt8(graph, node, 1, 1, reason)) return false;
  reason->Set("its scales are none that the reference kernel takes");
  if (!MakeTable(node, QuantizationOf(graph.tensor(inputs_[0])), QuantizationOf(graph.tensor(output_)), reason)) return false;
  codes_ = {table_[0], table_[0]};
  never_falls_ = true;
  for (int i = 1; i < kCodes; ++i) never_falls_ = never_falls_ && table_[i] >= table_[i - 1];
  for (int code : table_) {
    if (code < codes_.least) codes_.least = code;
    if (code > codes_.greatest) codes_.greatest = code;
  }
  return true;
}

bool Unary::Resize(const Shape* inputs, Shape* output, Reason*) {
  *output = inputs[0];
  items_ = output->elements();
  row_work_.run = [](const void* of, const int8_t* from, Rows rows, int8_t* to, void*) {
    const Unary& unary = *static_cast<const Unary*>(of);
    const size_t bytes = unary.row_work_.output_row_bytes, begin = static_cast<size_t>(rows.begin) * bytes;
    unary.kernels_.look_up(unary.table_, from + begin, to + begin, static_cast<size_t>(rows.end - rows.begin) * bytes);
  };
  row_work_.of = this;
  row_work_.SetEach(*output);
  return true;
}

void Unary::Run(const Codes& codes, int unit, void*) const {
  const int64_t begin = units_.begin(unit);
  kernels_.look_up(table_, codes.inputs[0] + begin, codes.output + begin, static_cast<size_t>(units_.begin(unit + 1) - begin));
}

void Unary::Reference(const Codes& codes) const {
  for (int64_t i = 0; i < items_; ++i) codes.output[i] = table_[codes.inputs[0][i] + 128];
}

namespace {

constexpr char kUncertain[] = "a code lies halfway between two, where the C libraries of runtimes may differ, or its scales are none that it takes";

}  // namespace

bool CertainUnary::MakeTable(const NodeView&, const Quantization& input, const Quantization& output, Reason* reason) {
  if (make_(input, output, table_)) return true;
  reason->Set("%s", kUncertain);
  return false;
}

bool Gelu::MakeTable(const NodeView& node, const Quantization& input, const Quantization& output, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteGeluParams>(node, reason);
  if (parameters == nullptr) return false;
  if (GeluTable(parameters->approximate, input, output, table_)) return true;
  reason->Set("%s", kUncertain);
  return false;
}

bool LeakyRelu::MakeTable(const NodeView& node, const Quantization& input, const Quantization& output, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteLeakyReluParams>(node, reason);
  if (parameters == nullptr) return false;
  if (LeakyReluTable(parameters->alpha, input, output, table_)) return true;
  if (parameters->alpha < 0) reason->Set("its slope is negative, and a code lies halfway between two, where runtimes round differently");
  return false;
}

}  // namespace tflite_eq
