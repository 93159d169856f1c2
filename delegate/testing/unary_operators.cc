// Operators that look at one value at a time, in fixed point or as TFLite's tables are made: RELU and its kin, ABS, HARD_SWISH, QUANTIZE;
// LOGISTIC, TANH, EXP, GELU.
#include <algorithm>
#include <functional>
#include <optional>

#include "delegate/testing/operator_helpers.h"
#include "delegate/testing/operators.h"

namespace tflite_eq {
namespace {

// A code of the input to one of the output.
using Function = std::function<int8_t(int8_t)>;

std::optional<Function> Scaled(const TfLiteTensor& input, const TfLiteTensor& output, double scale, CodeRange range, bool magnitude) {
  FixedPoint fixed;
  // Further to the left TFLite's int32 would overflow.
  if (!ToFixedPoint(scale, &fixed) || fixed.shift > 22) return std::nullopt;
  return [=, zero_point = input.params.zero_point, offset = output.params.zero_point](int8_t code) {
    const int32_t value = code - zero_point;
    return range.Clamp(int64_t{Multiply(magnitude && value < 0 ? -value : value, fixed)} + offset);
  };
}

// Between two real numbers.
std::optional<Function> Clamped(const TfLiteTensor& input, const TfLiteTensor& output, float low, float high, double scale) {
  // Infinity for a scale that is small enough.
  const auto code = [&](float bound) {
    return std::round(static_cast<double>(bound / output.params.scale)) + static_cast<double>(output.params.zero_point);
  };
  CodeRange range;
  range.min = static_cast<int32_t>(std::clamp(code(low), -128.0, 127.0));
  range.max = static_cast<int32_t>(std::clamp(code(high), -128.0, 127.0));
  return Scaled(input, output, scale, range, false);
}

// gemmlowp's arithmetic of 16 bits.
int16_t Saturate(int64_t value) { return static_cast<int16_t>(std::clamp<int64_t>(value, INT16_MIN, INT16_MAX)); }
int16_t DoublingHigh(int16_t a, int16_t b, bool rounds) {
  const int32_t product = int32_t{a} * b, nudge = !rounds ? 0 : product >= 0 ? 1 << 14 : 1 - (1 << 14);
  return Saturate((int64_t{product} + nudge) / (1 << 15));
}
int16_t Halved(int16_t value, int exponent) {  // half away from zero
  const int32_t divisor = 1 << exponent, size = value < 0 ? -int32_t{value} : value;
  const int32_t halved = (size + divisor / 2) / divisor;
  return static_cast<int16_t>(value < 0 ? -halved : halved);
}
// The upper half of an int32 multiplier.
int16_t UpperHalf(int32_t multiplier) { return multiplier >= INT32_MAX - (1 << 15) ? INT16_MAX : static_cast<int16_t>((multiplier + (1 << 15)) >> 16); }

// x times the gate (x + 3) / 6 between 0 and 1, with 128 steps of the input to a code.
std::optional<Function> HardSwish(const TfLiteTensor& input, const TfLiteTensor& output) {
  constexpr int kFine = 128;
  const float fine = 1.0f / kFine * input.params.scale;
  FixedPoint to_output, to_gate;
  if (!ToFixedPoint(static_cast<double>(fine / output.params.scale), &to_output) ||
      !ToFixedPoint(static_cast<double>(fine / (3.0f / 32768.0f)), &to_gate)) {
    return std::nullopt;
  }
  // Shifts that int16 has no room for.
  if (to_output.shift > 0 || to_output.shift < -15 || to_gate.shift < -15 || to_gate.shift > 16) return std::nullopt;
  return [=, zero_point = input.params.zero_point, offset = output.params.zero_point](int8_t code) {
    const int16_t value = Saturate(int64_t{code - zero_point} * kFine);
    const int16_t on_output = DoublingHigh(value, UpperHalf(to_output.multiplier), true);
    int16_t gate = value;
    if (to_gate.shift > 0) gate = Saturate(int64_t{gate} * (int64_t{1} << (to_gate.shift - 1)));
    gate = DoublingHigh(gate, UpperHalf(to_gate.multiplier), true);
    if (to_gate.shift > 0) gate = Saturate(int64_t{gate} * 2);
    if (to_gate.shift < 0) gate = Halved(gate, -to_gate.shift);
    gate = static_cast<int16_t>((gate + (1 << 15)) >> 1);
    const int16_t product = Halved(DoublingHigh(gate, on_output, false), -to_output.shift);
    return CodeRange().Clamp(int64_t{product} + offset);
  };
}

// What TFLite makes its tables from, in single precision.
float Real(const TestNode& node, float x) {
  switch (node.code) {
    case kOperatorLogistic:
      return 1.0f / (1.0f + std::exp(-x));
    case kOperatorTanh:
      return std::tanh(x);
    case kOperatorExp:
      return std::exp(x);
    default:
      if (node.approximate) return 0.5f * x * (1.0f + std::tanh(0.79788456f * x * (1.0f + 0.044715f * x * x)));
      return 0.5f * x * std::erfc(x * -0.70710678f);
  }
}

std::optional<Function> Tabulated(const TestNode& node, const TfLiteTensor& input, const TfLiteTensor& output) {
  if (!std::isfinite(1 / output.params.scale)) return std::nullopt;
  if (node.code == kOperatorLogistic && output.params.scale != 1.0f / 256) return std::nullopt;
  return [&node, scale = input.params.scale, zero_point = input.params.zero_point, inverse = 1 / output.params.scale,
          offset = output.params.zero_point](int8_t code) {
    const float rounded = std::round(Real(node, scale * static_cast<float>(code - zero_point)) * inverse);
    return CodeRange().Clamp(std::isfinite(rounded) ? static_cast<int64_t>(std::clamp(rounded, -1e6f, 1e6f)) + offset : 127);
  };
}

std::optional<Function> FunctionOf(const TestNode& node, const TfLiteTensor& input, const TfLiteTensor& output) {
  for (const TfLiteTensor* tensor : {&input, &output}) {
    if (tensor->params.zero_point < -128 || tensor->params.zero_point > 127) return std::nullopt;
    // What is divided by 0, or is no number, is no code.
    if (!(tensor->params.scale > 0 && std::isfinite(tensor->params.scale))) return std::nullopt;
  }
  const auto scale = static_cast<double>(input.params.scale / output.params.scale);
  switch (node.code) {
    case kOperatorRelu6:
      return Clamped(input, output, 0, 6, scale);
    case kOperatorReluN1To1:
      return Clamped(input, output, -1, 1, scale);
    case kOperatorRelu0To1:
      return Clamped(input, output, 0, 1, scale);
    case kOperatorAbs:
      return Scaled(input, output, scale, {}, true);
    case kOperatorQuantize:
      return Scaled(input, output, static_cast<double>(input.params.scale) / static_cast<double>(output.params.scale), {}, false);
    case kOperatorHardSwish:
      return HardSwish(input, output);
    default:
      return Tabulated(node, input, output);
  }
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  TfLiteTensor* output = OutputAt(context, node);
  const TestNode& parameters = ParametersOf(*node);
  if (!HasCounts(node, 1, 1) || !IsInt8(input) || !IsInt8(output) || !IsWhole(*input)) return Refuse(context, "function of other types");
  if (parameters.code == kOperatorGelu && node->builtin_data == nullptr) return Refuse(context, "GELU without parameters");
  if (!FunctionOf(parameters, *input, *output)) return Refuse(context, "scales of a function");
  return ResizeTo(context, output, ToVector(input->dims));
}

TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  TfLiteTensor* output = OutputAt(context, node);
  const std::optional<Function> function = FunctionOf(ParametersOf(*node), *input, *output);
  for (int64_t i = 0; i < ElementCount(*output); ++i) output->data.int8[i] = (*function)(input->data.int8[i]);
  return kTfLiteOk;
}

}  // namespace

TfLiteRegistration UnaryRegistration() { return Registration(Prepare, Invoke); }

}  // namespace tflite_eq
