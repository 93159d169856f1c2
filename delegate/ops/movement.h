// Operators that take codes from one input in another order or a part of them: TRANSPOSE, SLICE, STRIDED_SLICE, SPLIT, SPLIT_V, UNPACK,
// SPACE_TO_DEPTH, DEPTH_TO_SPACE.
#ifndef TFLITE_EQ_DELEGATE_OPS_MOVEMENT_H_
#define TFLITE_EQ_DELEGATE_OPS_MOVEMENT_H_

#include "delegate/ops/elementwise_operator.h"
#include "delegate/ops/reference/strided_view.h"
#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

class Movement : public ElementwiseOperator {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;

 protected:
  // The node has so many inputs, of which one's codes move, and one output or several.
  explicit Movement(int inputs, int moved = 0, bool several_outputs = false)
      : ElementwiseOperator(SimpleOperator::kMove), node_inputs_(inputs), moved_(moved), several_outputs_(several_outputs) {}
  // What the node says besides its tensors; what it makes of an input.
  virtual bool ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) = 0;
  virtual bool View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const = 0;

 private:
  int node_inputs_;
  int moved_;
  bool several_outputs_;
  StridedView view_;
  StridedView merged_;
};

class Transpose final : public Movement {
 public:
  Transpose() : Movement(2) {}

 private:
  bool ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const override;

  ConstantInts order_;
};

class Slice final : public Movement {
 public:
  Slice() : Movement(3) {}

 private:
  bool ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const override;

  ConstantInts begins_;
  ConstantInts sizes_;
};

class StridedSlice final : public Movement {
 public:
  StridedSlice() : Movement(4) {}

 private:
  bool ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const override;

  StridedSlices slices_;
};

// One of the outputs of SPLIT, SPLIT_V or UNPACK.
class Piece : public Movement {
 protected:
  Piece(int inputs, int moved) : Movement(inputs, moved, /*several_outputs=*/true) {}
  bool View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const override;
  // Sets `axis_`.
  bool ReadAxis(const GraphView& graph, const NodeView& node, int position, Reason* reason);

  int axis_ = 0;
  int pieces_ = 1;
  int which_ = 0;
};

class Split final : public Piece {
 public:
  Split() : Piece(2, 1) {}

 private:
  bool ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) override;
};

class SplitV final : public Piece {
 public:
  SplitV() : Piece(3, 0) {}

 private:
  bool ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const override;

  ConstantInts sizes_;
};

class Unpack final : public Piece {
 public:
  Unpack() : Piece(1, 0) {}

 private:
  bool ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const override;
};

// SPACE_TO_DEPTH and DEPTH_TO_SPACE.
class Blocks final : public Movement {
 public:
  using MakeView = bool (*)(const Shape& input, int block, StridedView* view, Shape* output, Reason* reason);
  explicit Blocks(MakeView make) : Movement(1), make_(make) {}

 private:
  bool ReadArguments(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool View(const Shape& input, StridedView* view, Shape* output, Reason* reason) const override {
    return make_(input, block_, view, output, reason);
  }

  MakeView make_;
  int block_ = 1;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_MOVEMENT_H_
