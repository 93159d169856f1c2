#include "delegate/runtime_graph/runtime_graph.h"

namespace tflite_eq {

bool TensorArrays::Make(const TensorDescription& described, TfLiteTensor* tensor) {
  if (!shape.Copy(described.shape, described.rank) || !scales_.Copy(described.scales, described.scale_count) ||
      !zero_points_.Copy(described.zero_points, described.zero_point_count)) {
    return false;
  }
  affine_ = {scales_.get(), zero_points_.get(), described.quantized_dimension};
  *tensor = {};
  tensor->name = described.name;
  tensor->type = described.type;
  tensor->dims = shape.get();
  tensor->allocation_type = described.constant ? kTfLiteMmapRo : kTfLiteArenaRw;
  tensor->data.raw = const_cast<char*>(static_cast<const char*>(described.data));
  tensor->bytes = described.bytes;
  if (described.scale_count > 0) {
    tensor->quantization.type = kTfLiteAffineQuantization;
    tensor->quantization.params = &affine_;
  }
  if (described.scale_count == 1 && described.zero_point_count == 1) {
    tensor->params = {described.scales[0], described.zero_points[0]};
  }
  return true;
}

RuntimeGraph::RuntimeGraph() {
  context_.impl_ = this;
  AllowQuestions(false);
}

RuntimeGraph::~RuntimeGraph() { free(partitions_); }

void RuntimeGraph::AllowQuestions(bool allow) {
  if (!allow) {
    context_.GetExecutionPlan = [](TfLiteContext*, TfLiteIntArray**) -> TfLiteStatus { return kTfLiteError; };
    context_.GetNodeAndRegistration = [](TfLiteContext*, int, TfLiteNode**, TfLiteRegistration**) -> TfLiteStatus {
      return kTfLiteError;
    };
    context_.PreviewDelegatePartitioning = [](TfLiteContext*, const TfLiteIntArray*, TfLiteDelegateParams**, int*) -> TfLiteStatus {
      return kTfLiteError;
    };
    return;
  }
  context_.GetExecutionPlan = [](TfLiteContext* context, TfLiteIntArray** plan) -> TfLiteStatus {
    RuntimeGraph& self = From(context);
    // A new array each time: whoever kept the one before has a stale one.
    if (self.Refuses() || !self.CopyPlan(&self.plan_)) return kTfLiteError;
    *plan = self.plan_.get();
    return kTfLiteOk;
  };
  context_.GetNodeAndRegistration = [](TfLiteContext* context, int index, TfLiteNode** node,
                                       TfLiteRegistration** registration) -> TfLiteStatus {
    RuntimeGraph& self = From(context);
    if (self.Refuses() || index < 0 || index >= self.node_count()) return kTfLiteError;
    *node = self.node(index);
    *registration = self.registration(index);
    return kTfLiteOk;
  };
  context_.PreviewDelegatePartitioning = [](TfLiteContext* context, const TfLiteIntArray* claimed, TfLiteDelegateParams** partitions,
                                            int* count) -> TfLiteStatus {
    RuntimeGraph& self = From(context);
    if (self.Refuses() || !self.Preview(claimed)) return kTfLiteError;
    *partitions = self.partitions_;
    *count = self.partition_count_;
    return kTfLiteOk;
  };
}

bool RuntimeGraph::Partition(const TfLiteIntArray* claimed, NodeSubsets* subsets) {
  SizedArray<TfLiteIntArray> plan, is_claimed, in_plan;
  if (!CopyPlan(&plan) || !is_claimed.Allocate(node_count()) || !in_plan.Allocate(plan.size())) return false;
  for (int i = 0; i < claimed->size; ++i) {
    if (claimed->data[i] < 0 || claimed->data[i] >= node_count()) return false;
    is_claimed.get()->data[claimed->data[i]] = 1;
  }
  auto** nodes = static_cast<const TfLiteNode**>(calloc(static_cast<size_t>(plan.size()) + 1, sizeof(TfLiteNode*)));
  if (nodes == nullptr) return false;
  for (int i = 0; i < plan.size(); ++i) {
    nodes[i] = node(plan.get()->data[i]);
    in_plan.get()->data[i] = is_claimed.get()->data[plan.get()->data[i]];
  }
  const bool made = subsets->Make(nodes, plan.get(), in_plan.get(), static_cast<int>(context_.tensors_size), graph_outputs());
  free(nodes);
  return made;
}

bool RuntimeGraph::Preview(const TfLiteIntArray* claimed) {
  free(partitions_);
  partition_count_ = 0;
  partitions_ = nullptr;
  if (!Partition(claimed, &previewed_)) return false;
  partitions_ = static_cast<TfLiteDelegateParams*>(calloc(static_cast<size_t>(previewed_.size()) + 1, sizeof(TfLiteDelegateParams)));
  if (partitions_ == nullptr) return false;
  for (const NodeSubset& subset : previewed_) {
    if (!subset.claimed) continue;
    TfLiteDelegateParams& params = partitions_[partition_count_++];
    params.nodes_to_replace = subset.nodes.get();
    params.input_tensors = subset.inputs.get();
    params.output_tensors = subset.outputs.get();
  }
  return true;
}

}  // namespace tflite_eq
