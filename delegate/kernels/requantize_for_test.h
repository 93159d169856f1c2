// The vector forms of requantization as plain functions: x86's, for files compiled for no particular instruction set to call.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_FOR_TEST_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_FOR_TEST_H_

#include "delegate/kernels/requantize.h"

namespace tflite_eq {

// As RequantizeFunction in requantize_vectors_for_test.h.
void RequantizeForTestAvx2(const Requantization& r, const int32_t* acc, int count, int32_t* z);
void RequantizeForTestAvx512(const Requantization& r, const int32_t* acc, int count, int32_t* z);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_FOR_TEST_H_
