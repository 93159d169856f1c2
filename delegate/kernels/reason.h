// Why something is refused or chosen.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REASON_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REASON_H_

namespace tflite_eq {

// A sentence for people, in a fixed buffer so that it can be made without a heap.
struct Reason {
  char text[192] = "";
  void Set(const char* format, ...) __attribute__((format(printf, 2, 3)));
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REASON_H_
