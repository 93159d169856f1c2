#include "delegate/runtime_graph/node_subsets.h"

#include <string.h>

#include <initializer_list>
#include <new>

namespace tflite_eq {
namespace {

constexpr int kNotReady = -1;
constexpr int kAlwaysReady = -2;

int Compare(const void* a, const void* b) { return *static_cast<const int*>(a) - *static_cast<const int*>(b); }

void SortAndMakeUnique(SizedArray<TfLiteIntArray>* array) {
  if (array->size() == 0) return;
  int* values = array->get()->data;
  qsort(values, static_cast<size_t>(array->size()), sizeof(int), Compare);
  int kept = 1;
  for (int i = 1; i < array->size(); ++i) {
    if (values[i] != values[kept - 1]) values[kept++] = values[i];
  }
  array->get()->size = kept;
}

}  // namespace

// An epoch is the index of a subset.
class NodeSubsets::Maker {
 public:
  Maker(const TfLiteNode* const* nodes, const TfLiteIntArray* plan, const TfLiteIntArray* claimed, NodeSubsets* subsets)
      : nodes_(nodes), plan_(plan), claimed_(claimed), subsets_(subsets) {}

  bool Run(int tensors, const TfLiteIntArray* graph_outputs) {
    if (!epochs_.Allocate(tensors) || !done_.Allocate(plan_->size)) return false;
    for (int t = 0; t < tensors; ++t) epochs_.get()->data[t] = kAlwaysReady;
    for (int i = 0; i < plan_->size; ++i) ForEach(nodes_[i]->outputs, [this](int tensor) { epoch(tensor) = kNotReady; });
    while (BuildSubset()) {
    }
    if (graph_outputs != nullptr) {
      ForEach(graph_outputs, [this](int tensor) {
        if (epoch(tensor) >= 0) Add(tensor, &subsets_->subsets_[epoch(tensor)].outputs);
      });
    }
    for (int i = 0; i < subsets_->size_ && !out_of_memory_; ++i) Finish(&subsets_->subsets_[i]);
    return !out_of_memory_;
  }

 private:
  int& epoch(int tensor) { return epochs_.get()->data[tensor]; }
  void Add(int value, SizedArray<TfLiteIntArray>* array) { out_of_memory_ = !array->Add(value) || out_of_memory_; }

  template <typename Function>
  void ForEach(const TfLiteIntArray* tensors, Function function) const {
    for (int i = 0; i < tensors->size; ++i) {
      if (tensors->data[i] >= 0 && tensors->data[i] < epochs_.size()) function(tensors->data[i]);
    }
  }

  // False when no node was left for it.
  bool BuildSubset() {
    NodeSubset* subset = &subsets_->subsets_[subsets_->size_];
    for (bool changed = true; changed && !out_of_memory_;) {
      changed = false;
      for (int i = 0; i < plan_->size; ++i) changed = Join(i, subset) || changed;
    }
    if (subset->nodes.size() == 0) return false;
    ++subsets_->size_;
    return !out_of_memory_;
  }

  // Makes the plan's node part of the present subset if it may be.
  bool Join(int position, NodeSubset* subset) {
    if (done_.get()->data[position] != 0) return false;
    bool ready = true;
    ForEach(nodes_[position]->inputs, [&](int tensor) { ready = ready && epoch(tensor) != kNotReady; });
    if (!ready) return false;
    const bool claimed = claimed_->data[position] != 0;
    if (subset->nodes.size() == 0) subset->claimed = claimed;
    if (subset->claimed != claimed) return false;
    done_.get()->data[position] = 1;
    Add(plan_->data[position], &subset->nodes);
    const int present = subsets_->size_;
    ForEach(nodes_[position]->outputs, [&](int tensor) { epoch(tensor) = present; });
    ForEach(nodes_[position]->inputs, [&](int tensor) {
      const int writer = epoch(tensor);
      if (writer == present) return;
      Add(tensor, &subset->inputs);
      if (writer >= 0) Add(tensor, &subsets_->subsets_[writer].outputs);
    });
    return true;
  }

  // An empty array is one all the same.
  void Finish(NodeSubset* subset) {
    for (SizedArray<TfLiteIntArray>* tensors : {&subset->inputs, &subset->outputs}) {
      if (tensors->get() == nullptr && !tensors->Allocate(0)) out_of_memory_ = true;
      SortAndMakeUnique(tensors);
    }
  }

  const TfLiteNode* const* nodes_;
  const TfLiteIntArray* plan_;
  const TfLiteIntArray* claimed_;
  NodeSubsets* subsets_;
  SizedArray<TfLiteIntArray> epochs_;  // by tensor
  SizedArray<TfLiteIntArray> done_;    // by position in the plan
  bool out_of_memory_ = false;
};

bool NodeSubsets::Make(const TfLiteNode* const* nodes, const TfLiteIntArray* plan, const TfLiteIntArray* claimed, int tensors,
                       const TfLiteIntArray* graph_outputs) {
  Clear();
  // One for each node at most, and one that stays empty.
  subsets_ = static_cast<NodeSubset*>(calloc(static_cast<size_t>(plan->size) + 1, sizeof(NodeSubset)));
  if (subsets_ == nullptr) return false;
  for (; room_ <= plan->size; ++room_) new (subsets_ + room_) NodeSubset;
  return Maker(nodes, plan, claimed, this).Run(tensors, graph_outputs);
}

void NodeSubsets::Clear() {
  for (int i = 0; i < room_; ++i) subsets_[i].~NodeSubset();
  free(subsets_);
  subsets_ = nullptr;
  size_ = room_ = 0;
}

}  // namespace tflite_eq
