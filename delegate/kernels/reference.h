// The specification: what every other kernel must compute, code for code.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_REFERENCE_H_
#define TFLITE_EQ_DELEGATE_KERNELS_REFERENCE_H_

#include <stdint.h>

#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

// Convolves `input` (NHWC codes) into `output` (NHWC codes) for the output rows [row_begin, row_end) of one image.
void ReferenceConvRows(const ConvProblem& problem, const int8_t* input, int image, int row_begin, int row_end,
                       int8_t* output);

// The whole problem.
void ReferenceConv(const ConvProblem& problem, const int8_t* input, int8_t* output);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_REFERENCE_H_
