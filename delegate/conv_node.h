// A CONV_2D node as TFLite describes it, read into a ConvProblem, or the reason why it is not one.
#ifndef TFLITE_EQ_DELEGATE_CONV_NODE_H_
#define TFLITE_EQ_DELEGATE_CONV_NODE_H_

#include <stdint.h>

#include "delegate/array.h"
#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/geometry.h"
#include "delegate/kernels/plan.h"
#include "delegate/options.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

class ConvNode {
 public:
  // False with a reason when the node is no int8 convolution of constant weights, or its parameters are not understood. The
  // weights stay where they are, in the model.
  bool Read(const TfLiteContext& context, const TfLiteNode& node, Reason* reason);

  // The plan under the given options and CPU.
  Plan Choose(const DelegateOptions& options, const CpuProfile& cpu) const;

  // Geometry for another input size. False with a reason when the filter no longer fits, or sizes are too large.
  bool Resize(int batch, int height, int width, Reason* reason);

  const ConvProblem& problem() const { return problem_; }
  int input() const { return input_; }
  int output() const { return output_; }

 private:
  bool ReadShape(const TfLiteTensor& input, const TfLiteTensor& filter, const TfLiteTensor& output,
                 const TfLiteConvParams& parameters, Reason* reason);
  bool ReadQuantization(const TfLiteTensor& input, const TfLiteTensor& filter, const TfLiteTensor& output,
                        const TfLiteConvParams& parameters, Reason* reason);

  ConvProblem problem_;
  Padding padding_ = Padding::kSame;
  Array<int32_t> multiplier_;
  Array<int32_t> shift_;
  int input_ = -1;
  int output_ = -1;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_CONV_NODE_H_
