// Operators whose output code depends on one input code alone, as tables: entry i is the output for code i - 128.
#ifndef TFLITE_EQ_DELEGATE_OPS_REFERENCE_UNARY_H_
#define TFLITE_EQ_DELEGATE_OPS_REFERENCE_UNARY_H_

#include <stdint.h>

#include "delegate/ops/reference/quantization.h"

namespace tflite_eq {

// All return false where the operator's scale is none that kernels take, or none that TFLite does.

// RELU, RELU6 and RELU_N1_TO_1 as operators of their own.
bool ReluTable(Activation activation, const Quantization& input, const Quantization& output, int8_t table[kCodes]);

// `slope` of negative values, itself of either sign.
bool LeakyReluTable(float slope, const Quantization& input, const Quantization& output, int8_t table[kCodes]);

// QUANTIZE from int8 to int8.
bool RequantizeTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]);

bool HardSwishTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REFERENCE_UNARY_H_
