// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR to a constant size.
#ifndef TFLITE_EQ_DELEGATE_OPS_RESIZE_H_
#define TFLITE_EQ_DELEGATE_OPS_RESIZE_H_

#include "delegate/ops/elementwise_operator.h"
#include "delegate/ops/reference/resize.h"

namespace tflite_eq {

class ResizeImage : public ElementwiseOperator {
 public:
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason) override;
  bool Resize(const Shape* inputs, Shape* output, Reason* reason) override;
  void Run(const Codes& codes, int unit, void* scratch) const override;
  void Reference(const Codes& codes) const override;

 protected:
  explicit ResizeImage(SimpleOperator kind) : ElementwiseOperator(kind) {}
  virtual void PlaceColumns() = 0;
  virtual bool stays_inside() const { return true; }
  virtual void RunRow(const int8_t* image, int row, int8_t* output) const = 0;
  virtual void ReferenceImage(const int8_t* input, int8_t* output) const = 0;
  int64_t input_row() const { return int64_t{columns_.input} * channels_; }
  int64_t output_row() const { return int64_t{columns_.output} * channels_; }

  ResizeAxis rows_;
  ResizeAxis columns_;
  int channels_ = 0;
  Array<Interpolation> places_;  // one for each output column
};

class ResizeBilinear final : public ResizeImage {
 public:
  ResizeBilinear() : ResizeImage(SimpleOperator::kResizeBilinear) {}

 private:
  void PlaceColumns() override;
  bool stays_inside() const override { return StaysInside(rows_) && StaysInside(columns_); }
  void RunRow(const int8_t* image, int row, int8_t* output) const override;
  void ReferenceImage(const int8_t* input, int8_t* output) const override {
    ReferenceResizeBilinear(rows_, columns_, channels_, input, output);
  }
};

class ResizeNearestNeighbor final : public ResizeImage {
 public:
  ResizeNearestNeighbor() : ResizeImage(SimpleOperator::kResizeNearest) {}

 private:
  void PlaceColumns() override;
  void RunRow(const int8_t* image, int row, int8_t* output) const override;
  void ReferenceImage(const int8_t* input, int8_t* output) const override {
    ReferenceResizeNearest(rows_, columns_, channels_, input, output);
  }
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_RESIZE_H_
