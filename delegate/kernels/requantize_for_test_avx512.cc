#include "delegate/kernels/requantize_avx512.h"
#include "delegate/kernels/requantize_for_test.h"

namespace tflite_eq {

void RequantizeForTestAvx512(const Requantization& r, const int32_t* acc, int count, int32_t* z) {
  const RequantizeAvx512 constants(r, 0);
  for (int i = 0; i < count; i += 16) {
    const __m512i x = _mm512_loadu_si512(acc + i);
    const __m512i result = r.pre_shift(0) == 0
                               ? RequantizeAvx512::General(r, 0, x)
                               : constants.FromShifted(_mm512_sllv_epi32(x, _mm512_set1_epi32(r.pre_shift(0))));
    _mm512_storeu_si512(z + i, result);
  }
}

}  // namespace tflite_eq
