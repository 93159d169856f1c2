// Why something is refused or chosen.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REASON_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REASON_H_

#include "delegate/kernels/always_inline.h"

namespace tflite_eq {

// A sentence for people, in a fixed buffer so that it can be made without a heap.
struct Reason {
  TFLITE_EQ_ALWAYS_INLINE Reason() = default;
  char text[192] = "";
  void Set(const char* format, ...) __attribute__((format(printf, 2, 3)));
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REASON_H_
