// Every table of elementwise kernels, by name. elementwise_*.cc say which of them exist on an architecture.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_KERNELS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_KERNELS_H_

#include "delegate/kernels/elementwise.h"

namespace tflite_eq {

extern const ElementwiseKernels kElementwiseScalar;
extern const ElementwiseKernels kElementwiseAvx2;
extern const ElementwiseKernels kElementwiseAvx512;
// What permutations of bytes (AVX512_VBMI) do better; null where there is no such function.
extern const ElementwiseKernels kElementwiseAvx512Vbmi;
extern const ElementwiseKernels kElementwiseNeon;

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_KERNELS_H_
