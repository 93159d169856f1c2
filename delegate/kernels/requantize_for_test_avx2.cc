#include "delegate/kernels/requantize_avx2.h"
#include "delegate/kernels/requantize_for_test.h"

namespace tflite_eq {

void RequantizeForTestAvx2(const Requantization& r, const int32_t* acc, int count, int32_t* z) {
  const RequantizeAvx2 constants(r, 0);
  for (int i = 0; i < count; i += 8) {
    const __m256i x = RequantizeAvx2::Load(acc + i);
    const __m256i result = r.pre_shift(0) == 0
                               ? RequantizeAvx2::General(r, 0, x)
                               : constants.FromShifted(_mm256_sllv_epi32(x, _mm256_set1_epi32(r.pre_shift(0))));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(z + i), result);
  }
}

}  // namespace tflite_eq
