// The elementwise kernels of an aarch64 build: what later instruction sets add does not concern them.
#include "delegate/kernels/elementwise_kernels.h"

namespace tflite_eq {

ElementwiseKernels FindElementwise(Isa most) {
  const bool neon = most == Isa::kNeon || most == Isa::kNeonDotprod || most == Isa::kNeonI8mm;
  return neon ? kElementwiseNeon : kElementwiseScalar;
}

}  // namespace tflite_eq
