// Every kernel of the library, by name. kernel_table_*.cc say which of them exist on an architecture.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_KERNELS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_KERNELS_H_

#include "delegate/kernels/conv_kernel.h"

namespace tflite_eq {

extern const ConvKernel kReference;
extern const ConvKernel kDirectScalar;
extern const ConvKernel kDirectNeon;
extern const ConvKernel kDirectNeonDotprod;
extern const ConvKernel kDirectNeonI8mm;
extern const ConvKernel kDirectAvx2;
extern const ConvKernel kDirectAvx512;
extern const ConvKernel kDirectInt7Avx2;
extern const ConvKernel kDirectInt7Neon;
extern const ConvKernel kDepthwiseScalar;
extern const ConvKernel kDepthwiseNeon;
extern const ConvKernel kDepthwiseNeonDotprod;
extern const ConvKernel kDepthwiseNeonI8mm;
extern const ConvKernel kDepthwiseAvx2;
extern const ConvKernel kDepthwiseAvx512;
extern const ConvKernel kWinogradF43Scalar;
extern const ConvKernel kWinogradF43Neon;
extern const ConvKernel kWinogradF43Avx2;
extern const ConvKernel kWinogradF43Avx512;
extern const ConvKernel kWinogradF23Scalar;
extern const ConvKernel kWinogradF23Avx2;
extern const ConvKernel kWinograd1dScalar;
extern const ConvKernel kWinograd1dNeonDotprod;
extern const ConvKernel kWinograd1dNeonI8mm;
extern const ConvKernel kWinograd1dAvx512;

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_KERNELS_H_
