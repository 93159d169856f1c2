// DEPTHWISE_CONV_2D.
#ifndef TFLITE_EQ_DELEGATE_OPS_DEPTHWISE_CONV_2D_H_
#define TFLITE_EQ_DELEGATE_OPS_DEPTHWISE_CONV_2D_H_

#include "delegate/ops/conv_2d.h"

namespace tflite_eq {

class DepthwiseConv2d final : public Conv2d {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  Worth Judge(const Environment& environment, bool insist) const override;
  // A multiplication for each channel, if it looks at one pixel.
  int channelwise() const override;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_DEPTHWISE_CONV_2D_H_
