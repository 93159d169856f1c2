// An aligned block of memory that frees itself. The library carries no C++ runtime, hence neither operator new nor the
// containers built on it.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_BUFFER_H_
#define TFLITE_EQ_DELEGATE_KERNELS_BUFFER_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "delegate/kernels/always_inline.h"

namespace tflite_eq {

class Buffer {
 public:
  static constexpr size_t kAlignment = 64;  // a cache line, and the widest vector of any kernel

  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { free(data_); }

  // Makes room for `bytes` zeroed bytes; what was there before is lost. False when memory runs out.
  bool Allocate(size_t bytes) {
    free(data_);
    data_ = nullptr;
    size_ = 0;
    if (bytes == 0) return true;
    if (bytes > SIZE_MAX - kAlignment) return false;
    const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (posix_memalign(&data_, kAlignment, rounded) != 0) {
      data_ = nullptr;
      return false;
    }
    memset(data_, 0, rounded);
    size_ = rounded;
    return true;
  }

  void Swap(Buffer* other) {
    void* const data = data_;
    const size_t size = size_;
    data_ = other->data_;
    size_ = other->size_;
    other->data_ = data;
    other->size_ = size;
  }

  TFLITE_EQ_ALWAYS_INLINE size_t size() const { return size_; }

  template <typename T>
  TFLITE_EQ_ALWAYS_INLINE T* as() {
    return static_cast<T*>(data_);
  }
  template <typename T>
  TFLITE_EQ_ALWAYS_INLINE const T* as() const {
    return static_cast<const T*>(data_);
  }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_BUFFER_H_
