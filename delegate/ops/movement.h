// Operators that take codes from one input in another order or a part of them: TRANSPOSE, SLICE, STRIDED_SLICE, SPLIT, SPLIT_V, UNPACK,
// SPACE_TO_DEPTH, DEPTH_TO_SPACE. Each is a way to read a node and a view of its input.
#ifndef TFLITE_EQ_DELEGATE_OPS_MOVEMENT_H_
#define TFLITE_EQ_DELEGATE_OPS_MOVEMENT_H_

#include "delegate/ops/elementwise_operator.h"
#include "delegate/ops/reference/strided_view.h"
#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

class Movement final : public ElementwiseOperator {
 public:
  static constexpr int kMostConstants = 3;

  // What a node says besides the tensor whose codes move.
  struct Arguments {
    ConstantInts constants[kMostConstants];  // its other inputs, in their order
    int pieces = 1;                          // its outputs
    int which = 0;                           // the one that is meant
    int number = 0;                          // an axis, or the pixels along a block
    StridedSlices slices;
  };

  struct Kind {
    SimpleOperator cost;
    int moved;                           // position of the tensor among the inputs
    bool several_outputs;
    const char* roles[kMostConstants];   // of the constants; null behind the last
    // What the node's parameters say; null where there are none to be read.
    bool (*read)(const NodeView& node, Arguments* arguments, Reason* reason);
    bool (*view)(const Arguments& arguments, const Shape& input, StridedView* view, Shape* output, Reason* reason);
  };

  explicit Movement(const Kind* kind);

  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;

 private:
  const Kind& movement_;
  Arguments arguments_;
  StridedView view_;
  StridedView merged_;
};

extern const Movement::Kind kDepthToSpace;
extern const Movement::Kind kSlice;
extern const Movement::Kind kSpaceToDepth;
extern const Movement::Kind kSplit;
extern const Movement::Kind kSplitV;
extern const Movement::Kind kStridedSlice;
extern const Movement::Kind kTranspose;
extern const Movement::Kind kUnpack;

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_MOVEMENT_H_
