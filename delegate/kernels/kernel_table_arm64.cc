// The kernels of an aarch64 build.
#include "delegate/kernels/kernels.h"

namespace tflite_eq {

const ConvKernel* FindKernel(Algorithm algorithm, Isa isa) {
  static constexpr const ConvKernel* kKernels[] = {
      &kReference,         &kDirectScalar,      &kDirectNeon,        &kDirectNeonDotprod, &kDirectNeonI8mm,
      &kDirectInt7Neon,    &kDepthwiseScalar,   &kDepthwiseNeon,     &kDepthwiseNeonDotprod, &kDepthwiseNeonI8mm,
      &kWinogradF43Scalar, &kWinogradF43Neon,   &kWinogradF23Scalar, &kWinograd1dScalar,
      &kWinograd1dNeonDotprod,                  &kWinograd1dNeonI8mm,
  };
  for (const ConvKernel* kernel : kKernels) {
    if (kernel->algorithm == algorithm && kernel->isa == isa) return kernel;
  }
  return nullptr;
}

}  // namespace tflite_eq
