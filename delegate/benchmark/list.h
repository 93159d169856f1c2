// An array that measurements are added to one by one.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_LIST_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_LIST_H_

#include <stdio.h>
#include <stdlib.h>

#include "delegate/array.h"
#include "delegate/benchmark/message.h"

namespace tflite_eq {

template <typename T>
class List : public Array<T> {
 public:
  // Ends the program when memory runs out: there is nothing left to measure then.
  void Add(const T& item) {
    if (Array<T>::Add(item)) return;
    fprintf(stderr, "eq_benchmark: out of memory\n");
    exit(kExitRunFailed);
  }
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_LIST_H_
