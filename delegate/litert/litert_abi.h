// LiteRT's C ABI, as far as an accelerator meets it: mirrored, as tflite_abi.h mirrors TFLite's, so that one library runs in every
// runtime that has these interfaces.
//
// LiteRT promises them from 2.2 on: a structure begins with its size and version, what is new is appended under a higher minor
// version, and a higher major version means another layout. (LiteRT 2.0 and 2.1 had other layouts behind a single number.) Offsets
// here are those of LiteRT 2.2.0, 2.3.0 and 2.4.0.dev20261026.
#ifndef TFLITE_EQ_DELEGATE_LITERT_LITERT_ABI_H_
#define TFLITE_EQ_DELEGATE_LITERT_LITERT_ABI_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/tflite_abi.h"

extern "C" {

typedef int32_t LiteRtStatus;
enum {
  kLiteRtStatusOk = 0,
  kLiteRtStatusErrorInvalidArgument = 1,
  kLiteRtStatusErrorMemoryAllocationFailure = 2,
  kLiteRtStatusErrorWrongVersion = 8,
};

// A bit for each kind of hardware.
typedef int32_t LiteRtHwAcceleratorSet;
enum { kLiteRtHwAcceleratorCpu = 1 << 0, kLiteRtHwAcceleratorGpu = 1 << 1 };

typedef struct LiteRtAcceleratorT* LiteRtAccelerator;
typedef struct LiteRtEnvironmentT* LiteRtEnvironment;
typedef struct LiteRtEnvironmentOptionsT* LiteRtEnvironmentOptions;
typedef struct LiteRtOptionsT* LiteRtOptions;
typedef struct LiteRtDelegateWrapperT* LiteRtDelegateWrapper;

typedef struct {
  int32_t major, minor, patch;
} LiteRtApiVersion;

typedef struct {
  uint16_t struct_size;  // of the whole structure
  uint16_t major_version;
  uint16_t minor_version;
  uint16_t reserved;
} LiteRtAbiHeader;

enum { kLiteRtAnyTypeVoidPtr = 9 };
typedef struct {
  int32_t type;
  union {
    int64_t int_value;
    const void* ptr_value;
  };
} LiteRtAny;

// An environment's option: the definition of the accelerator that takes the place of the GPU's library. LiteRT 2.3 and later.
enum { kLiteRtEnvOptionTagSystemGpuAcceleratorHandle = 30 };

// The functions that the runtime offers to accelerators, up to the last that is used here.
typedef struct LiteRtRuntimeContext {
  LiteRtAbiHeader abi_header;
  void (*of_tensor_buffers[12])(void);
  LiteRtStatus (*get_environment_options)(LiteRtEnvironment environment, LiteRtEnvironmentOptions* options);
  LiteRtStatus (*get_environment_options_value)(LiteRtEnvironmentOptions options, int32_t tag, LiteRtAny* value);
  void (*of_gpu_environments[3])(void);
  LiteRtStatus (*wrap_delegate)(TfLiteDelegate* delegate, void (*deleter)(TfLiteDelegate*), LiteRtDelegateWrapper* wrapper);
  void (*of_tensor_buffers_and_events[31])(void);
  // What a model is to run on. Since minor version 1, LiteRT 2.3.
  LiteRtStatus (*get_options_hardware_accelerators)(LiteRtOptions options, LiteRtHwAcceleratorSet* hardware);
} LiteRtRuntimeContext;

static_assert(offsetof(LiteRtRuntimeContext, get_environment_options) == 104, "the table is the runtime's");
static_assert(offsetof(LiteRtRuntimeContext, wrap_delegate) == 144, "the table is the runtime's");
static_assert(offsetof(LiteRtRuntimeContext, get_options_hardware_accelerators) == 400, "the table is the runtime's");

// How a GPU's accelerator makes tensors in its own memory. Only handed on here.
typedef struct {
  void (*functions[6])(void);
  int32_t device_tag;
  int32_t queue_tag;
  size_t num_supported_buffer_types;
  int32_t supported_buffer_types[16];
} LiteRtTensorBufferHandlers;

typedef struct {
  LiteRtAbiHeader abi_header;
  LiteRtStatus (*get_name)(LiteRtAccelerator accelerator, const char** name);
  LiteRtStatus (*get_version)(LiteRtAccelerator accelerator, LiteRtApiVersion* version);
  LiteRtStatus (*get_hardware_support)(LiteRtAccelerator accelerator, LiteRtHwAcceleratorSet* hardware);
  LiteRtStatus (*is_tflite_delegate_responsible_for_jit_compilation)(LiteRtAccelerator accelerator, bool* responsible);
  LiteRtStatus (*create_delegate)(LiteRtRuntimeContext* runtime, LiteRtEnvironment environment, LiteRtAccelerator accelerator,
                                  LiteRtOptions options, LiteRtDelegateWrapper* wrapper);
  void (*metrics[3])(void);
  LiteRtTensorBufferHandlers buffer_handlers;
} LiteRtAcceleratorDef;

static_assert(sizeof(LiteRtAcceleratorDef) == 200, "the runtime refuses others");
static_assert(offsetof(LiteRtAcceleratorDef, create_delegate) == 40, "the definition is read by the runtime");
static_assert(offsetof(LiteRtAcceleratorDef, buffer_handlers) == 72, "the definition is read by the runtime");

}  // extern "C"

#endif  // TFLITE_EQ_DELEGATE_LITERT_LITERT_ABI_H_
