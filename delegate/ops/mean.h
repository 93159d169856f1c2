// MEAN.
#ifndef TFLITE_EQ_DELEGATE_OPS_MEAN_H_
#define TFLITE_EQ_DELEGATE_OPS_MEAN_H_

#include "delegate/ops/reduction.h"

namespace tflite_eq {

class Mean final : public Reduction {
 public:
  Mean() : Reduction(SimpleOperator::kMean) {}

 private:
  bool ReadScales(const GraphView& graph, Reason* reason) override;
  bool MakeConstants(Reason* reason) override;
  void RunOne(const int8_t* input, int8_t* output) const override;
  void ReferenceOne(const int8_t* input, int8_t* output) const override;

  Quantization input_;
  Quantization output_quantization_;
  MeanConstants constants_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_MEAN_H_
