// Stands in for a runtime while nodes are chosen: a model that is described from Python.
#ifndef TFLITE_EQ_DELEGATE_PYTHON_DESCRIBED_MODEL_H_
#define TFLITE_EQ_DELEGATE_PYTHON_DESCRIBED_MODEL_H_

#include "delegate/array.h"
#include "delegate/ops/registry.h"
#include "delegate/python/kernels_api.h"
#include "delegate/python/parameters.h"
#include "delegate/runtime_graph/runtime_graph.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

// Null for operators that are the runtime's alone.
const OperatorKind* KindNamed(const char* name);

class DescribedModel final : private RuntimeGraph {
 public:
  // A Status. What the tensors and nodes point at has to live as long as this. Indices are in range.
  int32_t Describe(const EqTensor* tensors, int tensor_count, const EqNode* nodes, int node_count, Reason* reason);

  using RuntimeGraph::context;

 private:
  struct Node {
    SizedArray<TfLiteIntArray> inputs;
    SizedArray<TfLiteIntArray> outputs;
    Parameters parameters;
  };

  int node_count() const override { return nodes_.size(); }
  TfLiteNode* node(int index) override { return &nodes_[index]; }
  TfLiteRegistration* registration(int index) override { return &registrations_[index]; }
  bool CopyPlan(SizedArray<TfLiteIntArray>* plan) const override;

  Array<TensorArrays> arrays_;
  Array<TfLiteTensor> tensors_;
  Array<Node> described_nodes_;
  Array<TfLiteNode> nodes_;
  Array<TfLiteRegistration> registrations_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_PYTHON_DESCRIBED_MODEL_H_
