#include "delegate/benchmark/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tflite_eq {

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

bool MappedFile::Open(const char* path, Message* reason) {
  // What is no file, a named pipe for one, may block whoever opens it.
  struct stat status;
  if (stat(path, &status) != 0) {
    reason->Set("%s", strerror(errno));
    return false;
  }
  if (!S_ISREG(status.st_mode)) {
    reason->Set("%s", S_ISDIR(status.st_mode) ? strerror(EISDIR) : "not a file");
    return false;
  }
  if (status.st_size == 0) {
    reason->Set("the file is empty");
    return false;
  }
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    reason->Set("%s", strerror(errno));
    return false;
  }
  const size_t size = static_cast<size_t>(status.st_size);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (data == MAP_FAILED) reason->Set("%s", strerror(errno));
  close(file);
  if (data == MAP_FAILED) return false;
  data_ = static_cast<const uint8_t*>(data);
  size_ = size;
  return true;
}

}  // namespace tflite_eq
