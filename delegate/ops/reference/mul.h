// MUL of int8 tensors of equal shape.
#ifndef TFLITE_EQ_DELEGATE_OPS_REFERENCE_MUL_H_
#define TFLITE_EQ_DELEGATE_OPS_REFERENCE_MUL_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/ops/reference/quantization.h"

namespace tflite_eq {

// False where the effective scale is none that kernels take.
bool MakeMulConstants(const Quantization& first, const Quantization& second, const Quantization& output, Activation activation,
                      MulConstants* constants);

void ReferenceMul(const MulConstants& constants, const int8_t* first, const int8_t* second, int8_t* output, size_t count);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REFERENCE_MUL_H_
