// The larger or the smaller of two codes, side by side.
#ifndef TFLITE_EQ_DELEGATE_OPS_EXTREMUM_H_
#define TFLITE_EQ_DELEGATE_OPS_EXTREMUM_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace tflite_eq {

// `output` may be either of them.
inline void TakeExtremum(bool minimum, const int8_t* first, const int8_t* second, int8_t* output, size_t count) {
  // As every CPU has them.
  using Vector = int8_t __attribute__((vector_size(16)));
  size_t i = 0;
  for (; i + sizeof(Vector) <= count; i += sizeof(Vector)) {
    Vector a, b;
    memcpy(&a, first + i, sizeof(a));
    memcpy(&b, second + i, sizeof(b));
    const Vector take_first = minimum ? a < b : a > b;
    a = (a & take_first) | (b & ~take_first);
    memcpy(output + i, &a, sizeof(a));
  }
  for (; i < count; ++i) output[i] = (first[i] < second[i]) == minimum ? first[i] : second[i];
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_EXTREMUM_H_
