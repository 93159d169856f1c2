// Every convolution kernel: its name, what it computes by, and what it needs of a CPU. A line here makes a kernel known to the table of
// its architecture, to the policy on every one, and to the tests, which run all that the table has.
//
// Of kernels for the same algorithm that a CPU runs, the first is taken.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_KERNEL_LIST_H_
#define TFLITE_EQ_DELEGATE_KERNELS_KERNEL_LIST_H_

#define TFLITE_EQ_X86_KERNELS(KERNEL)                       \
  KERNEL(kDirectAvx512, kDirect, kAvx512Vnni)               \
  KERNEL(kDirectAvx2, kDirect, kAvx2)                       \
  KERNEL(kDirectInt7Avx2, kDirectInt7, kAvx2)               \
  KERNEL(kDepthwiseAvx512, kDepthwise, kAvx512Vnni)         \
  KERNEL(kDepthwiseAvx2, kDepthwise, kAvx2)                 \
  KERNEL(kWinogradF43Avx512, kWinogradF43, kAvx512Vnni)     \
  KERNEL(kWinogradF43Avx2, kWinogradF43, kAvx2)             \
  KERNEL(kWinogradF23Avx2, kWinogradF23, kAvx2)             \
  KERNEL(kWinograd1dAvx512, kWinograd1d, kAvx512Vnni)

#define TFLITE_EQ_ARM64_KERNELS(KERNEL)                     \
  KERNEL(kDirectNeonI8mm, kDirect, kNeonI8mm)               \
  KERNEL(kDirectNeonDotprod, kDirect, kNeonDotprod)         \
  KERNEL(kDirectNeon, kDirect, kNeon)                       \
  KERNEL(kDirectInt7Neon, kDirectInt7, kNeon)               \
  KERNEL(kDepthwiseNeon, kDepthwise, kNeon)                 \
  KERNEL(kWinogradF43Neon, kWinogradF43, kNeon)             \
  KERNEL(kWinograd1dNeonI8mm, kWinograd1d, kNeonI8mm)       \
  KERNEL(kWinograd1dNeonDotprod, kWinograd1d, kNeonDotprod)

// Part of every build.
#define TFLITE_EQ_SCALAR_KERNELS(KERNEL)                    \
  KERNEL(kReference, kReference, kScalar)                   \
  KERNEL(kDirectScalar, kDirect, kScalar)                   \
  KERNEL(kDepthwiseScalar, kDepthwise, kScalar)             \
  KERNEL(kWinogradF43Scalar, kWinogradF43, kScalar)         \
  KERNEL(kWinogradF23Scalar, kWinogradF23, kScalar)         \
  KERNEL(kWinograd1dScalar, kWinograd1d, kScalar)

#endif  // TFLITE_EQ_DELEGATE_KERNELS_KERNEL_LIST_H_
