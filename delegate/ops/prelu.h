// PRELU with one slope per channel.
#ifndef TFLITE_EQ_DELEGATE_OPS_PRELU_H_
#define TFLITE_EQ_DELEGATE_OPS_PRELU_H_

#include "delegate/ops/channel_function.h"
#include "delegate/ops/elementwise_operator.h"

namespace tflite_eq {

class Prelu final : public ElementwiseOperator {
 public:
  Prelu() : ElementwiseOperator(SimpleOperator::kPrelu) {}

  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Prepare(const Environment& environment, int workers, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;
  int channelwise() const override { return slopes_.size(); }
  Sharing sharing() const override { return Sharing::kInPlace; }
  Description Describe() const override;

 private:
  // Each has a table while the operator is prepared.
  static constexpr int kMostSlopes = 1 << 16;

  void RunPixels(const int8_t* input, int8_t* output, int64_t begin, int64_t end) const;

  PreluConstants constants_;
  ChannelFunction function_;  // where there is no kernel of PRELU
  Array<int16_t> slopes_;
  int slope_rank_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_PRELU_H_
