// The kernels of an aarch64 build.
#include "delegate/kernels/kernels.h"

namespace tflite_eq {

const ConvKernel* FindKernel(Algorithm algorithm, Isa isa) {
#define TFLITE_EQ_ADDRESS(name, algorithm, isa) &name,
  static constexpr const ConvKernel* kKernels[] = {TFLITE_EQ_ARM64_KERNELS(TFLITE_EQ_ADDRESS) TFLITE_EQ_SCALAR_KERNELS(TFLITE_EQ_ADDRESS)};
#undef TFLITE_EQ_ADDRESS
  for (const ConvKernel* kernel : kKernels) {
    if (kernel->algorithm == algorithm && kernel->isa == isa) return kernel;
  }
  return nullptr;
}

}  // namespace tflite_eq
