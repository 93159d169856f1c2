// TRANSPOSE_CONV: every value of the input spreads over a window of the output.
#ifndef TFLITE_EQ_DELEGATE_OPS_REFERENCE_TRANSPOSE_CONV_H_
#define TFLITE_EQ_DELEGATE_OPS_REFERENCE_TRANSPOSE_CONV_H_

#include <stdint.h>

#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

// The problem's shape is the operator's: input and output as it has them, a filter [output channel][row][column][input channel], strides
// of the output, and as padding what lies above and left of the output. No dilation.
void ReferenceTransposeConv(const ConvProblem& problem, const int8_t* input, int8_t* output);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REFERENCE_TRANSPOSE_CONV_H_
