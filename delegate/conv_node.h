// A CONV_2D node as TFLite describes it, read into a ConvProblem, or the reason why it is not one.
#ifndef TFLITE_EQ_DELEGATE_CONV_NODE_H_
#define TFLITE_EQ_DELEGATE_CONV_NODE_H_

#include <stdint.h>

#include "delegate/array.h"
#include "delegate/graph/graph_view.h"
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
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason);

  // The plan under the given options and CPU.
  Plan Choose(const DelegateOptions& options, const CpuProfile& cpu) const;
  // The kernel for a layer that is to be claimed if one is exact.
  Plan Insist(const DelegateOptions& options, const CpuProfile& cpu) const;

  // Geometry for another input size; any may be 0. False with a reason when there is no such convolution.
  bool Resize(int batch, int height, int width, Reason* reason);

  const ConvProblem& problem() const { return problem_; }
  int input() const { return input_; }
  int output() const { return output_; }

 private:
  bool ReadShape(TensorView input, TensorView filter, TensorView output, const TfLiteConvParams& parameters, Reason* reason);
  bool ReadWeights(TensorView filter, TensorView bias, Reason* reason);
  bool ReadQuantization(TensorView input, TensorView filter, TensorView output, const TfLiteConvParams& parameters,
                        Reason* reason);

  ConvProblem problem_;
  Padding padding_ = Padding::kSame;
  Array<int32_t> multiplier_;
  Array<int32_t> shift_;
  int input_ = kNoTensor;
  int output_ = kNoTensor;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_CONV_NODE_H_
