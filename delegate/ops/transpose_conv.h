// TRANSPOSE_CONV. Rows and columns of the output that are equal modulo the strides see the same taps of the filter, and are what a
// convolution with stride 1 and these taps makes of the input: there are as many convolutions as strides multiply to.
#ifndef TFLITE_EQ_DELEGATE_OPS_TRANSPOSE_CONV_H_
#define TFLITE_EQ_DELEGATE_OPS_TRANSPOSE_CONV_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/plan.h"
#include "delegate/kernels/prepared_conv.h"
#include "delegate/ops/convolution_operator.h"

namespace tflite_eq {

// What is equal modulo the stride along one axis of a transposed convolution.
struct TransposedPhase {
  // Of output values first, first + stride, ...: so many.
  int first = 0;
  int count = 0;
  // The convolution's taps, the first of which is tap `first_tap` + (taps - 1) * stride of the filter, the next one a stride before it.
  // Those beyond the filter are 0.
  int first_tap = 0;
  int taps = 0;
  // What reads as the zero point in front of the input.
  int pad = 0;
};
// `pad`: how many of the output's values lie in front of the first one that is kept. `phase` is below the stride.
TransposedPhase PhaseOf(int output, int filter, int stride, int pad, int phase);

class TransposeConv final : public ConvolutionOperator {
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
  struct Phase {
    TransposedPhase rows;
    TransposedPhase columns;
    PreparedConv conv;
    bool is_empty() const { return rows.count < 1 || columns.count < 1; }
  };

  bool ResolveTransposedPadding(Reason* reason);
  TransposedPhase RowsOf(int phase) const;
  TransposedPhase ColumnsOf(int phase) const;
  ConvShape ShapeOf(const TransposedPhase& rows, const TransposedPhase& columns) const;
  bool PreparePhase(const Plan& plan, int workers, Phase* phase, Reason* reason) const;
  Plan Choose(const Environment& environment) const;
  void RunPhase(const Phase& phase, const int8_t* input, int8_t* output, char* scratch) const;
  int phase_count() const { return problem_.shape.stride_height * problem_.shape.stride_width; }
  // Every output looks at the same taps: the convolution's output is the operator's.
  bool is_one_convolution() const { return phase_count() == 1; }

  Array<Phase> phases_;
  size_t image_bytes_ = 0;  // in a thread's scratch: what one convolution writes
  bool has_input_ = false;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_TRANSPOSE_CONV_H_
