#include "delegate/graph/producers.h"

namespace tflite_eq {

bool Producers::Read(const GraphView& graph, const Array<int>& plan, int position, int tensor) {
  if (tensor == kNoTensor) return true;
  const TensorView view = graph.tensor(tensor);
  if (!view.exists()) {
    disorder_.Set("the model is not in order: node %d reads tensor %d of %d", plan[position], tensor, graph.tensors());
    return false;
  }
  Use& use = uses_[tensor];
  // Whoever reads a variable may change it.
  if (view.is_variable() && use.reader != kNone && use.reader != position) {
    disorder_.Set("the model is not in order: nodes %d and %d share the variable \"%.60s\"", plan[use.reader], plan[position],
                  view.name());
    return false;
  }
  use.reader = position;
  return true;
}

bool Producers::Write(const GraphView& graph, const Array<int>& plan, int position, int tensor) {
  const TensorView view = graph.tensor(tensor);
  if (!view.exists()) {
    disorder_.Set("the model is not in order: node %d writes tensor %d of %d", plan[position], tensor, graph.tensors());
    return false;
  }
  Use& use = uses_[tensor];
  if (view.is_constant() || view.is_variable()) {
    disorder_.Set("the model is not in order: node %d writes \"%.60s\", which is a %s", plan[position], view.name(),
                  view.is_constant() ? "constant" : "variable");
  } else if (use.writer != kNone) {
    disorder_.Set("the model is not in order: nodes %d and %d both write \"%.60s\"", plan[use.writer], plan[position],
                  view.name());
  } else if (use.reader != kNone) {
    disorder_.Set("the model is not in order: node %d reads \"%.60s\" before node %d writes it", plan[use.reader], view.name(),
                  plan[position]);
  } else {
    use.writer = position;
    return true;
  }
  return false;
}

bool Producers::Visit(const GraphView& graph, const Array<int>& plan, int position) {
  NodeView node;
  if (!graph.node(plan[position], &node)) {
    disorder_.Set("the model is not in order: its plan names node %d, which the runtime does not have", plan[position]);
    return false;
  }
  for (int tensor : node.inputs) {
    if (!Read(graph, plan, position, tensor)) return false;
  }
  for (int tensor : node.outputs) {
    if (!Write(graph, plan, position, tensor)) return false;
  }
  return true;
}

bool Producers::Find(const GraphView& graph, const Array<int>& plan) {
  in_order_ = false;
  if (!uses_.Allocate(graph.tensors())) return false;
  for (int position = 0; position < plan.size(); ++position) {
    if (!Visit(graph, plan, position)) return true;
  }
  in_order_ = true;
  return true;
}

}  // namespace tflite_eq
