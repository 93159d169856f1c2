// The shape of a tensor, as the delegate computes with it.
#ifndef TFLITE_EQ_DELEGATE_GRAPH_SHAPE_H_
#define TFLITE_EQ_DELEGATE_GRAPH_SHAPE_H_

#include <stdint.h>

#include "delegate/kernels/geometry.h"

namespace tflite_eq {

struct Shape {
  static constexpr int kMostDimensions = 8;  // TFLite's

  int rank = 0;
  int dims[kMostDimensions] = {};

  // One byte each. At most kLargestSize once IsValid.
  int64_t elements() const {
    int64_t count = 1;
    for (int i = 0; i < rank; ++i) count *= dims[i];
    return count;
  }

  // Whether no dimension is negative and the product of all, those of 0 counted as 1, is within what kernels count with.
  bool IsValid() const {
    int64_t count = 1;
    for (int i = 0; i < rank; ++i) {
      if (dims[i] < 0) return false;
      if (dims[i] > 0 && __builtin_mul_overflow(count, int64_t{dims[i]}, &count)) return false;
      if (count > kLargestSize) return false;
    }
    return true;
  }

  bool operator==(const Shape& other) const {
    if (rank != other.rank) return false;
    for (int i = 0; i < rank; ++i) {
      if (dims[i] != other.dims[i]) return false;
    }
    return true;
  }
  bool operator!=(const Shape& other) const { return !(*this == other); }
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_GRAPH_SHAPE_H_
