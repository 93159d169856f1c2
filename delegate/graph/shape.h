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

  // One byte each. Within bounds once IsValid.
  int64_t elements() const {
    int64_t count = 1;
    for (int i = 0; i < rank; ++i) count *= dims[i];
    return count;
  }

  // Whether no dimension is negative and kernels can count the values: at most kLargestSize, or none. Of a tensor without values the
  // other dimensions may be larger, as long as no product of them overflows.
  bool IsValid() const {
    int64_t count = 1;
    bool empty = false;
    for (int i = 0; i < rank; ++i) {
      if (dims[i] < 0) return false;
      empty = empty || dims[i] == 0;
      if (dims[i] > 0 && __builtin_mul_overflow(count, int64_t{dims[i]}, &count)) return false;
    }
    return empty || count <= kLargestSize;
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
