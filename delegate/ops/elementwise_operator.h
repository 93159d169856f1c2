// What operators share that compute each value of the output by itself, or nearly so.
#ifndef TFLITE_EQ_DELEGATE_OPS_ELEMENTWISE_OPERATOR_H_
#define TFLITE_EQ_DELEGATE_OPS_ELEMENTWISE_OPERATOR_H_

#include "delegate/kernels/elementwise.h"
#include "delegate/ops/even_units.h"
#include "delegate/ops/operator.h"
#include "delegate/ops/reference/quantization.h"

namespace tflite_eq {

inline Quantization QuantizationOf(TensorView tensor) { return {tensor.scale(), tensor.zero_point()}; }

class ElementwiseOperator : public Operator {
 public:
  Worth Judge(const Environment& environment, bool insist) const override;
  bool Prepare(const Environment& environment, int workers, Reason* reason) override;
  Units Divide() override;
  Description Describe() const override;

 protected:
  explicit ElementwiseOperator(SimpleOperator kind) : kind_(kind) {}
  // The input at a position and the output are int8 tensors that are quantized as a whole. Sets `inputs_` to that one, and `output_`.
  bool ReadInt8(const GraphView& graph, const NodeView& node, int fewest_inputs, int most_inputs, Reason* reason, int position = 0,
                bool several_outputs = false);
  bool SetInputs(const int* tensors, int count, Reason* reason);

  // How many values the costs of cpu_profile.h are counted by.
  virtual int64_t values() const { return items_ * item_bytes_; }

  SimpleOperator kind_;
  ElementwiseKernels kernels_ = {};
  // What may be cut between any two: set by Resize.
  int64_t items_ = 0;
  int64_t item_bytes_ = 1;
  EvenUnits units_;
  int workers_ = 1;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_ELEMENTWISE_OPERATOR_H_
