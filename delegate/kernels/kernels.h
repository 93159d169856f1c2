// Every kernel of the library, by name. kernel_table_*.cc say which of them exist on an architecture.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_KERNELS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_KERNELS_H_

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/kernel_list.h"

namespace tflite_eq {

#define TFLITE_EQ_DECLARE(name, algorithm, isa) extern const ConvKernel name;
TFLITE_EQ_X86_KERNELS(TFLITE_EQ_DECLARE)
TFLITE_EQ_ARM64_KERNELS(TFLITE_EQ_DECLARE)
TFLITE_EQ_SCALAR_KERNELS(TFLITE_EQ_DECLARE)
#undef TFLITE_EQ_DECLARE

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_KERNELS_H_
