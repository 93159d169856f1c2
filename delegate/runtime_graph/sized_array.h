// TFLite's arrays of numbers: a size, then the values, in one block that free() takes.
#ifndef TFLITE_EQ_DELEGATE_RUNTIME_GRAPH_SIZED_ARRAY_H_
#define TFLITE_EQ_DELEGATE_RUNTIME_GRAPH_SIZED_ARRAY_H_

#include <stdlib.h>

namespace tflite_eq {

// T is TfLiteIntArray or TfLiteFloatArray. What fails does so for want of memory, and leaves what was there. Blocks come from calloc and
// realloc: tests make the delegate's own malloc fail, and no runtime's.
template <typename T>
class SizedArray {
 public:
  SizedArray() = default;
  SizedArray(const SizedArray&) = delete;
  SizedArray& operator=(const SizedArray&) = delete;
  ~SizedArray() { free(block_); }

  // Zeros.
  bool Allocate(int count) {
    T* block = static_cast<T*>(calloc(1, Bytes(count)));
    if (block == nullptr) return false;
    block->size = count;
    free(block_);
    block_ = block;
    return true;
  }
  template <typename Value>
  bool Copy(const Value* values, int count) {
    if (!Allocate(count)) return false;
    for (int i = 0; i < count; ++i) block_->data[i] = values[i];
    return true;
  }
  template <typename Value>
  bool Add(Value value) {
    const int count = size();
    // No larger than it must be, so that a sanitizer sees who looks beyond.
    T* block = static_cast<T*>(realloc(static_cast<void*>(block_), Bytes(count + 1)));
    if (block == nullptr) return false;
    block->data[count] = value;
    block->size = count + 1;
    block_ = block;
    return true;
  }

  int size() const { return block_ != nullptr ? block_->size : 0; }
  T* get() const { return block_; }
  // Someone else's from now on.
  T* Release() {
    T* block = block_;
    block_ = nullptr;
    return block;
  }

 private:
  static size_t Bytes(int count) { return sizeof(T) + static_cast<size_t>(count) * sizeof(block_->data[0]); }

  T* block_ = nullptr;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_RUNTIME_GRAPH_SIZED_ARRAY_H_
