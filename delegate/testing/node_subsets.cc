#include "delegate/testing/node_subsets.h"

#include <algorithm>

namespace tflite_eq {
namespace {

constexpr int kNotReady = -1;
constexpr int kAlwaysReady = -2;

// An epoch is the index of a subset.
class Partitioner {
 public:
  Partitioner(const std::vector<int>& plan, const std::function<const TfLiteNode&(int)>& node_at, int tensors,
              const std::vector<bool>& claimed)
      : plan_(plan), node_at_(node_at), claimed_(claimed), tensor_epochs_(tensors, kAlwaysReady), done_(plan.size(), false) {
    for (int node : plan_) ForEach(node_at_(node).outputs, [this](int tensor) { tensor_epochs_[tensor] = kNotReady; });
  }

  std::vector<NodeSubset> Run(const std::vector<int>& graph_outputs) {
    while (BuildSubset()) {
    }
    for (int tensor : graph_outputs) {
      if (InRange(tensor) && tensor_epochs_[tensor] >= 0) subsets_[tensor_epochs_[tensor]].output_tensors.push_back(tensor);
    }
    for (NodeSubset& subset : subsets_) {
      SortAndMakeUnique(&subset.input_tensors);
      SortAndMakeUnique(&subset.output_tensors);
    }
    return std::move(subsets_);
  }

 private:
  bool InRange(int tensor) const { return tensor >= 0 && static_cast<size_t>(tensor) < tensor_epochs_.size(); }

  template <typename Function>
  void ForEach(const TfLiteIntArray* tensors, Function function) const {
    for (int i = 0; i < tensors->size; ++i) {
      if (InRange(tensors->data[i])) function(tensors->data[i]);
    }
  }

  // False when no node was left for it.
  bool BuildSubset() {
    subsets_.emplace_back();
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < plan_.size(); ++i) changed = Join(i) || changed;
    }
    if (!subsets_.back().nodes.empty()) return true;
    subsets_.pop_back();
    return false;
  }

  // Makes the plan's node part of the present subset if it may be.
  bool Join(size_t position) {
    if (done_[position]) return false;
    const TfLiteNode& node = node_at_(plan_[position]);
    bool ready = true;
    ForEach(node.inputs, [&](int tensor) { ready = ready && tensor_epochs_[tensor] != kNotReady; });
    if (!ready) return false;
    NodeSubset& subset = subsets_.back();
    const bool claimed = claimed_[plan_[position]];
    if (subset.nodes.empty()) subset.claimed = claimed;
    if (subset.claimed != claimed) return false;
    done_[position] = true;
    subset.nodes.push_back(plan_[position]);
    const int epoch = static_cast<int>(subsets_.size()) - 1;
    ForEach(node.outputs, [&](int tensor) { tensor_epochs_[tensor] = epoch; });
    ForEach(node.inputs, [&](int tensor) {
      const int writer = tensor_epochs_[tensor];
      if (writer == epoch) return;
      subset.input_tensors.push_back(tensor);
      if (writer >= 0) subsets_[writer].output_tensors.push_back(tensor);
    });
    return true;
  }

  static void SortAndMakeUnique(std::vector<int>* values) {
    std::sort(values->begin(), values->end());
    values->erase(std::unique(values->begin(), values->end()), values->end());
  }

  const std::vector<int>& plan_;
  const std::function<const TfLiteNode&(int)>& node_at_;
  const std::vector<bool>& claimed_;
  std::vector<int> tensor_epochs_;
  std::vector<bool> done_;
  std::vector<NodeSubset> subsets_;
};

}  // namespace

std::vector<NodeSubset> MakeNodeSubsets(const std::vector<int>& plan, const std::function<const TfLiteNode&(int)>& node_at,
                                        int tensors, const std::vector<int>& graph_outputs, const std::vector<bool>& claimed) {
  return Partitioner(plan, node_at, tensors, claimed).Run(graph_outputs);
}

}  // namespace tflite_eq
