// Operators that compute nothing: PAD, PADV2, MIRROR_PAD, CONCATENATION, PACK, RESHAPE, SQUEEZE, EXPAND_DIMS.
#ifndef TFLITE_EQ_DELEGATE_OPS_SHAPE_OPERATORS_H_
#define TFLITE_EQ_DELEGATE_OPS_SHAPE_OPERATORS_H_

#include "delegate/ops/elementwise_operator.h"

namespace tflite_eq {

// PAD, with the output's zero point, and PADV2, with a constant. At most four dimensions, constant paddings.
class Pad : public ElementwiseOperator {
 public:
  Pad() : Pad(SimpleOperator::kCopy) {}

  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;

 protected:
  explicit Pad(SimpleOperator kind) : ElementwiseOperator(kind) {}

  static constexpr int kDimensions = 4;

  int rank_ = 0;
  // Of the last dimensions; those in front are of size 1 and are not padded.
  int before_[kDimensions] = {};
  int after_[kDimensions] = {};
  int size_[kDimensions] = {};
  int padded_[kDimensions] = {};

 private:
  int8_t value_ = 0;
};

// Padding that mirrors the input at its edges, with (SYMMETRIC) or without the edge itself.
class MirrorPad final : public Pad {
 public:
  MirrorPad() : Pad(SimpleOperator::kMirrorPad) {}

  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;

 private:
  // The index in the input of one in the output.
  int Mirrored(int dimension, int64_t index) const;

  int edge_ = 0;  // that is not repeated: 1 for REFLECT
};

// Along any axis, of tensors with one scale and zero point.
class Concatenation : public ElementwiseOperator {
 public:
  Concatenation() : ElementwiseOperator(SimpleOperator::kCopy) {}

  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;

 private:
  void Copy(const Codes& codes, int64_t begin, int64_t end) const;

 protected:
  bool ReadInputs(const GraphView& graph, const NodeView& node, Reason* reason);
  // Rows of the output go from the axis to the last dimension.
  bool CutRows(const Shape& output, int axis, Reason* reason);

  int axis_ = 0;
  Array<int64_t> bytes_;  // that each input has in a row: from the axis to the last dimension
};

// Along a new axis.
class Pack final : public Concatenation {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
};

// The same values under another shape.
class Reshape : public ElementwiseOperator {
 public:
  Reshape() : ElementwiseOperator(SimpleOperator::kReshape) {}

  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;
  Sharing sharing() const override { return Sharing::kView; }

 private:
  int rank_ = 0;
  int dims_[Shape::kMostDimensions] = {};  // one of them may be -1: what the others leave
};

class Squeeze final : public Reshape {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;

 private:
  // By position, from the front or, below 0, from the end; none for all of size 1.
  int count_ = 0;
  int squeezed_[8] = {};
};

class ExpandDims final : public Reshape {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;

 private:
  int axis_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_SHAPE_OPERATORS_H_
