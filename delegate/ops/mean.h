// MEAN over the height and the width of images.
#ifndef TFLITE_EQ_DELEGATE_OPS_MEAN_H_
#define TFLITE_EQ_DELEGATE_OPS_MEAN_H_

#include "delegate/ops/elementwise_operator.h"

namespace tflite_eq {

class Mean final : public ElementwiseOperator {
 public:
  Mean() : ElementwiseOperator(SimpleOperator::kMean) {}

  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;

 private:
  Quantization input_;
  Quantization output_quantization_;
  bool keep_dims_ = false;
  MeanConstants constants_;
  int channels_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_MEAN_H_
