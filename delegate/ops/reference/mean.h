// MEAN of rows of int8 values, such as the pixels of an image.
#ifndef TFLITE_EQ_DELEGATE_OPS_REFERENCE_MEAN_H_
#define TFLITE_EQ_DELEGATE_OPS_REFERENCE_MEAN_H_

#include <stdint.h>

#include "delegate/ops/reference/quantization.h"

namespace tflite_eq {

// Of one pixel or more. False where the scale is none that kernels take, and where a sum of so many pixels is no int32.
bool MakeMeanConstants(const Quantization& input, const Quantization& output, int64_t pixels, MeanConstants* constants);

// One image to one pixel.
void ReferenceMean(const MeanConstants& constants, const int8_t* input, int channels, int8_t* output);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REFERENCE_MEAN_H_
