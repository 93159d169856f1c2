// A file's bytes.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_MAPPED_FILE_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_MAPPED_FILE_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/benchmark/message.h"

namespace tflite_eq {

// Mapped for as long as this lives.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  // Once for each object. False with the reason, which does not name the file; an empty file is refused as well.
  bool Open(const char* path, Message* reason);

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_MAPPED_FILE_H_
