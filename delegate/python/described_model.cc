#include "delegate/python/described_model.h"

#include <string.h>

namespace tflite_eq {
namespace {

int32_t TypeCode(const char* type) {
  const struct {
    const char* name;
    int32_t code;
  } known[] = {{"FLOAT32", kTfLiteFloat32}, {"INT32", kTfLiteInt32}, {"INT16", kTfLiteInt16}, {"INT8", kTfLiteInt8}};
  for (const auto& one : known) {
    if (strcmp(type, one.name) == 0) return one.code;
  }
  constexpr int32_t kAnother = 3;
  return kAnother;
}

// Structures of parameters are made here, with every field that is known.
constexpr int kNewestVersion = 1000;

void Ignore(TfLiteContext*, const char*, ...) {}

}  // namespace

const OperatorKind* KindNamed(const char* name) {
  for (const OperatorKind& kind : AllOperators()) {
    if (strcmp(name, kind.name) == 0) return &kind;
  }
  return nullptr;
}

int32_t DescribedModel::Describe(const EqTensor* tensors, int tensor_count, const EqNode* nodes, int node_count, Reason* reason) {
  if (!arrays_.Allocate(tensor_count) || !tensors_.Allocate(tensor_count) || !described_nodes_.Allocate(node_count) ||
      !nodes_.Allocate(node_count) || !registrations_.Allocate(node_count)) {
    return kOutOfMemory;
  }
  for (int i = 0; i < tensor_count; ++i) {
    const EqTensor& from = tensors[i];
    const bool constant = from.data != nullptr;
    if (!arrays_[i].Make({from.name, TypeCode(from.type), from.shape, from.rank, from.scales, from.scale_count, from.zero_points,
                          from.zero_point_count, from.quantized_dimension, constant, from.data, from.bytes},
                         &tensors_[i])) {
      return kOutOfMemory;
    }
    tensors_[i].is_variable = from.variable != 0;
    tensors_[i].sparsity = from.sparse != 0 ? &arrays_[i] : nullptr;  // nobody looks into it
  }
  for (int i = 0; i < node_count; ++i) {
    Node& node = described_nodes_[i];
    const OperatorKind* kind = KindNamed(nodes[i].kind);
    if (!node.inputs.Copy(nodes[i].inputs, nodes[i].input_count) || !node.outputs.Copy(nodes[i].outputs, nodes[i].output_count)) {
      return kOutOfMemory;
    }
    const int32_t status = kind != nullptr ? node.parameters.Make(*kind, nodes[i], reason) : kDone;
    if (status != kDone) return status;
    nodes_[i].inputs = node.inputs.get();
    nodes_[i].outputs = node.outputs.get();
    nodes_[i].builtin_data = node.parameters.get();
    registrations_[i].version = kNewestVersion;
    registrations_[i].builtin_code = kind != nullptr ? kind->builtin_code : -1;
  }
  context_.tensors = tensors_.begin();
  context_.tensors_size = static_cast<size_t>(tensor_count);
  context_.ReportError = Ignore;
  AllowQuestions(true);
  return kDone;
}

bool DescribedModel::CopyPlan(SizedArray<TfLiteIntArray>* plan) const {
  if (!plan->Allocate(node_count())) return false;
  for (int i = 0; i < node_count(); ++i) plan->get()->data[i] = i;
  return true;
}

}  // namespace tflite_eq
