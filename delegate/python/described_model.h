// Stands in for a runtime: a model that is described from Python, behind the functions of a TfLiteContext that a selection calls.
#ifndef TFLITE_EQ_DELEGATE_PYTHON_DESCRIBED_MODEL_H_
#define TFLITE_EQ_DELEGATE_PYTHON_DESCRIBED_MODEL_H_

#include <stdlib.h>

#include "delegate/array.h"
#include "delegate/ops/registry.h"
#include "delegate/python/kernels_api.h"
#include "delegate/python/parameters.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

// Null for operators that are the runtime's alone.
const OperatorKind* KindNamed(const char* name);

// One of TFLite's arrays: a size, then the values.
template <typename T>
class SizedArray {
 public:
  SizedArray() = default;
  SizedArray(const SizedArray&) = delete;
  SizedArray& operator=(const SizedArray&) = delete;
  ~SizedArray() { free(made_); }

  // False when memory runs out.
  template <typename Value>
  bool Copy(const Value* values, int count) {
    free(made_);
    made_ = static_cast<T*>(malloc(sizeof(T) + static_cast<size_t>(count) * sizeof(Value)));
    if (made_ == nullptr) return false;
    made_->size = count;
    for (int i = 0; i < count; ++i) made_->data[i] = values[i];
    return true;
  }
  T* get() const { return made_; }

 private:
  T* made_ = nullptr;
};

class DescribedModel {
 public:
  DescribedModel() = default;
  DescribedModel(const DescribedModel&) = delete;
  DescribedModel& operator=(const DescribedModel&) = delete;

  // A Status. What the tensors and nodes point at has to live as long as this. Indices are in range.
  int32_t Describe(const EqTensor* tensors, int tensor_count, const EqNode* nodes, int node_count, Reason* reason);

  TfLiteContext* context() { return &context_; }

 private:
  struct Tensor {
    bool Describe(const EqTensor& described, TfLiteTensor* tensor);

    SizedArray<TfLiteIntArray> shape;
    SizedArray<TfLiteFloatArray> scales;
    SizedArray<TfLiteIntArray> zero_points;
    TfLiteAffineQuantizationParams affine = {};
  };
  struct Node {
    SizedArray<TfLiteIntArray> inputs;
    SizedArray<TfLiteIntArray> outputs;
    Parameters parameters;
  };

  static DescribedModel& Self(TfLiteContext* context) { return *static_cast<DescribedModel*>(context->impl_); }
  bool Partition(const TfLiteIntArray* chosen);
  bool AddPartition(const Array<bool>& members);
  bool IsReady(const Node& node) const;

  Array<Tensor> described_tensors_;
  Array<TfLiteTensor> tensors_;
  Array<Node> described_nodes_;
  Array<TfLiteNode> nodes_;
  Array<TfLiteRegistration> registrations_;
  SizedArray<TfLiteIntArray> plan_;
  // What Partition makes: at most a set per node.
  Array<bool> ready_;  // by tensor
  Array<SizedArray<TfLiteIntArray>> members_;
  Array<TfLiteDelegateParams> partitions_;
  int partition_count_ = 0;
  TfLiteContext context_ = {};
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_PYTHON_DESCRIBED_MODEL_H_
