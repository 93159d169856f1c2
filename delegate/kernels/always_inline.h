// Functions that headers define, where files for several instruction sets include them.
//
// Such a function has external linkage, and the linker keeps any one of its copies: the one for AVX-512, perhaps, which then runs on
// every CPU. So there must be no copy. What is neither `static` nor in an unnamed namespace, members of classes above all, is inlined
// always, without optimisation too; isa_symbols_test.cc looks for what was forgotten.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ALWAYS_INLINE_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ALWAYS_INLINE_H_

#define TFLITE_EQ_ALWAYS_INLINE inline __attribute__((always_inline))

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ALWAYS_INLINE_H_
