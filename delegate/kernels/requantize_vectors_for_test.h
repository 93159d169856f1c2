// The vector forms of requantization as plain functions, so that a test compiled for no particular instruction set can call them.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_VECTORS_FOR_TEST_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_VECTORS_FOR_TEST_H_

#include <vector>

#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/kernels/requantize.h"

namespace tflite_eq {

// z[i] = rounded acc[i], zero point included, for `count` accumulators (a multiple of 16) that all belong to channels alike.
void RequantizeForTestAvx2(const Requantization& r, const int32_t* acc, int count, int32_t* z);
void RequantizeForTestAvx512(const Requantization& r, const int32_t* acc, int count, int32_t* z);

struct VectorRequantizeFunction {
  Isa isa;
  void (*function)(const Requantization& r, const int32_t* acc, int count, int32_t* z);
};

inline std::vector<VectorRequantizeFunction> VectorRequantizeFunctions() {
  return {{Isa::kAvx2, RequantizeForTestAvx2}, {Isa::kAvx512Vnni, RequantizeForTestAvx512}};
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REQUANTIZE_VECTORS_FOR_TEST_H_
