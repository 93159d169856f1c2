// FULLY_CONNECTED with a scale per output channel: a convolution of one pixel. With one scale for all, versions of the runtime differ.
#ifndef TFLITE_EQ_DELEGATE_OPS_FULLY_CONNECTED_H_
#define TFLITE_EQ_DELEGATE_OPS_FULLY_CONNECTED_H_

#include "delegate/ops/conv_2d.h"

namespace tflite_eq {

class FullyConnected final : public Conv2d {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;

 private:
  bool keeps_dimensions_ = false;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_FULLY_CONNECTED_H_
