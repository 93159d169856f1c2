#include "delegate/kernels/requantize_avx2.h"
#include "delegate/kernels/requantize_vectors_for_test.h"

namespace tflite_eq {

void RequantizeForTestAvx2(const Requantization& r, const int32_t* acc, int count, int32_t* z) {
  const RequantizeAvx2 constants(r, 0);
  for (int i = 0; i < count; i += 8) {
    const __m256i shifted = _mm256_sllv_epi32(RequantizeAvx2::Load(acc + i), _mm256_set1_epi32(r.pre_shift()));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(z + i), constants.FromShifted(shifted));
  }
}

}  // namespace tflite_eq
