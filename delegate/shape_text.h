// Shapes for messages, and what tensors of them take.
#ifndef TFLITE_EQ_DELEGATE_SHAPE_TEXT_H_
#define TFLITE_EQ_DELEGATE_SHAPE_TEXT_H_

#include <stddef.h>

#include "delegate/graph/shape.h"
#include "delegate/kernels/reason.h"

namespace tflite_eq {

inline size_t Bytes(const Shape& shape) { return static_cast<size_t>(shape.elements()); }

// "[1, 224, 224, 3]"
struct ShapeText {
  explicit ShapeText(const Shape& shape) {
    text.Set("[");
    for (int i = 0; i < shape.rank; ++i) {
      Reason before = text;
      text.Set("%.100s%s%d", before.text, i > 0 ? ", " : "", shape.dims[i]);
    }
    Reason before = text;
    text.Set("%.150s]", before.text);
  }
  Reason text;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_SHAPE_TEXT_H_
