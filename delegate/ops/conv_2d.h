// CONV_2D: one of the kernels of kernels/, chosen by the policy.
#ifndef TFLITE_EQ_DELEGATE_OPS_CONV_2D_H_
#define TFLITE_EQ_DELEGATE_OPS_CONV_2D_H_

#include <stdint.h>

#include "delegate/kernels/plan.h"
#include "delegate/kernels/prepared_conv.h"
#include "delegate/ops/convolution_operator.h"

namespace tflite_eq {

class Conv2d : public ConvolutionOperator {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  Worth Judge(const Environment& environment, bool insist) const override;
  bool Prepare(const Environment& environment, int workers, Reason* reason) override;
  Units Divide() override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;
  Description Describe() const override;

 private:
  Plan Choose(const Environment& environment, bool insist) const;
  ConvProblem Judged() const;
  void SetRowWork();
  bool ReadGeometry(TensorView input, TensorView filter, TensorView output, const TfLiteConvParams& parameters, Reason* reason);

  PreparedConv conv_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_CONV_2D_H_
