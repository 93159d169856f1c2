#include "delegate/kernels/requantize_vectors_for_test.h"

#include "delegate/kernels/requantize_for_test.h"

namespace tflite_eq {

std::vector<VectorRequantizeFunction> VectorRequantizeFunctions() {
  return {{Isa::kAvx2, RequantizeForTestAvx2}, {Isa::kAvx512Vnni, RequantizeForTestAvx512}};
}

}  // namespace tflite_eq
