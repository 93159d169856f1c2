// The kernels of an x86-64 build. Another architecture has its own table beside this one.
#include "delegate/kernels/kernels.h"

namespace tflite_eq {

const ConvKernel* FindKernel(Algorithm algorithm, Isa isa) {
#define TFLITE_EQ_ADDRESS(name, algorithm, isa) &name,
  static constexpr const ConvKernel* kKernels[] = {TFLITE_EQ_X86_KERNELS(TFLITE_EQ_ADDRESS) TFLITE_EQ_SCALAR_KERNELS(TFLITE_EQ_ADDRESS)};
#undef TFLITE_EQ_ADDRESS
  for (const ConvKernel* kernel : kKernels) {
    if (kernel->algorithm == algorithm && kernel->isa == isa) return kernel;
  }
  return nullptr;
}

}  // namespace tflite_eq
