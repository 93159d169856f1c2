#include "delegate/kernels/requantize.h"

#include <math.h>

namespace tflite_eq {
namespace {

constexpr int kLargestPreShift = 6;
constexpr int kSmallestPreShift = 2;

// Whether the derivation of the header holds for one channel with pre-shift p: the pre-shifted accumulator and every
// numerator fit in an int32.
bool Fits(int pre_shift, int64_t magnitude, int32_t multiplier, int32_t shift, int32_t zero_point) {
  if (shift > 0 || multiplier < 0) return false;
  const int e = -shift;
  const int total = e + pre_shift - 1;
  if (total > 30) return false;
  const int64_t shifted = (magnitude + 1) << pre_shift;
  if (shifted >= (int64_t{1} << 31)) return false;
  const int64_t high = (shifted * multiplier >> 32) + 1;
  const int64_t addend = (int64_t{1} << (pre_shift - 2)) + (e > 0 ? int64_t{1} << (total - 1) : 0) +
                         ((zero_point < 0 ? -int64_t{zero_point} : int64_t{zero_point}) << total);
  return high + addend < (int64_t{1} << 31);
}

int32_t ClampToInt8(double value) { return value < -128 ? -128 : value > 127 ? 127 : static_cast<int32_t>(value); }

}  // namespace

void QuantizeMultiplier(double scale, int32_t* multiplier, int* shift) {
  if (scale == 0.0) {
    *multiplier = 0;
    *shift = 0;
    return;
  }
  const double mantissa = frexp(scale, shift);
  int64_t fixed = static_cast<int64_t>(round(mantissa * static_cast<double>(int64_t{1} << 31)));
  if (fixed == (int64_t{1} << 31)) {
    fixed /= 2;
    ++*shift;
  }
  if (*shift < -31) {
    *shift = 0;
    fixed = 0;
  }
  *multiplier = static_cast<int32_t>(fixed);
}

double EffectiveScale(float input_scale, float weight_scale, float output_scale) {
  return static_cast<double>(input_scale) * static_cast<double>(weight_scale) / static_cast<double>(output_scale);
}

void ActivationRange(Activation activation, float output_scale, int32_t output_zero_point, int32_t* activation_min,
                     int32_t* activation_max) {
  // As the oracle: the bound is divided by the scale in float, rounded half away from zero, then offset.
  const auto code = [output_scale, output_zero_point](float bound) {
    return ClampToInt8(static_cast<double>(output_zero_point) + static_cast<double>(roundf(bound / output_scale)));
  };
  *activation_min = activation == Activation::kNone ? -128 : code(activation == Activation::kReluN1To1 ? -1.0f : 0.0f);
  const bool to_one = activation == Activation::kReluN1To1 || activation == Activation::kRelu0To1;
  *activation_max = activation == Activation::kRelu6 ? code(6.0f) : to_one ? code(1.0f) : 127;
}

bool Requantization::Prepare(const ConvQuantization& quantization, int channels, const int64_t* magnitude,
                             const int32_t* late_bias) {
  zero_point_ = quantization.output_zero_point;
  activation_min_ = quantization.activation_min;
  activation_max_ = quantization.activation_max;
  const int padded = (channels + kChannelPadding - 1) / kChannelPadding * kChannelPadding;
  const size_t bytes = static_cast<size_t>(padded) * sizeof(int32_t);
  if (!multiplier_.Allocate(bytes) || !shift_.Allocate(bytes) || !addend_.Allocate(bytes) ||
      !negative_addend_.Allocate(bytes) || !right_shift_.Allocate(bytes) || !late_bias_.Allocate(bytes) ||
      !pre_shift_.Allocate(bytes / kBlock)) {
    return false;
  }
  for (int c = 0; c < channels; ++c) {
    multiplier_.as<int32_t>()[c] = quantization.multiplier[c];
    shift_.as<int32_t>()[c] = quantization.shift[c];
    late_bias_.as<int32_t>()[c] = late_bias != nullptr ? late_bias[c] : 0;
  }
  for (int first = 0; first < padded; first += kBlock) {
    const int end = first + kBlock < channels ? first + kBlock : channels;
    int pre_shift = 0;
    for (int p = kLargestPreShift; p >= kSmallestPreShift && pre_shift == 0; --p) {
      bool all = true;
      for (int c = first; c < end && all; ++c) all = Fits(p, magnitude[c], multiplier()[c], shift()[c], zero_point_);
      if (all) pre_shift = p;
    }
    pre_shift_.as<int32_t>()[first / kBlock] = pre_shift;
    if (pre_shift == 0) continue;
    for (int c = first; c < first + kBlock; ++c) {
      const int e = -shift()[c];
      const int total = e + pre_shift - 1;
      const int32_t half = e > 0 ? 1 << (total - 1) : 0;
      const int32_t sign_correction = e > 0 ? 1 << (pre_shift - 1) : 0;
      const int32_t base = (1 << (pre_shift - 2)) + zero_point_ * (1 << total);
      addend_.as<int32_t>()[c] = base + half;
      negative_addend_.as<int32_t>()[c] = base + half - sign_correction;
      right_shift_.as<int32_t>()[c] = total;
    }
  }
  return true;
}

int8_t Requantization::Requantize(int32_t acc, int channel) const {
  const int64_t scaled = int64_t{MultiplyByQuantizedMultiplier(acc, multiplier()[channel], shift()[channel])} + zero_point_;
  const int64_t low = scaled < activation_min_ ? activation_min_ : scaled;
  return static_cast<int8_t>(low > activation_max_ ? activation_max_ : low);
}

}  // namespace tflite_eq
