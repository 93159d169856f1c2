// A growing list of plain values. Array (delegate/array.h) has the size it was made with; measurements come one by one.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_LIST_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_LIST_H_

#include <stdio.h>
#include <stdlib.h>

#include <new>
#include <type_traits>

#include "delegate/benchmark/exit_codes.h"

namespace tflite_eq {

template <typename T>
class List {
  static_assert(std::is_trivially_copyable<T>::value, "elements move with realloc");

 public:
  List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() { free(items_); }

  // Ends the program when memory runs out: there is nothing left to measure then.
  void Add(const T& item) {
    if (size_ == capacity_) {
      capacity_ = capacity_ > 0 ? 2 * capacity_ : 16;
      T* items = static_cast<T*>(realloc(static_cast<void*>(items_), sizeof(T) * static_cast<size_t>(capacity_)));
      if (items == nullptr) {
        fprintf(stderr, "eq_benchmark: out of memory\n");
        exit(kExitRunFailed);
      }
      items_ = items;
    }
    new (items_ + size_++) T(item);
  }
  void Clear() { size_ = 0; }
  void DropLast() { --size_; }

  int size() const { return size_; }
  T& operator[](int i) { return items_[i]; }
  const T& operator[](int i) const { return items_[i]; }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
  const T* begin() const { return items_; }
  const T* end() const { return items_ + size_; }

 private:
  T* items_ = nullptr;
  int size_ = 0;
  int capacity_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_LIST_H_
