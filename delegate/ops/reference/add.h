// ADD and SUB of int8 tensors of equal shape.
#ifndef TFLITE_EQ_DELEGATE_OPS_REFERENCE_ADD_H_
#define TFLITE_EQ_DELEGATE_OPS_REFERENCE_ADD_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/ops/reference/quantization.h"

namespace tflite_eq {

// False where TFLite ends the process: scales that are not between 0 and 1 once they are relative to the common one.
bool MakeAddConstants(const Quantization& first, const Quantization& second, const Quantization& output, Activation activation,
                      bool subtract, AddConstants* constants);

void ReferenceAdd(const AddConstants& constants, const int8_t* first, const int8_t* second, int8_t* output, size_t count);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REFERENCE_ADD_H_
