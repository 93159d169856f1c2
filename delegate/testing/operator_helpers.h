// What the operators of the test runtime share: access to tensors, shapes, windows and fixed-point arithmetic.
#ifndef TFLITE_EQ_DELEGATE_TESTING_OPERATOR_HELPERS_H_
#define TFLITE_EQ_DELEGATE_TESTING_OPERATOR_HELPERS_H_

#include <cmath>
#include <cstdint>
#include <vector>

#include "delegate/testing/arrays.h"
#include "delegate/testing/graph.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

inline const TestNode& ParametersOf(const TfLiteNode& node) { return *static_cast<const TestNode*>(node.custom_initial_data); }

// Null for an absent or optional tensor.
inline TfLiteTensor* TensorAt(const TfLiteContext* context, const TfLiteIntArray* indices, int i) {
  if (i >= indices->size || indices->data[i] < 0) return nullptr;
  if (static_cast<size_t>(indices->data[i]) >= context->tensors_size) return nullptr;
  return &context->tensors[indices->data[i]];
}
inline TfLiteTensor* InputAt(const TfLiteContext* context, const TfLiteNode* node, int i) {
  return TensorAt(context, node->inputs, i);
}
inline TfLiteTensor* OutputAt(const TfLiteContext* context, const TfLiteNode* node) { return TensorAt(context, node->outputs, 0); }

// TFLite counts them, optional ones too.
inline bool HasCounts(const TfLiteNode* node, int fewest_inputs, int most_inputs) {
  return node->inputs->size >= fewest_inputs && node->inputs->size <= most_inputs && node->outputs->size == 1;
}

inline bool IsInt8(const TfLiteTensor* tensor) { return tensor != nullptr && tensor->type == kTfLiteInt8; }
inline bool HasRank(const TfLiteTensor* tensor, int rank) { return tensor->dims->size == rank; }
// INT64_MAX where that is too small.
inline int64_t ElementCount(const TfLiteTensor& tensor) {
  int64_t count = 1;
  for (int i = 0; i < tensor.dims->size; ++i) {
    if (__builtin_mul_overflow(count, int64_t{tensor.dims->data[i]}, &count)) return INT64_MAX;
  }
  return count;
}
// A constant holds what its shape says, unless the model is damaged or stores it sparsely.
inline bool IsWhole(const TfLiteTensor& tensor) {
  return tensor.allocation_type != kTfLiteMmapRo ||
         static_cast<uint64_t>(ElementCount(tensor)) * ElementBytes(tensor.type) == tensor.bytes;
}

inline TfLiteStatus ResizeTo(TfLiteContext* context, TfLiteTensor* tensor, const std::vector<int>& shape) {
  return context->ResizeTensor(context, tensor, MakeIntArray(shape));
}

// A tensor whose shape is known only once its operator runs.
inline void MakeDynamic(TfLiteTensor* tensor) {
  if (tensor->allocation_type == kTfLiteDynamic) return;
  tensor->allocation_type = kTfLiteDynamic;
  tensor->data.raw = nullptr;
}

inline TfLiteRegistration Registration(TfLiteStatus (*prepare)(TfLiteContext*, TfLiteNode*),
                                       TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*)) {
  TfLiteRegistration registration = {};
  registration.prepare = prepare;
  registration.invoke = invoke;
  return registration;
}

inline TfLiteStatus Refuse(TfLiteContext* context, const char* why) {
  context->ReportError(context, "%s", why);
  return kTfLiteError;
}

// One axis of a convolution or a pool.
struct Window {
  int64_t filter, stride, dilation, input, output, pad;
};
// False where TFLite divides by zero or has no such padding, and where sizes leave int32.
inline bool ResolveWindow(int32_t padding, int64_t filter, int64_t stride, int64_t dilation, int64_t input, Window* window) {
  if (stride < 1 || dilation < 1 || filter < 1) return false;
  if (padding != kTfLitePaddingSame && padding != kTfLitePaddingValid) return false;
  const int64_t reach = (filter - 1) * dilation + 1;
  // Divisions truncate towards zero, as in C.
  const int64_t output = (input + stride - (padding == kTfLitePaddingSame ? 1 : reach)) / stride;
  if (reach > INT32_MAX || input + stride > INT32_MAX || output < INT32_MIN) return false;
  const int64_t total = (output - 1) * stride + reach - input;
  *window = {filter, stride, dilation, input, output, total > 0 ? total / 2 : 0};
  return true;
}

// scale = multiplier * 2^(shift - 31), or no such thing.
struct FixedPoint {
  int32_t multiplier = 0;
  int shift = 0;
};
inline bool ToFixedPoint(double scale, FixedPoint* fixed) {
  *fixed = {};
  if (scale == 0) return true;
  if (!std::isfinite(scale)) return false;
  int exponent;
  int64_t mantissa = static_cast<int64_t>(std::round(std::frexp(scale, &exponent) * 2147483648.0));
  if (mantissa == int64_t{1} << 31) {
    mantissa /= 2;
    ++exponent;
  }
  if (exponent > 30) return false;
  if (exponent < -31) return true;
  *fixed = {static_cast<int32_t>(mantissa), exponent};
  return true;
}

// gemmlowp's SaturatingRoundingDoublingHighMul and RoundingDivideByPOT in a row; products wrap as they do in TFLite.
inline int32_t Multiply(int32_t value, const FixedPoint& scale) {
  const int left = scale.shift > 0 ? scale.shift : 0;
  const int right = scale.shift > 0 ? 0 : -scale.shift;
  const auto shifted = static_cast<int32_t>(static_cast<uint32_t>(value) << left);
  const int64_t product = int64_t{shifted} * scale.multiplier;
  int64_t high;
  if (shifted == INT32_MIN && scale.multiplier == INT32_MIN) {
    high = INT32_MAX;
  } else {
    const int64_t nudge = product >= 0 ? int64_t{1} << 30 : 1 - (int64_t{1} << 30);
    high = (product + nudge) / (int64_t{1} << 31);
  }
  // Half away from zero.
  const int64_t divisor = int64_t{1} << right;
  const int64_t magnitude = ((high < 0 ? -high : high) + divisor / 2) / divisor;
  return static_cast<int32_t>(high < 0 ? -magnitude : magnitude);
}

struct CodeRange {
  int32_t min = -128, max = 127;
  int8_t Clamp(int64_t value) const { return static_cast<int8_t>(value < min ? min : value > max ? max : value); }
};
// False where a bound has no code.
inline bool ActivationCodes(int32_t activation, const TfLiteTensor& output, CodeRange* range) {
  *range = {};
  if (activation == kTfLiteActNone) return true;
  const auto code = [&](float bound, int64_t* result) {
    const float rounded = std::round(bound / output.params.scale);
    if (!(rounded >= static_cast<float>(INT32_MIN) && rounded < static_cast<float>(INT32_MAX))) return false;
    *result = output.params.zero_point + static_cast<int64_t>(rounded);
    return true;
  };
  int64_t low, high = 127;
  if (!code(activation == kTfLiteActReluN1To1 ? -1.0f : 0.0f, &low)) return false;
  if (activation == kTfLiteActRelu6 && !code(6.0f, &high)) return false;
  if (activation == kTfLiteActReluN1To1 && !code(1.0f, &high)) return false;
  if (activation < kTfLiteActNone || activation > kTfLiteActRelu6) return false;
  range->min = static_cast<int32_t>(low < -128 ? -128 : low > 127 ? 127 : low);
  range->max = static_cast<int32_t>(high > 127 ? 127 : high < -128 ? -128 : high);
  return true;
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_TESTING_OPERATOR_HELPERS_H_
