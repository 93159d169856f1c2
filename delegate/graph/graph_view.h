// The runtime's graph as the rest of the delegate sees it. Everything that is read of tensors, nodes and their arrays is read
// through here, so that nothing a model says about itself is trusted before it was checked: an index outside the tensor table, an
// array that is null or of a negative size, a tensor without a shape read as absent, never as what lies beside them in memory.
//
// Views point into the runtime's memory. They hold for as long as the call in which they were made.
#ifndef TFLITE_EQ_DELEGATE_GRAPH_GRAPH_VIEW_H_
#define TFLITE_EQ_DELEGATE_GRAPH_GRAPH_VIEW_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/array.h"
#include "delegate/graph/shape.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

// Stands in a node's list for an optional tensor that is left out.
inline constexpr int kNoTensor = -1;

// One of TFLite's arrays; empty where there is none.
template <typename List, typename T>
class ArrayView {
 public:
  ArrayView() = default;
  explicit ArrayView(const List* array) : array_(array != nullptr && array->size > 0 ? array : nullptr) {}

  int size() const { return array_ != nullptr ? array_->size : 0; }
  bool has(int i) const { return i >= 0 && i < size(); }
  // `absent` outside the array.
  T at(int i, T absent) const { return has(i) ? array_->data[i] : absent; }
  const T* begin() const { return array_ != nullptr ? array_->data : nullptr; }
  const T* end() const { return begin() + size(); }

 private:
  const List* array_ = nullptr;
};

using IntView = ArrayView<TfLiteIntArray, int>;
using FloatView = ArrayView<TfLiteFloatArray, float>;

// The affine quantization of a tensor. A tensor without one has no scales.
struct QuantizationView {
  FloatView scales;
  IntView zero_points;
  int dimension = 0;
};

class TensorView {
 public:
  TensorView() = default;
  explicit TensorView(TfLiteTensor* tensor) : tensor_(tensor) {}

  // False for the view of an index that names no tensor; such a view must not be asked anything else.
  bool exists() const { return tensor_ != nullptr; }

  int32_t type() const { return tensor_->type; }
  // Never null; any bytes: Quoted in messages.
  const char* name() const { return tensor_->name != nullptr ? tensor_->name : ""; }
  IntView shape() const { return IntView(tensor_->dims); }
  // What `data` points to, which the runtime may not have allocated yet.
  size_t bytes() const { return tensor_->bytes; }
  void* data() const { return tensor_->data.raw; }
  // In the model, with its data.
  bool is_constant() const { return tensor_->allocation_type == kTfLiteMmapRo; }
  // Keeps its value from one invocation to the next; nodes change it without naming it as an output.
  bool is_variable() const { return tensor_->is_variable; }
  // Sized, and resized, while the model runs.
  bool is_dynamic() const { return tensor_->allocation_type == kTfLiteDynamic; }
  // Fewer values than its shape says, in TFLite's compressed format.
  bool is_sparse() const { return tensor_->sparsity != nullptr; }
  // Of a tensor quantized as a whole; what the reference kernels read.
  float scale() const { return tensor_->params.scale; }
  int32_t zero_point() const { return tensor_->params.zero_point; }
  QuantizationView quantization() const;

  bool HasShape(const Shape& shape) const;

 private:
  TfLiteTensor* tensor_ = nullptr;
};

struct NodeView {
  int32_t builtin_code = -1;
  IntView inputs;
  IntView outputs;
  // Which of the outputs is meant: an operator computes one, and a node that writes several is as many operators.
  int output = 0;
  // The operator's own structure of tflite_abi.h; null when the model has none.
  const void* parameters = nullptr;
  // Of the operator, as the model says: fields of its structure that came with a later one need not be there.
  int version = 1;
};

// A group of nodes that the runtime hands to the delegate, in the order they are to run in.
struct PartitionView {
  explicit PartitionView(const TfLiteDelegateParams& params)
      : nodes(params.nodes_to_replace), outputs(params.output_tensors) {}
  IntView nodes;
  IntView outputs;  // what the rest of the model reads, and the model's own outputs
};

class GraphView {
 public:
  explicit GraphView(TfLiteContext* context) : context_(context) {}

  // Number of tensors; a model with more than an int counts has none.
  int tensors() const;
  // Any index will do.
  TensorView tensor(int index) const;
  // False when the runtime has no such node.
  bool node(int index, NodeView* view) const;
  // A copy of the nodes in the order the runtime runs them in. False when it does not tell, or memory runs out.
  bool ExecutionPlan(Array<int>* plan) const;
  // Has the runtime give a tensor another shape, which may move its data. False when it refuses, or memory runs out.
  bool Resize(int index, const Shape& shape) const;

 private:
  TfLiteContext* context_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_GRAPH_GRAPH_VIEW_H_
