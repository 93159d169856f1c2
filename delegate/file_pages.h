// Weights that kernels have packed need not stay in memory as the model holds them: a model's file is mapped, and what is read of it stays
// resident until the kernel wants the memory for something else. Both forms beside each other are what a process is charged for.
//
// Pages are let go only where nothing can be lost: they are mapped read-only, from a file, and the kernel says of each that it is in memory
// and still the file's (a loader may have changed a private mapping before it made it read-only). Whoever reads them again, gets them from
// the page cache.
#ifndef TFLITE_EQ_DELEGATE_FILE_PAGES_H_
#define TFLITE_EQ_DELEGATE_FILE_PAGES_H_

#include <stddef.h>
#include <stdint.h>

namespace tflite_eq {

class FilePages {
 public:
  // Of the whole pages among `bytes` bytes from `begin`, which have just been read. Fewer than kFewest are not worth asking for. Whether
  // they were let go, all or none; that they were not has no consequence but memory.
  bool LetGo(const void* begin, size_t bytes);

  static constexpr size_t kFewest = 16;

 private:
  bool IsOfFile(uintptr_t begin, uintptr_t end);

  // The mapping that was looked up last: weights of a model lie in one.
  uintptr_t begin_ = 0;
  uintptr_t end_ = 0;
  bool read_only_file_ = false;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_FILE_PAGES_H_
