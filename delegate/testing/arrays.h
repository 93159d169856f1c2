// TFLite's arrays of numbers, which carry their length and are freed with free().
#ifndef TFLITE_EQ_DELEGATE_TESTING_ARRAYS_H_
#define TFLITE_EQ_DELEGATE_TESTING_ARRAYS_H_

#include <cstdlib>
#include <vector>

#include "delegate/runtime_graph/sized_array.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

// Apart from the delegate's malloc, which tests make fail.
inline void* AllocateForTest(size_t bytes) { return calloc(1, bytes); }

inline TfLiteIntArray* MakeIntArray(const std::vector<int>& values) {
  SizedArray<TfLiteIntArray> array;
  array.Copy(values.data(), static_cast<int>(values.size()));
  return array.Release();
}

// For loops; allocates nothing.
struct IntArrayView {
  const TfLiteIntArray* array;
  const int* begin() const { return array->data; }
  const int* end() const { return array->data + array->size; }
};

inline std::vector<int> ToVector(const TfLiteIntArray* array) {
  return array != nullptr ? std::vector<int>(array->data, array->data + array->size) : std::vector<int>();
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_TESTING_ARRAYS_H_
