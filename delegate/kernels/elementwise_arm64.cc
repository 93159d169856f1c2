// The elementwise kernels of an aarch64 build: what later instruction sets add does not concern them.
#include "delegate/kernels/elementwise_kernels.h"

namespace tflite_eq {

ElementwiseKernels FindElementwise(Isa most) {
  return Includes(most, Isa::kNeon) ? kElementwiseNeon : kElementwiseScalar;
}

}  // namespace tflite_eq
