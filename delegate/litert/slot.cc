// The library in the place where LiteRT 2 looks for the GPU's accelerator. It exports LiteRtAcceleratorImpl, and its version.
#include "delegate/litert/accelerator.h"
#include "delegate/version.h"

extern "C" __attribute__((visibility("default"))) const char* TfLiteEqDelegateVersion(void) {
  // What the runtime looks up; nothing else here refers to it.
  asm volatile("" ::"r"(&LiteRtAcceleratorImpl));
  return tflite_eq::kVersion;
}
