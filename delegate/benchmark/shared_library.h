// A shared library opened by path, with errors that say what is wrong with the file.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_SHARED_LIBRARY_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_SHARED_LIBRARY_H_

#include "delegate/benchmark/message.h"

namespace tflite_eq {

// Stays open until the program ends: runtimes leave threads and statics behind that must not lose their code.
class SharedLibrary {
 public:
  // False with a message when the file is missing, is no library for this processor, or does not load. `flag` is named in it.
  bool Open(const char* path, const char* flag, Message* error);

  // Null when the library does not export it.
  void* Symbol(const char* name) const;
  template <typename Function>
  bool Resolve(const char* name, Function** function) const {
    *function = reinterpret_cast<Function*>(Symbol(name));
    return *function != nullptr;
  }

 private:
  void* handle_ = nullptr;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_SHARED_LIBRARY_H_
