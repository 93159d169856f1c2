// What operators with a filter share: its weights, bias, scales, and padding, read from a node.
#ifndef TFLITE_EQ_DELEGATE_OPS_CONVOLUTION_OPERATOR_H_
#define TFLITE_EQ_DELEGATE_OPS_CONVOLUTION_OPERATOR_H_

#include <stdint.h>

#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/geometry.h"
#include "delegate/ops/operator.h"

namespace tflite_eq {

class ConvolutionOperator : public Operator {
 protected:
  // Where a node has its tensors, among its inputs.
  struct Positions {
    int input = 0;
    int filter = 1;
    int bias = 2;
  };

  // The tensors of a node whose filter, strides and padding are in the problem already: types, weights, scales.
  bool ReadTensors(const GraphView& graph, const NodeView& node, const Positions& at, int32_t activation, Reason* reason);
  bool ReadPadding(int32_t padding, Reason* reason);

  ConvProblem problem_;
  Padding padding_ = Padding::kSame;

 private:
  bool ReadWeights(TensorView filter, TensorView bias, Reason* reason);
  bool ReadQuantization(TensorView input, TensorView filter, TensorView output, int32_t activation, Reason* reason);

  Array<int32_t> multiplier_;
  Array<int32_t> shift_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_CONVOLUTION_OPERATOR_H_
