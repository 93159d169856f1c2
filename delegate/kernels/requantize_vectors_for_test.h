// The vector forms of requantization as plain functions, so that a test compiled for no particular instruction set can call them.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_VECTORS_FOR_TEST_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_VECTORS_FOR_TEST_H_

#include <vector>

#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/kernels/requantize.h"

namespace tflite_eq {

// z[i] = rounded acc[i], zero point included, for `count` accumulators (a multiple of 16) that all belong to channels alike.
using RequantizeFunction = void (*)(const Requantization& r, const int32_t* acc, int count, int32_t* z);

struct VectorRequantizeFunction {
  Isa isa;
  RequantizeFunction function;
};

// Those of the architecture that the test is built for.
std::vector<VectorRequantizeFunction> VectorRequantizeFunctions();

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_VECTORS_FOR_TEST_H_
