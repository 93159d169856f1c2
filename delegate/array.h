// A fixed-size array on the heap and single objects on it, without operator new; see kernels/buffer.h for why.
#ifndef TFLITE_EQ_DELEGATE_ARRAY_H_
#define TFLITE_EQ_DELEGATE_ARRAY_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <new>

namespace tflite_eq {

// Null when memory runs out.
template <typename T>
T* NewObject() {
  static_assert(alignof(T) <= alignof(max_align_t), "malloc aligns no further");
  void* memory = malloc(sizeof(T));
  return memory != nullptr ? new (memory) T : nullptr;
}

template <typename T>
void DeleteObject(T* object) {
  if (object == nullptr) return;
  object->~T();
  free(object);
}

template <typename T>
class Array {
 public:
  Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { Clear(); }

  // Replaces the contents by `size` default-constructed elements. False when memory runs out, or for a negative size.
  bool Allocate(int size) {
    static_assert(alignof(T) <= alignof(max_align_t), "malloc aligns no further");
    Clear();
    if (size == 0) return true;
    if (size < 0 || static_cast<size_t>(size) > SIZE_MAX / sizeof(T)) return false;
    items_ = static_cast<T*>(malloc(sizeof(T) * static_cast<size_t>(size)));
    if (items_ == nullptr) return false;
    for (; size_ < size; ++size_) new (items_ + size_) T();
    return true;
  }

  void Swap(Array* other) {
    T* const items = other->items_;
    const int size = other->size_;
    other->items_ = items_;
    other->size_ = size_;
    items_ = items;
    size_ = size;
  }

  int size() const { return size_; }
  T& operator[](int i) { return items_[i]; }
  const T& operator[](int i) const { return items_[i]; }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
  const T* begin() const { return items_; }
  const T* end() const { return items_ + size_; }

 private:
  void Clear() {
    for (int i = 0; i < size_; ++i) items_[i].~T();
    free(items_);
    items_ = nullptr;
    size_ = 0;
  }

  T* items_ = nullptr;
  int size_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_ARRAY_H_
