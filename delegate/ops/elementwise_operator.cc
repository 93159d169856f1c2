#include "delegate/ops/elementwise_operator.h"

#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

bool ElementwiseOperator::SetInputs(const int* tensors, int count, Reason* reason) {
  if (!inputs_.Allocate(count)) {
    reason->Set("out of memory");
    return false;
  }
  for (int i = 0; i < count; ++i) inputs_[i] = tensors[i];
  return true;
}

bool ElementwiseOperator::ReadInt8(const GraphView& graph, const NodeView& node, int fewest_inputs, int most_inputs, Reason* reason,
                                   int position, bool several_outputs) {
  if (!HasTensors(graph, node, fewest_inputs, most_inputs, reason, several_outputs)) return false;
  const int input = node.inputs.at(position, kNoTensor);
  output_ = node.outputs.at(node.output, kNoTensor);
  if (!SetInputs(&input, 1, reason)) return false;
  const TensorView view = graph.tensor(input);
  if (!HasInt8Codes(view, "input", reason) || !HasInt8Codes(graph.tensor(output_), "output", reason)) return false;
  if (!view.is_constant()) return true;
  reason->Set("input is a constant");
  return false;
}

Worth ElementwiseOperator::Judge(const Environment& environment, bool insist) const {
  return JudgeSimple(kind_, values(), environment, insist);
}

bool ElementwiseOperator::Prepare(const Environment& environment, int workers, Reason*) {
  kernels_ = FindElementwise(AllowedCpu(environment).isa);
  workers_ = workers;
  return true;
}

Units ElementwiseOperator::Divide() {
  units_ = EvenUnits(items_, item_bytes_, workers_);
  return {units_.count(), 0};
}

Description ElementwiseOperator::Describe() const {
  Description description;
  description.isa = kernels_.isa;
  return description;
}

}  // namespace tflite_eq
