#include "delegate/benchmark/shared_library.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

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

// Loaders map what the program headers name without asking how long the file is, and end the process (SIGBUS) when a truncated
// file has no such pages.
bool HoldsItsSegments(FILE* file, const Elf64_Ehdr& header, uint64_t size) {
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > size ||
      fseek(file, static_cast<long>(header.e_phoff), SEEK_SET) != 0) {
    return false;
  }
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (fread(&segment, sizeof(segment), 1, file) != 1) return false;
    if (segment.p_offset > size || segment.p_filesz > size - segment.p_offset) return false;
  }
  return true;
}

// What the loader says of a foreign file is often misleading ("cannot open shared object file"); the header is not.
bool CheckHeader(const char* path, const char* flag, Message* error) {
  struct stat status;
  if (stat(path, &status) != 0) {
    error->Set("--%s=%s: %s", flag, path, strerror(errno));
    return false;
  }
  if (!S_ISREG(status.st_mode)) {
    error->Set("--%s=%s: not a file", flag, path);
    return false;
  }
  FILE* file = fopen(path, "rb");
  if (file == nullptr) {
    error->Set("--%s=%s: %s", flag, path, strerror(errno));
    return false;
  }
  Elf64_Ehdr header = {};
  const size_t read = fread(&header, 1, sizeof(header), file);
  const bool whole = read == sizeof(header) && HoldsItsSegments(file, header, static_cast<uint64_t>(status.st_size));
  fclose(file);
  if (read < sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_type != ET_DYN) {
    error->Set("--%s=%s: not a shared library (ELF)", flag, path);
    return false;
  }
  // Type and machine lie where they do in files for 32 bits.
  if (header.e_machine != kThisMachine) {
    error->Set("--%s=%s: built for %s, this program for %s", flag, path, MachineName(header.e_machine),
               MachineName(kThisMachine));
    return false;
  }
  if (!whole) {
    error->Set("--%s=%s: truncated: %lld bytes do not hold what the file's header names", flag, path,
               static_cast<long long>(status.st_size));
    return false;
  }
  return true;
}

}  // namespace

bool SharedLibrary::Open(const char* path, const char* flag, Message* error) {
  if (!CheckHeader(path, flag, error)) return false;
  // Without a slash the loader would look in the system's folders instead.
  char here[4096];
  snprintf(here, sizeof(here), "%s%s", strchr(path, '/') != nullptr ? "" : "./", path);
  handle_ = dlopen(here, RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) {
    error->Set("--%s: the library does not load: %s", flag, dlerror());
    return false;
  }
  return true;
}

void* SharedLibrary::Symbol(const char* name) const { return dlsym(handle_, name); }

}  // namespace tflite_eq
