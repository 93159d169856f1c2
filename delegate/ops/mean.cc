#include "delegate/ops/mean.h"

#include "delegate/ops/reference/mean.h"

namespace tflite_eq {

bool Mean::ReadScales(const GraphView& graph, Reason*) {
  input_ = QuantizationOf(graph.tensor(inputs_[0]));
  output_quantization_ = QuantizationOf(graph.tensor(output_));
  return true;
}

bool Mean::MakeConstants(Reason* reason) {
  if (MakeMeanConstants(input_, output_quantization_, reduced_, &constants_)) return true;
  reason->Set("the mean of %d values with its scales is none that the reference kernel takes", reduced_);
  return false;
}

void Mean::RunOne(const int8_t* input, int8_t* output) const { kernels_.mean(constants_, input, row_, output); }

void Mean::ReferenceOne(const int8_t* input, int8_t* output) const { ReferenceMean(constants_, input, row_, output); }

}  // namespace tflite_eq
