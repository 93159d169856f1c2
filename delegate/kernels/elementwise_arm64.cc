// The elementwise kernels of an aarch64 build.
#include "delegate/kernels/elementwise_kernels.h"

namespace tflite_eq {

ElementwiseKernels FindElementwise(Isa) { return kElementwiseScalar; }

}  // namespace tflite_eq
