#include "delegate/benchmark/files.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delegate/quoted.h"

namespace tflite_eq {
namespace {

#if defined(__aarch64__)
constexpr unsigned kThisMachine = EM_AARCH64;
#else
constexpr unsigned kThisMachine = EM_X86_64;
#endif

const char* MachineName(unsigned machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_386:
      return "32-bit x86";
    case EM_AARCH64:
      return "arm64";
    case EM_ARM:
      return "32-bit ARM";
    default:
      return "another processor";
  }
}

bool Refuse(const char* path, const char* flag, const char* reason, Message* error) {
  return error->Set("--%s=%s: %s", flag, Quoted(path, Quoted::kLongest).text, reason);
}

// Loaders map what the program headers name without asking how long the file is, and end the process (SIGBUS) when a truncated
// file has no such pages.
bool HoldsItsSegments(const MappedFile& file, const Elf64_Ehdr& header) {
  const uint64_t size = file.size();
  const uint64_t table = uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > size || table > size - header.e_phoff) return false;
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    memcpy(&segment, file.data() + header.e_phoff + i * sizeof(segment), sizeof(segment));
    if (segment.p_offset > size || segment.p_filesz > size - segment.p_offset) return false;
  }
  return true;
}

// What the loader says of a foreign file is often misleading ("cannot open shared object file"); the header is not.
bool IsLoadable(const char* path, const char* flag, Message* error) {
  MappedFile file;
  if (!file.Open(path, flag, error)) return false;
  Elf64_Ehdr header = {};
  memcpy(&header, file.data(), file.size() < sizeof(header) ? file.size() : sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_type != ET_DYN) {
    return Refuse(path, flag, "not a shared library (ELF)", error);
  }
  Message reason;
  // Type and machine lie where they do in files for 32 bits.
  if (header.e_machine != kThisMachine) {
    reason.Set("built for %s, this program for %s", MachineName(header.e_machine), MachineName(kThisMachine));
  } else if (!HoldsItsSegments(file, header)) {
    reason.Set("truncated: %zu bytes do not hold what the file's header names", file.size());
  }
  return reason.text[0] == '\0' || Refuse(path, flag, reason.text, error);
}

}  // namespace

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

bool MappedFile::Open(const char* path, const char* flag, Message* error) {
  // What is no file, a named pipe for one, may block whoever opens it.
  struct stat status;
  if (stat(path, &status) != 0) return Refuse(path, flag, strerror(errno), error);
  if (!S_ISREG(status.st_mode)) return Refuse(path, flag, S_ISDIR(status.st_mode) ? strerror(EISDIR) : "not a file", error);
  if (status.st_size == 0) return Refuse(path, flag, "the file is empty", error);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return Refuse(path, flag, strerror(errno), error);
  const size_t size = static_cast<size_t>(status.st_size);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  const int failure = errno;
  close(file);
  if (data == MAP_FAILED) return Refuse(path, flag, strerror(failure), error);
  data_ = static_cast<const uint8_t*>(data);
  size_ = size;
  return true;
}

bool SharedLibrary::Open(const char* path, const char* flag, Message* error) {
  if (!IsLoadable(path, flag, error)) return false;
  // Without a slash the loader would look in the system's folders instead.
  char here[4096];
  snprintf(here, sizeof(here), "%s%s", strchr(path, '/') != nullptr ? "" : "./", path);
  handle_ = dlopen(here, RTLD_NOW | RTLD_LOCAL);
  return handle_ != nullptr || error->Set("--%s: the library does not load: %s", flag, dlerror());
}

void* SharedLibrary::Symbol(const char* name) const { return dlsym(handle_, name); }

}  // namespace tflite_eq
