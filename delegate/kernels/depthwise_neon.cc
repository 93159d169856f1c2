// The depthwise kernel for ARMv8.0.
#include "delegate/kernels/depthwise_neon.h"

#include "delegate/kernels/kernels.h"

namespace tflite_eq {

const ConvKernel kDepthwiseNeon = DepthwiseRows<DepthwiseNeonOps<Isa::kNeon>>::Kernel();

}  // namespace tflite_eq
