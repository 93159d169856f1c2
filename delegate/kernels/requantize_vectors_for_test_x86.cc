#include "delegate/kernels/requantize_vectors_for_test.h"

namespace tflite_eq {

void RequantizeForTestAvx2(const Requantization& r, const int32_t* acc, int count, int32_t* z);
void RequantizeForTestAvx512(const Requantization& r, const int32_t* acc, int count, int32_t* z);

std::vector<VectorRequantizeFunction> VectorRequantizeFunctions() {
  return {{Isa::kAvx2, RequantizeForTestAvx2}, {Isa::kAvx512Vnni, RequantizeForTestAvx512}};
}

}  // namespace tflite_eq
