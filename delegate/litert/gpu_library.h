// The GPU's accelerator, which the runtime does not look for once it has found another in its place.
#ifndef TFLITE_EQ_DELEGATE_LITERT_GPU_LIBRARY_H_
#define TFLITE_EQ_DELEGATE_LITERT_GPU_LIBRARY_H_

#include "delegate/litert/litert_abi.h"

namespace tflite_eq {

// The definition in the library `wanted` (AcceleratorOptions::gpu_library), null where there is none. kAnyGpuLibrary looks for the
// names under which LiteRT has its own: beside the runtime, whose code `runtime_code` is in; beside this library; and on Android
// where the linker looks. One that is found and cannot be used is told of; of those that it
// looks for, none is loaded that would end the process on this CPU.
const LiteRtAcceleratorDef* LoadGpuAccelerator(const char* wanted, const void* runtime_code);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_LITERT_GPU_LIBRARY_H_
