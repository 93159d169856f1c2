// How TFLite groups the nodes that a delegate claims: into subsets that run one after the other, claimed or not by turns.
#ifndef TFLITE_EQ_DELEGATE_TESTING_NODE_SUBSETS_H_
#define TFLITE_EQ_DELEGATE_TESTING_NODE_SUBSETS_H_

#include <functional>
#include <vector>

#include "delegate/tflite_abi.h"

namespace tflite_eq {

struct NodeSubset {
  bool claimed = false;
  std::vector<int> nodes;
  // Sorted and unique, as the runtime hands them to the delegate.
  std::vector<int> input_tensors, output_tensors;
};

// What PartitionGraphIntoIndependentNodeSubsets does, with its peculiarities: a node becomes part of the present subset as soon
// as all its inputs were written by anyone, so that the order of several writers of one tensor is lost, and nodes that wait for
// a tensor which never comes vanish from the plan. Indices outside the table, with which TFLite loads no model, are passed over.
std::vector<NodeSubset> MakeNodeSubsets(const std::vector<int>& plan, const std::function<const TfLiteNode&(int)>& node_at,
                                        int tensors, const std::vector<int>& graph_outputs, const std::vector<bool>& claimed);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_TESTING_NODE_SUBSETS_H_
