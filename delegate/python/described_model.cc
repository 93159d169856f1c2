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

bool DescribedModel::Tensor::Describe(const EqTensor& described, TfLiteTensor* tensor) {
  if (!shape.Copy(described.shape, described.rank) || !scales.Copy(described.scales, described.scale_count) ||
      !zero_points.Copy(described.zero_points, described.zero_point_count)) {
    return false;
  }
  affine = {scales.get(), zero_points.get(), described.quantized_dimension};
  *tensor = {};
  tensor->name = described.name;
  tensor->type = TypeCode(described.type);
  tensor->dims = shape.get();
  tensor->allocation_type = described.data != nullptr ? kTfLiteMmapRo : kTfLiteArenaRw;
  tensor->data.raw = const_cast<char*>(static_cast<const char*>(described.data));
  tensor->bytes = described.bytes;
  tensor->is_variable = described.variable != 0;
  tensor->sparsity = described.sparse != 0 ? this : nullptr;  // nobody looks into it
  if (described.scale_count > 0) {
    tensor->quantization.type = kTfLiteAffineQuantization;
    tensor->quantization.params = &affine;
  }
  if (described.scale_count == 1) {
    tensor->params.scale = described.scales[0];
    tensor->params.zero_point = described.zero_point_count > 0 ? described.zero_points[0] : 0;
  }
  return true;
}

int32_t DescribedModel::Describe(const EqTensor* tensors, int tensor_count, const EqNode* nodes, int node_count, Reason* reason) {
  Array<int32_t> order;
  if (!described_tensors_.Allocate(tensor_count) || !tensors_.Allocate(tensor_count) || !ready_.Allocate(tensor_count) ||
      !described_nodes_.Allocate(node_count) || !nodes_.Allocate(node_count) || !registrations_.Allocate(node_count) ||
      !members_.Allocate(node_count) || !partitions_.Allocate(node_count) || !order.Allocate(node_count)) {
    return kOutOfMemory;
  }
  for (int i = 0; i < tensor_count; ++i) {
    if (!described_tensors_[i].Describe(tensors[i], &tensors_[i])) return kOutOfMemory;
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
    order[i] = i;
  }
  if (!plan_.Copy(order.begin(), node_count)) return kOutOfMemory;
  context_.tensors = tensors_.begin();
  context_.tensors_size = static_cast<size_t>(tensor_count);
  context_.impl_ = this;
  context_.GetExecutionPlan = [](TfLiteContext* context, TfLiteIntArray** plan) -> TfLiteStatus {
    *plan = Self(context).plan_.get();
    return kTfLiteOk;
  };
  context_.GetNodeAndRegistration = [](TfLiteContext* context, int index, TfLiteNode** node,
                                       TfLiteRegistration** registration) -> TfLiteStatus {
    *node = &Self(context).nodes_[index];
    *registration = &Self(context).registrations_[index];
    return kTfLiteOk;
  };
  context_.PreviewDelegatePartitioning = [](TfLiteContext* context, const TfLiteIntArray* chosen, TfLiteDelegateParams** partitions,
                                            int* count) -> TfLiteStatus {
    DescribedModel& self = Self(context);
    if (!self.Partition(chosen)) return kTfLiteError;
    *partitions = self.partitions_.begin();
    *count = self.partition_count_;
    return kTfLiteOk;
  };
  context_.ReportError = Ignore;
  return kDone;
}

bool DescribedModel::IsReady(const Node& node) const {
  const TfLiteIntArray& inputs = *node.inputs.get();
  for (int i = 0; i < inputs.size; ++i) {
    if (inputs.data[i] >= 0 && !ready_[inputs.data[i]]) return false;
  }
  return true;
}

bool DescribedModel::AddPartition(const Array<bool>& members) {
  Array<int32_t> indices;
  if (!indices.Allocate(members.size())) return false;
  int count = 0;
  for (int i = 0; i < members.size(); ++i) {
    if (members[i]) indices[count++] = i;
  }
  SizedArray<TfLiteIntArray>& kept = members_[partition_count_];
  if (!kept.Copy(indices.begin(), count)) return false;
  partitions_[partition_count_] = {};
  partitions_[partition_count_++].nodes_to_replace = kept.get();
  return true;
}

// As TFLite does it: nodes whose inputs are there join the current set while they are of its kind, chosen or not; when none is
// left, the next set begins.
bool DescribedModel::Partition(const TfLiteIntArray* chosen) {
  const int count = described_nodes_.size();
  Array<bool> is_chosen, done;
  if (!is_chosen.Allocate(count) || !done.Allocate(count)) return false;
  for (int i = 0; i < chosen->size; ++i) is_chosen[chosen->data[i]] = true;
  for (bool& ready : ready_) ready = true;
  for (const Node& node : described_nodes_) {
    const TfLiteIntArray& outputs = *node.outputs.get();
    for (int i = 0; i < outputs.size; ++i) ready_[outputs.data[i]] = false;
  }
  partition_count_ = 0;
  for (int left = count; left > 0;) {
    Array<bool> members;
    if (!members.Allocate(count)) return false;
    int first = -1;
    for (bool grew = true; grew;) {
      grew = false;
      for (int i = 0; i < count; ++i) {
        if (done[i] || !IsReady(described_nodes_[i]) || (first >= 0 && is_chosen[i] != is_chosen[first])) continue;
        if (first < 0) first = i;
        members[i] = true;
        const TfLiteIntArray& outputs = *described_nodes_[i].outputs.get();
        for (int k = 0; k < outputs.size; ++k) ready_[outputs.data[k]] = true;
        done[i] = grew = true;
        --left;
      }
    }
    if (first < 0) break;  // a cycle: no valid model
    if (is_chosen[first] && !AddPartition(members)) return false;
  }
  return true;
}

}  // namespace tflite_eq
