// How TFLite groups the nodes that a delegate claims: into subsets that run one after the other, claimed or not by turns.
#ifndef TFLITE_EQ_DELEGATE_RUNTIME_GRAPH_NODE_SUBSETS_H_
#define TFLITE_EQ_DELEGATE_RUNTIME_GRAPH_NODE_SUBSETS_H_

#include "delegate/runtime_graph/sized_array.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

struct NodeSubset {
  bool claimed = false;
  SizedArray<TfLiteIntArray> nodes;
  // Sorted and unique, as the runtime hands them to the delegate.
  SizedArray<TfLiteIntArray> inputs, outputs;
};

class NodeSubsets {
 public:
  NodeSubsets() = default;
  NodeSubsets(const NodeSubsets&) = delete;
  NodeSubsets& operator=(const NodeSubsets&) = delete;
  ~NodeSubsets() { Clear(); }

  // What PartitionGraphIntoIndependentNodeSubsets does, with its peculiarities: a node becomes part of the present subset as soon
  // as all its inputs were written by anyone, so that the order of several writers of one tensor is lost, and nodes that wait for
  // a tensor which never comes vanish from the plan. Indices of tensors outside the table, with which TFLite loads no model, are passed
  // over. `nodes` are those of the plan, in its order, by which subsets name them, too; `claimed` says of each whether it is. False when
  // memory runs out.
  bool Make(const TfLiteNode* const* nodes, const TfLiteIntArray* plan, const TfLiteIntArray* claimed, int tensors,
            const TfLiteIntArray* graph_outputs);

  int size() const { return size_; }
  const NodeSubset& operator[](int i) const { return subsets_[i]; }
  const NodeSubset* begin() const { return subsets_; }
  const NodeSubset* end() const { return subsets_ + size_; }

 private:
  class Maker;
  void Clear();

  NodeSubset* subsets_ = nullptr;
  int size_ = 0;
  int room_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_RUNTIME_GRAPH_NODE_SUBSETS_H_
