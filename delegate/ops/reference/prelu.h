// PRELU of an int8 tensor with one slope per channel.
#ifndef TFLITE_EQ_DELEGATE_OPS_REFERENCE_PRELU_H_
#define TFLITE_EQ_DELEGATE_OPS_REFERENCE_PRELU_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/ops/reference/quantization.h"

namespace tflite_eq {

// `slope_scale` is that of the slopes; their zero point is subtracted from them by the caller. False where a scale is none that
// kernels take.
bool MakePreluConstants(const Quantization& input, float slope_scale, const Quantization& output, PreluConstants* constants);

// `slopes` minus their zero point, one per channel.
void ReferencePrelu(const PreluConstants& constants, const int16_t* slopes, const int8_t* input, int8_t* output, size_t pixels,
                    int channels);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REFERENCE_PRELU_H_
