// An array on the heap and single objects on it, without operator new; see kernels/buffer.h for why.
#ifndef TFLITE_EQ_DELEGATE_ARRAY_H_
#define TFLITE_EQ_DELEGATE_ARRAY_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <new>
#include <type_traits>

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
    room_ = size;
    return true;
  }

  // One more, behind the others, which may move. False when memory runs out.
  bool Add(const T& item) {
    static_assert(std::is_trivially_copyable<T>::value, "items move with realloc");
    if (size_ == room_) {
      const int room = room_ > 0 ? 2 * room_ : 16;
      T* items = static_cast<T*>(realloc(static_cast<void*>(items_), sizeof(T) * static_cast<size_t>(room)));
      if (items == nullptr) return false;
      items_ = items;
      room_ = room;
    }
    new (items_ + size_++) T(item);
    return true;
  }

  void Clear() {
    for (int i = 0; i < size_; ++i) items_[i].~T();
    free(items_);
    items_ = nullptr;
    size_ = room_ = 0;
  }

  void Swap(Array* other) {
    T* const items = other->items_;
    const int size = other->size_, room = other->room_;
    other->items_ = items_;
    other->size_ = size_;
    other->room_ = room_;
    items_ = items;
    size_ = size;
    room_ = room;
  }

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
  int room_ = 0;  // for so many
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_ARRAY_H_
