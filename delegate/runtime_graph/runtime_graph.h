// A model as a TFLite runtime holds it, and as a delegate sees it while it chooses nodes: tensors and nodes with TFLite's structures, the
// order in which nodes run, and the partitions that a choice makes. What stands in for a runtime is built on it: testing/test_runtime,
// which runs models, and python/described_model, which lets a selection look at one.
//
// Needs no C++ runtime, since the latter ships.
#ifndef TFLITE_EQ_DELEGATE_RUNTIME_GRAPH_RUNTIME_GRAPH_H_
#define TFLITE_EQ_DELEGATE_RUNTIME_GRAPH_RUNTIME_GRAPH_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "delegate/runtime_graph/node_subsets.h"
#include "delegate/runtime_graph/sized_array.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

// A tensor before a runtime has one.
struct TensorDescription {
  const char* name = "";
  int32_t type = kTfLiteInt8;
  const int* shape = nullptr;
  int rank = 0;
  // Affine quantization; without scales there is none.
  const float* scales = nullptr;
  int scale_count = 0;
  const int32_t* zero_points = nullptr;
  int zero_point_count = 0;
  int quantized_dimension = 0;
  bool constant = false;
  const void* data = nullptr;  // of a constant
  size_t bytes = 0;
};

// The arrays behind a TfLiteTensor.
class TensorArrays {
 public:
  // What a runtime makes of the description when it loads a model. The tensor points here and at the description's name and data. False
  // when memory runs out.
  bool Make(const TensorDescription& described, TfLiteTensor* tensor);

  SizedArray<TfLiteIntArray> shape;

 private:
  SizedArray<TfLiteFloatArray> scales_;
  SizedArray<TfLiteIntArray> zero_points_;
  TfLiteAffineQuantizationParams affine_ = {};
};

class RuntimeGraph {
 public:
  RuntimeGraph(const RuntimeGraph&) = delete;
  RuntimeGraph& operator=(const RuntimeGraph&) = delete;

  TfLiteContext* context() { return &context_; }

 protected:
  // With nothing that a delegate may call.
  RuntimeGraph();
  ~RuntimeGraph();

  // Has the context answer what a delegate asks while it is applied, or refuse to, as TFLite does at all other times.
  void AllowQuestions(bool allow);
  // The plan, cut by whether nodes are among those claimed. False when memory runs out, or there is no such
  // node.
  bool Partition(const TfLiteIntArray* claimed, NodeSubsets* subsets);

  virtual int node_count() const = 0;
  virtual TfLiteNode* node(int index) = 0;
  virtual TfLiteRegistration* registration(int index) = 0;
  // The nodes that run, in order.
  virtual bool CopyPlan(SizedArray<TfLiteIntArray>* plan) const = 0;
  // Or null, where nobody asks what partitions write.
  virtual const TfLiteIntArray* graph_outputs() const { return nullptr; }
  // Asked at every question: whether it is to fail.
  virtual bool Refuses() { return false; }

  TfLiteContext context_ = {};

 private:
  static RuntimeGraph& From(TfLiteContext* context) { return *static_cast<RuntimeGraph*>(context->impl_); }
  bool Preview(const TfLiteIntArray* claimed);

  // What the functions for delegates return stays the runtime's.
  SizedArray<TfLiteIntArray> plan_;
  NodeSubsets previewed_;
  TfLiteDelegateParams* partitions_ = nullptr;
  int partition_count_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_RUNTIME_GRAPH_RUNTIME_GRAPH_H_
