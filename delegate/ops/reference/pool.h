// MAX_POOL_2D and AVERAGE_POOL_2D over int8 codes. Input and output have one scale and zero point. Padding does not count.
#ifndef TFLITE_EQ_DELEGATE_OPS_REFERENCE_POOL_H_
#define TFLITE_EQ_DELEGATE_OPS_REFERENCE_POOL_H_

#include <stdint.h>

#include "delegate/kernels/elementwise.h"

namespace tflite_eq {

// One image, all its output rows. Every window covers one input at the least.
void ReferenceMaxPool(const PoolShape& shape, const int8_t* input, int8_t* output);
void ReferenceAveragePool(const PoolShape& shape, const int8_t* input, int8_t* output);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REFERENCE_POOL_H_
