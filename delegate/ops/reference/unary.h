// Operators whose output code depends on one input code alone, as tables: entry i is the output for code i - 128.
#ifndef TFLITE_EQ_DELEGATE_OPS_REFERENCE_UNARY_H_
#define TFLITE_EQ_DELEGATE_OPS_REFERENCE_UNARY_H_

#include <stdint.h>

#include "delegate/ops/reference/quantization.h"

namespace tflite_eq {

// All return false where the operator's scale is none that kernels take, or none that TFLite does.

// RELU, RELU6, RELU_N1_TO_1 and RELU_0_TO_1 as operators of their own.
bool ReluTable(Activation activation, const Quantization& input, const Quantization& output, int8_t table[kCodes]);

// `slope` of negative values, itself of either sign. False, too, where it is negative and some code is one of those that LiteRT 2.3
// rounds in another way than 2.14 and 2.19.
bool LeakyReluTable(float slope, const Quantization& input, const Quantization& output, int8_t table[kCodes]);

bool AbsTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]);

// QUANTIZE from int8 to int8.
bool RequantizeTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]);

// LOGISTIC, TANH, EXP and GELU. The reference takes its table from the C library's single-precision functions, of which no two need agree to
// the last bit. False, too, where any code lies so near the middle between two that one of them might round it the other way; all agree
// on every other table. The reference asks for an output scale of 1/256 of LOGISTIC. `approximate`: GELU's form with tanh.
bool LogisticTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]);
bool TanhTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]);
bool ExpTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]);
bool GeluTable(bool approximate, const Quantization& input, const Quantization& output, int8_t table[kCodes]);

bool HardSwishTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REFERENCE_UNARY_H_
