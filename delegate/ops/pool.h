// MAX_POOL_2D and AVERAGE_POOL_2D.
#ifndef TFLITE_EQ_DELEGATE_OPS_POOL_H_
#define TFLITE_EQ_DELEGATE_OPS_POOL_H_

#include "delegate/kernels/geometry.h"
#include "delegate/ops/elementwise_operator.h"

namespace tflite_eq {

class Pool : public ElementwiseOperator {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;
  Description Describe() const override;

 protected:
  using Kernel = void (*)(const PoolShape& shape, const int8_t* input, int row_begin, int row_end, int8_t* output);
  explicit Pool(SimpleOperator kind) : ElementwiseOperator(kind) {}
  virtual Kernel kernel() const = 0;
  virtual void ReferenceImage(const int8_t* input, int8_t* output) const = 0;
  int64_t values() const override;

  PoolShape shape_;

 private:
  size_t input_image() const;
  size_t output_image() const;

  Padding padding_ = Padding::kSame;
  int batch_ = 0;
};

class MaxPool2d final : public Pool {
 public:
  MaxPool2d() : Pool(SimpleOperator::kMaxPool) {}

 private:
  Kernel kernel() const override { return kernels_.max_pool; }
  void ReferenceImage(const int8_t* input, int8_t* output) const override;
};

class AveragePool2d final : public Pool {
 public:
  AveragePool2d() : Pool(SimpleOperator::kAveragePool) {}

 private:
  Kernel kernel() const override { return kernels_.average_pool; }
  void ReferenceImage(const int8_t* input, int8_t* output) const override;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_POOL_H_
