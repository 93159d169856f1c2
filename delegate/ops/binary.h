// ADD, SUB, MUL, MAXIMUM and MINIMUM, with broadcasting.
#ifndef TFLITE_EQ_DELEGATE_OPS_BINARY_H_
#define TFLITE_EQ_DELEGATE_OPS_BINARY_H_

#include "delegate/kernels/code_lines.h"
#include "delegate/ops/elementwise_operator.h"

namespace tflite_eq {

class Binary : public ElementwiseOperator {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  Units Divide() override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;
  int channelwise() const override;

 protected:
  explicit Binary(SimpleOperator kind) : ElementwiseOperator(kind) {}
  virtual bool MakeConstants(const NodeView& node, const Quantization (&inputs)[2], const Quantization& output, Reason* reason) = 0;
  virtual void Compute(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const = 0;
  virtual void ReferenceRun(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const = 0;

 private:
  // One of the two that are combined: computed, or a constant of the model.
  struct Side {
    const int8_t* constant = nullptr;
    int input = 0;  // position among inputs(), if it is computed
    Shape shape;
    bool repeats = false;                   // one value stands for a whole run
    int64_t strides[Shape::kMostDimensions] = {};  // in front of runs; 0 where it is broadcast
  };
  const int8_t* Base(const Codes& codes, const Side& side) const { return side.constant != nullptr ? side.constant : codes.inputs[side.input]; }
  // The offsets of a run's first values.
  void Offsets(int64_t run, int64_t (&offsets)[2]) const;
  template <typename Function>
  void ForRuns(const Codes& codes, int64_t begin, int64_t end, int8_t* scratch, Function function) const;

  Side sides_[2];
  Shape outer_;  // the output's dimensions in front of runs, along each of which a side is whole or broadcast
};

class Sum final : public Binary {
 public:
  explicit Sum(bool subtract) : Binary(SimpleOperator::kAdd), subtract_(subtract) {}

 private:
  bool MakeConstants(const NodeView& node, const Quantization (&inputs)[2], const Quantization& output, Reason* reason) override;
  bool Prepare(const Environment& environment, int workers, Reason* reason) override;
  void Compute(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const override {
    on_line_ ? kernels_.add_on_line(line_, first, second, output, count) : kernels_.add(constants_, first, second, output, count);
  }
  void ReferenceRun(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const override;

  AddConstants constants_;
  AddLine line_;
  bool on_line_ = false;
  bool subtract_;
};

class Product final : public Binary {
 public:
  Product() : Binary(SimpleOperator::kMul) {}

 private:
  bool MakeConstants(const NodeView& node, const Quantization (&inputs)[2], const Quantization& output, Reason* reason) override;
  void Compute(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const override {
    kernels_.mul(constants_, first, second, output, count);
  }
  void ReferenceRun(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const override;

  MulConstants constants_;
};

// MAXIMUM and MINIMUM of tensors with one scale and zero point.
class Extremum final : public Binary {
 public:
  explicit Extremum(bool minimum) : Binary(SimpleOperator::kExtremum), minimum_(minimum) {}

 private:
  bool MakeConstants(const NodeView& node, const Quantization (&inputs)[2], const Quantization& output, Reason* reason) override;
  void Compute(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const override;
  void ReferenceRun(const int8_t* first, const int8_t* second, int8_t* output, size_t count) const override;

  bool minimum_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_BINARY_H_
