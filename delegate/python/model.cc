// What the delegate would claim of a whole model, by the code that decides inside a runtime, over a model described from
// Python.
#include "delegate/array.h"
#include "delegate/ops/registry.h"
#include "delegate/options.h"
#include "delegate/python/described_model.h"
#include "delegate/python/names.h"
#include "delegate/selection.h"

using namespace tflite_eq;

namespace {

bool CheckIndices(const EqNode* nodes, int node_count, int tensor_count, Reason* reason) {
  for (int i = 0; i < node_count; ++i) {
    for (int k = 0; k < nodes[i].input_count; ++k) {
      const int input = nodes[i].inputs[k];
      if (input >= -1 && input < tensor_count) continue;
      reason->Set("a node has an input that is no tensor");
      return false;
    }
    for (int k = 0; k < nodes[i].output_count; ++k) {
      const int output = nodes[i].outputs[k];
      if (output >= 0 && output < tensor_count) continue;
      reason->Set("a node has an output that is no tensor");
      return false;
    }
  }
  return true;
}

}  // namespace

const char* EqOperatorAt(int32_t index) {
  const OperatorKinds kinds = AllOperators();
  return index < kinds.count ? kinds.first[index].name : nullptr;
}

int32_t EqCheckNode(const EqNode* node, Reason* reason) {
  const OperatorKind* kind = KindNamed(node->kind);
  Parameters parameters;
  return kind == nullptr ? kDone : parameters.Make(*kind, *node, reason);
}

int32_t EqSelect(const EqTensor* tensors, int32_t tensor_count, const EqNode* nodes, int32_t node_count, const EqCpu* cpu,
                 int32_t threads, const char* const* keys, const char* const* values, int32_t option_count, EqDecision* decisions,
                 int32_t* decision_count, Reason* reason) {
  CpuProfile profile;
  DelegateOptions options;
  if (!CheckIndices(nodes, node_count, tensor_count, reason) || !ParseCpu(*cpu, &profile, reason) ||
      !ParseOptions(keys, values, static_cast<size_t>(option_count), &options, reason)) {
    return kRefused;
  }
  if (threads < 1) {
    reason->Set("threads must be positive");
    return kRefused;
  }
  options.num_threads = threads;
  options.log_level = 1;  // an expression that matches no layer is told
  DescribedModel model;
  const int32_t status = model.Describe(tensors, tensor_count, nodes, node_count, reason);
  if (status != kDone) return status;
  Selection selection;
  if (!selection.Select(model.context(), options, profile)) return kOutOfMemory;
  *decision_count = 0;
  for (const Selection::Candidate& candidate : selection.candidates()) {
    if (candidate.kind == nullptr) continue;
    const double saved = candidate.claimed ? candidate.saved_multiplications : 0;
    decisions[(*decision_count)++] = {candidate.node, candidate.kind->name, candidate.claimed, saved, candidate.reason};
  }
  return kDone;
}
