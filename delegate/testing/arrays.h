// TFLite's arrays of numbers, which carry their length and are freed with free().
#ifndef TFLITE_EQ_DELEGATE_TESTING_ARRAYS_H_
#define TFLITE_EQ_DELEGATE_TESTING_ARRAYS_H_

#include <cstdlib>
#include <cstring>
#include <vector>

#include "delegate/tflite_abi.h"

namespace tflite_eq {

// Apart from the delegate's malloc, which tests make fail.
inline void* AllocateForTest(size_t bytes) { return calloc(1, bytes); }

template <typename Array, typename T>
Array* MakeArray(const std::vector<T>& values) {
  auto* array = static_cast<Array*>(AllocateForTest(sizeof(Array) + values.size() * sizeof(T)));
  array->size = static_cast<int>(values.size());
  if (!values.empty()) memcpy(array->data, values.data(), values.size() * sizeof(T));
  return array;
}

inline TfLiteIntArray* MakeIntArray(const std::vector<int>& values) { return MakeArray<TfLiteIntArray>(values); }

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
