#include "delegate/benchmark/shared_library.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "delegate/benchmark/mapped_file.h"

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
bool CheckHeader(const char* path, Message* reason) {
  MappedFile file;
  if (!file.Open(path, reason)) return false;
  Elf64_Ehdr header = {};
  memcpy(&header, file.data(), file.size() < sizeof(header) ? file.size() : sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_type != ET_DYN) {
    reason->Set("not a shared library (ELF)");
    return false;
  }
  // Type and machine lie where they do in files for 32 bits.
  if (header.e_machine != kThisMachine) {
    reason->Set("built for %s, this program for %s", MachineName(header.e_machine), MachineName(kThisMachine));
    return false;
  }
  if (!HoldsItsSegments(file, header)) {
    reason->Set("truncated: %zu bytes do not hold what the file's header names", file.size());
    return false;
  }
  return true;
}

}  // namespace

bool SharedLibrary::Open(const char* path, const char* flag, Message* error) {
  Message reason;
  if (!CheckHeader(path, &reason)) {
    error->Set("--%s=%s: %s", flag, path, reason.text);
    return false;
  }
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
