// MEAN, REDUCE_MAX and REDUCE_MIN over dimensions that are neighbours, such as height and width.
#ifndef TFLITE_EQ_DELEGATE_OPS_REDUCTION_H_
#define TFLITE_EQ_DELEGATE_OPS_REDUCTION_H_

#include "delegate/ops/elementwise_operator.h"
#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

class Reduction : public ElementwiseOperator {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;

 protected:
  explicit Reduction(SimpleOperator kind) : ElementwiseOperator(kind) {}
  virtual bool ReadScales(const GraphView& graph, Reason* reason) = 0;
  // Of `reduced_` values to one.
  virtual bool MakeConstants(Reason*) { return true; }
  // Rows of `row_` values, reduced_ of them, to one.
  virtual void RunOne(const int8_t* input, int8_t* output) const = 0;
  virtual void ReferenceOne(const int8_t* input, int8_t* output) const = 0;

  int reduced_ = 0;
  int row_ = 0;

 private:
  ConstantInts axes_;
  bool keep_dims_ = false;
};

class ReduceExtremum final : public Reduction {
 public:
  explicit ReduceExtremum(bool minimum) : Reduction(SimpleOperator::kMean), minimum_(minimum) {}

 private:
  bool ReadScales(const GraphView& graph, Reason* reason) override;
  void RunOne(const int8_t* input, int8_t* output) const override;
  void ReferenceOne(const int8_t* input, int8_t* output) const override;

  bool minimum_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REDUCTION_H_
