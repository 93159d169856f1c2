#include "delegate/litert/gpu_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "delegate/kernels/old_glibc.h"
#include "delegate/litert/accelerator_options.h"
#include "delegate/log.h"

namespace tflite_eq {
namespace {

constexpr char kDefinition[] = "LiteRtAcceleratorImpl";

// In the order in which the runtime tries them.
constexpr const char* kNames[] = {
#ifdef __ANDROID__
    "libLiteRtClGlAccelerator.so", "libLiteRtOpenClAccelerator.so", "libLiteRtWebGpuAccelerator.so",
#else
    "libLiteRtWebGpuAccelerator.so", "libLiteRtOpenClAccelerator.so",
#endif
    "libLiteRtVulkanAccelerator.so",
};

bool IsUsable(const LiteRtAcceleratorDef& definition) {
  return definition.abi_header.major_version == 1 && definition.abi_header.struct_size >= sizeof(LiteRtAcceleratorDef) &&
         definition.get_hardware_support != nullptr && definition.create_delegate != nullptr;
}

// Never closed again: what it gave to the runtime is used for as long as there are models.
const LiteRtAcceleratorDef* Load(const char* path) {
  void* library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    Log(Severity::kError, "the GPU's accelerator %s cannot be loaded, and GPUs are not used: %s", path, why != nullptr ? why : "");
    return nullptr;
  }
  const auto* definition = static_cast<const LiteRtAcceleratorDef*>(dlsym(library, kDefinition));
  if (definition != nullptr && IsUsable(*definition)) return definition;
  if (definition == nullptr) {
    Log(Severity::kError, "the GPU's accelerator %s has no %s, and GPUs are not used: it belongs to another version of LiteRT", path,
        kDefinition);
  } else {
    Log(Severity::kError,
        "the GPU's accelerator %s has an interface of version %d.%d and %d bytes, not 1 and %zu bytes, and GPUs are not used: take "
        "that of LiteRT 2.2 or later",
        path, definition->abi_header.major_version, definition->abi_header.minor_version, definition->abi_header.struct_size,
        sizeof(LiteRtAcceleratorDef));
  }
  dlclose(library);
  return nullptr;
}

// LiteRT's own for arm64 Linux has atomic instructions of ARMv8.1 in it and no others, and ends the process on an older CPU as soon as
// it is loaded. Android's has to run on all phones.
bool RunsOnThisCpu() {
#if defined(__aarch64__) && !defined(__ANDROID__)
  constexpr unsigned long kHwcapAtomics = 1ul << 8;
  return (getauxval(AT_HWCAP) & kHwcapAtomics) != 0;
#else
  return true;
#endif
}

// In the folder of the file `beside`.
const LiteRtAcceleratorDef* LoadBeside(const char* beside) {
  const char* slash = strrchr(beside, '/');
  if (slash == nullptr) return nullptr;
  char path[kLongestPath];
  for (const char* name : kNames) {
    const int length = snprintf(path, sizeof(path), "%.*s/%s", static_cast<int>(slash - beside), beside, name);
    if (length < 0 || static_cast<size_t>(length) >= sizeof(path) || access(path, F_OK) != 0) continue;
    if (RunsOnThisCpu()) return Load(path);
    Log(Severity::kError,
        "the GPU's accelerator %s is not loaded, and GPUs are not used: it needs the atomic instructions of ARMv8.1, which this CPU does "
        "not have; option gpu_library: none silences this, and the path of a library loads that one all the same",
        path);
    return nullptr;
  }
  return nullptr;
}

}  // namespace

const LiteRtAcceleratorDef* LoadGpuAccelerator(const char* wanted, const void* runtime_code) {
  if (strcmp(wanted, kNoGpuLibrary) == 0) return nullptr;
  if (strcmp(wanted, kAnyGpuLibrary) != 0) return Load(wanted);
  Dl_info runtime;
  if (runtime_code != nullptr && dladdr(runtime_code, &runtime) != 0 && runtime.dli_fname != nullptr) {
    if (const LiteRtAcceleratorDef* found = LoadBeside(runtime.dli_fname)) return found;
  }
  char own[kLongestPath];
  if (OwnPath(own)) {
    if (const LiteRtAcceleratorDef* found = LoadBeside(own)) return found;
  }
#ifdef __ANDROID__
  // Libraries may stay inside the APK, where there are no folders.
  for (const char* name : kNames) {
    void* library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (library == nullptr) continue;
    dlclose(library);
    return Load(name);
  }
#endif
  return nullptr;
}

}  // namespace tflite_eq
