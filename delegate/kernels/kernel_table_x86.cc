// The kernels of an x86-64 build. Another architecture has its own table beside this one.
#include "delegate/kernels/kernels.h"

namespace tflite_eq {

const ConvKernel* FindKernel(Algorithm algorithm, Isa isa) {
  static constexpr const ConvKernel* kKernels[] = {
      &kReference,         &kDirectScalar,    &kDirectAvx2,        &kDirectInt7Avx2,    &kDirectAvx512,    &kDepthwiseScalar,
      &kDepthwiseAvx2,     &kDepthwiseAvx512,
      &kWinogradF43Scalar, &kWinogradF43Avx2, &kWinogradF43Avx512,
      &kWinogradF23Scalar, &kWinogradF23Avx2, &kWinograd1dScalar,  &kWinograd1dAvx512,
  };
  for (const ConvKernel* kernel : kKernels) {
    if (kernel->algorithm == algorithm && kernel->isa == isa) return kernel;
  }
  return nullptr;
}

}  // namespace tflite_eq
