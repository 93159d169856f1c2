// Files named on the command line, and what is wrong with them.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_FILES_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_FILES_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/benchmark/message.h"

namespace tflite_eq {

// A file's bytes, mapped for as long as this lives.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  // Once for each object. False with a message that names flag and file; an empty file is refused as well.
  bool Open(const char* path, const char* flag, Message* error);

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// A shared library. Stays open until the program ends: runtimes leave threads and statics behind that must not lose their code.
class SharedLibrary {
 public:
  // False with a message when the file is missing, is no library for this processor, or does not load.
  bool Open(const char* path, const char* flag, Message* error);

  // False, and null, when the library does not export it.
  template <typename Function>
  bool Resolve(const char* name, Function** function) const {
    *function = reinterpret_cast<Function*>(Symbol(name));
    return *function != nullptr;
  }

 private:
  void* Symbol(const char* name) const;

  void* handle_ = nullptr;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_FILES_H_
