// Operators whose output code depends on one input code alone: RELU and its kin, ABS, LEAKY_RELU, HARD_SWISH, LOGISTIC, TANH, EXP, GELU,
// QUANTIZE. A table.
#ifndef TFLITE_EQ_DELEGATE_OPS_UNARY_H_
#define TFLITE_EQ_DELEGATE_OPS_UNARY_H_

#include "delegate/ops/elementwise_operator.h"
#include "delegate/ops/reference/unary.h"

namespace tflite_eq {

class Unary : public ElementwiseOperator {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;
  int channelwise() const override { return 1; }
  Sharing sharing() const override { return Sharing::kInPlace; }

 protected:
  explicit Unary(SimpleOperator kind) : ElementwiseOperator(kind) {}
  virtual bool MakeTable(const NodeView& node, const Quantization& input, const Quantization& output, Reason* reason) = 0;

  int8_t table_[kCodes] = {};
};

template <Activation activation>
class Relu final : public Unary {
 public:
  Relu() : Unary(SimpleOperator::kRelu) {}

 private:
  bool MakeTable(const NodeView&, const Quantization& input, const Quantization& output, Reason*) override {
    return ReluTable(activation, input, output, table_);
  }
};

class LeakyRelu final : public Unary {
 public:
  LeakyRelu() : Unary(SimpleOperator::kLeakyRelu) {}

 private:
  bool MakeTable(const NodeView& node, const Quantization& input, const Quantization& output, Reason* reason) override;
};

class HardSwish final : public Unary {
 public:
  HardSwish() : Unary(SimpleOperator::kHardSwish) {}

 private:
  bool MakeTable(const NodeView&, const Quantization& input, const Quantization& output, Reason*) override {
    return HardSwishTable(input, output, table_);
  }
};

class Abs final : public Unary {
 public:
  Abs() : Unary(SimpleOperator::kHardSwish) {}

 private:
  bool MakeTable(const NodeView&, const Quantization& input, const Quantization& output, Reason*) override {
    return AbsTable(input, output, table_);
  }
};

// LOGISTIC, TANH and EXP: from the C library's functions in the runtime, so that there is a table or none.
class CertainUnary final : public Unary {
 public:
  using MakeCertainTable = bool (*)(const Quantization& input, const Quantization& output, int8_t table[kCodes]);
  explicit CertainUnary(MakeCertainTable make) : Unary(SimpleOperator::kSigmoid), make_(make) {}

 private:
  bool MakeTable(const NodeView&, const Quantization& input, const Quantization& output, Reason* reason) override;

  MakeCertainTable make_;
};

// Likewise.
class Gelu final : public Unary {
 public:
  Gelu() : Unary(SimpleOperator::kSigmoid) {}

 private:
  bool MakeTable(const NodeView& node, const Quantization& input, const Quantization& output, Reason* reason) override;
};

class Requantize final : public Unary {
 public:
  Requantize() : Unary(SimpleOperator::kRequantize) {}

 private:
  bool MakeTable(const NodeView&, const Quantization& input, const Quantization& output, Reason*) override {
    return RequantizeTable(input, output, table_);
  }
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_UNARY_H_
