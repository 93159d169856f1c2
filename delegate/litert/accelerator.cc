#include "delegate/litert/accelerator.h"

#include <pthread.h>
#include <stdlib.h>

#include "delegate/array.h"
#include "delegate/delegate.h"
#include "delegate/litert/accelerator_options.h"
#include "delegate/litert/gpu_library.h"
#include "delegate/log.h"
#include "delegate/version.h"

namespace tflite_eq {
namespace {

constexpr LiteRtAcceleratorDef kDefinition = {{sizeof(LiteRtAcceleratorDef), 1, 0, 0},
                                              GetAcceleratorName,
                                              GetAcceleratorVersion,
                                              GetAcceleratorHardware,
                                              IsAcceleratorCompiler,
                                              CreateAcceleratorDelegate,
                                              {},
                                              {}};

// Begins with what the runtime reads; found again by its address alone.
struct Accelerator {
  LiteRtAcceleratorDef definition = kDefinition;
  DelegateOptions options;
  Accelerator* next = nullptr;
};

// What environments share: made before main, so without a guard, which would need a C++ runtime.
struct Shared {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  Accelerator* accelerators = nullptr;
  bool looked_for_gpu = false;
  const LiteRtAcceleratorDef* gpu = nullptr;
  bool told_of_hidden_request = false;
};
Shared shared;

class Locked {
 public:
  Locked() { pthread_mutex_lock(&shared.mutex); }
  ~Locked() { pthread_mutex_unlock(&shared.mutex); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
};

// Looked for once; the runtime is the one that `runtime_code` is part of.
const LiteRtAcceleratorDef* Gpu(const void* runtime_code) {
  const Locked locked;
  if (shared.looked_for_gpu) return shared.gpu;
  AcceleratorOptions options;
  // Bad options are told of when a model is compiled, which then fails.
  if (!ReadAcceleratorOptions(&options, OnError::kSayNothing)) return nullptr;
  shared.looked_for_gpu = true;
  const LiteRtAcceleratorDef* found = LoadGpuAccelerator(options.gpu_library, runtime_code);
  if (found == nullptr || found->create_delegate == CreateAcceleratorDelegate) return nullptr;
  LiteRtAcceleratorImpl.buffer_handlers = found->buffer_handlers;
  for (Accelerator* each = shared.accelerators; each != nullptr; each = each->next) {
    each->definition.buffer_handlers = found->buffer_handlers;
  }
  shared.gpu = found;
  return found;
}

template <typename Member>
bool Has(const LiteRtRuntimeContext* runtime, Member LiteRtRuntimeContext::*member) {
  const auto end = reinterpret_cast<uintptr_t>(&(runtime->*member)) + sizeof(Member) - reinterpret_cast<uintptr_t>(runtime);
  return runtime->abi_header.struct_size >= end && runtime->*member != nullptr;
}

bool IsKnown(const LiteRtRuntimeContext* runtime) {
  if (runtime != nullptr && runtime->abi_header.major_version == 1 && Has(runtime, &LiteRtRuntimeContext::wrap_delegate)) return true;
  const LiteRtAbiHeader header = runtime != nullptr ? runtime->abi_header : LiteRtAbiHeader{};
  Log(Severity::kError,
      "this LiteRT has an interface of version %d.%d and %d bytes for accelerators, and tflite_eq %s knows version 1: use LiteRT 2.2 to "
      "2.4, or a later tflite_eq; without it, leave this library's folder out of the environment",
      header.major_version, header.minor_version, header.struct_size, kVersion);
  return false;
}

// Null unless the environment was given one of ours with options.
const Accelerator* AcceleratorOf(const LiteRtRuntimeContext& runtime, LiteRtEnvironment environment) {
  LiteRtEnvironmentOptions options = nullptr;
  LiteRtAny value = {};
  if (!Has(&runtime, &LiteRtRuntimeContext::get_environment_options) ||
      !Has(&runtime, &LiteRtRuntimeContext::get_environment_options_value) ||
      runtime.get_environment_options(environment, &options) != kLiteRtStatusOk ||
      runtime.get_environment_options_value(options, kLiteRtEnvOptionTagSystemGpuAcceleratorHandle, &value) != kLiteRtStatusOk ||
      value.type != kLiteRtAnyTypeVoidPtr) {
    return nullptr;
  }
  const Locked locked;
  for (const Accelerator* each = shared.accelerators; each != nullptr; each = each->next) {
    if (value.ptr_value == each) return each;
  }
  return nullptr;
}

// Whether the model is for the GPU, whose accelerator goes first as it would without this one; XNNPACK has what it leaves.
bool WantsGpu(const LiteRtRuntimeContext& runtime, LiteRtOptions options, const LiteRtAcceleratorDef& gpu, int log_level) {
  LiteRtHwAcceleratorSet offered = 0;
  if (gpu.get_hardware_support(nullptr, &offered) != kLiteRtStatusOk) return false;
  LiteRtHwAcceleratorSet wanted = 0;
  if (Has(&runtime, &LiteRtRuntimeContext::get_options_hardware_accelerators) &&
      runtime.get_options_hardware_accelerators(options, &wanted) == kLiteRtStatusOk) {
    return (wanted & offered) != 0;
  }
  const Locked locked;
  if (log_level > 0 && !shared.told_of_hidden_request) {
    Log(Severity::kInfo, "this LiteRT does not tell accelerators whether a model is for the CPU or the GPU: all are run on the CPU; "
                         "LiteRT 2.3 and later tell");
  }
  shared.told_of_hidden_request = true;
  return false;
}

}  // namespace

// Never inlined: the caller is the runtime, beside which the GPU's accelerator is.
__attribute__((noinline)) LiteRtStatus GetAcceleratorName(LiteRtAccelerator, const char** name) {
  if (name == nullptr) return kLiteRtStatusErrorInvalidArgument;
  Gpu(__builtin_return_address(0));
  *name = kAcceleratorName;
  return kLiteRtStatusOk;
}

LiteRtStatus GetAcceleratorVersion(LiteRtAccelerator, LiteRtApiVersion* version) {
  if (version == nullptr) return kLiteRtStatusErrorInvalidArgument;
  char* rest;
  version->major = static_cast<int32_t>(strtol(kVersion, &rest, 10));
  version->minor = static_cast<int32_t>(strtol(rest + 1, &rest, 10));
  version->patch = static_cast<int32_t>(strtol(rest + 1, nullptr, 10));
  return kLiteRtStatusOk;
}

__attribute__((noinline)) LiteRtStatus GetAcceleratorHardware(LiteRtAccelerator accelerator, LiteRtHwAcceleratorSet* hardware) {
  if (hardware == nullptr) return kLiteRtStatusErrorInvalidArgument;
  LiteRtHwAcceleratorSet of_gpu = 0;
  const LiteRtAcceleratorDef* gpu = Gpu(__builtin_return_address(0));
  if (gpu != nullptr && gpu->get_hardware_support(accelerator, &of_gpu) != kLiteRtStatusOk) of_gpu = 0;
  *hardware = kLiteRtHwAcceleratorCpu | of_gpu;
  return kLiteRtStatusOk;
}

LiteRtStatus IsAcceleratorCompiler(LiteRtAccelerator, bool* responsible) {
  if (responsible == nullptr) return kLiteRtStatusErrorInvalidArgument;
  *responsible = true;
  return kLiteRtStatusOk;
}

LiteRtStatus CreateAcceleratorDelegate(LiteRtRuntimeContext* runtime, LiteRtEnvironment environment, LiteRtAccelerator accelerator,
                                       LiteRtOptions options, LiteRtDelegateWrapper* wrapper) {
  if (!IsKnown(runtime)) return kLiteRtStatusErrorWrongVersion;
  if (wrapper == nullptr) return kLiteRtStatusErrorInvalidArgument;
  AcceleratorOptions own;
  if (const Accelerator* given = AcceleratorOf(*runtime, environment)) {
    own.delegate = given->options;
  } else if (!ReadAcceleratorOptions(&own, OnError::kTell)) {
    return kLiteRtStatusErrorInvalidArgument;
  }
  const LiteRtAcceleratorDef* gpu = Gpu(reinterpret_cast<const void*>(runtime->wrap_delegate));
  if (gpu != nullptr && WantsGpu(*runtime, options, *gpu, own.delegate.log_level)) {
    return gpu->create_delegate(runtime, environment, accelerator, options, wrapper);
  }
  TfLiteDelegate* delegate = CreateDelegate(own.delegate);
  if (delegate == nullptr) {
    Log(Severity::kError, "out of memory for a delegate");
    return kLiteRtStatusErrorMemoryAllocationFailure;
  }
  const LiteRtStatus status = runtime->wrap_delegate(delegate, DeleteDelegate, wrapper);
  if (status != kLiteRtStatusOk) DeleteDelegate(delegate);
  return status;
}

const LiteRtAcceleratorDef* NewAccelerator(const DelegateOptions& options) {
  auto* made = NewObject<Accelerator>();
  if (made == nullptr) return nullptr;
  made->options = options;
  const Locked locked;
  if (shared.gpu != nullptr) made->definition.buffer_handlers = shared.gpu->buffer_handlers;
  made->next = shared.accelerators;
  shared.accelerators = made;
  return &made->definition;
}

}  // namespace tflite_eq

LiteRtAcceleratorDef LiteRtAcceleratorImpl = tflite_eq::kDefinition;
