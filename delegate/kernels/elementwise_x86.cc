// The elementwise kernels of an x86-64 build.
#include "delegate/kernels/elementwise_kernels.h"

namespace tflite_eq {
namespace {

template <typename Function>
void Replace(Function better, Function* function) {
  if (better != nullptr) *function = better;
}

}  // namespace

ElementwiseKernels FindElementwise(Isa most) {
  if (!Includes(most, Isa::kAvx512Vnni)) return Includes(most, Isa::kAvx2) ? kElementwiseAvx2 : kElementwiseScalar;
  ElementwiseKernels kernels = kElementwiseAvx512;
  if (Includes(most, kElementwiseAvx512Vbmi.isa)) {
    const ElementwiseKernels& better = kElementwiseAvx512Vbmi;
    Replace(better.look_up, &kernels.look_up);
    Replace(better.add, &kernels.add);
    Replace(better.mul, &kernels.mul);
    Replace(better.prelu, &kernels.prelu);
    Replace(better.max_pool, &kernels.max_pool);
    Replace(better.average_pool, &kernels.average_pool);
    Replace(better.mean, &kernels.mean);
    Replace(better.resize_bilinear, &kernels.resize_bilinear);
  }
  return kernels;
}

}  // namespace tflite_eq
