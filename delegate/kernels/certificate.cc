#include "delegate/kernels/certificate.h"

namespace tflite_eq {
namespace {

constexpr bool FitsInt8(int value) { return value >= -128 && value <= 127; }

// The range over channels [begin, end) of the filter alone, without the bias.
AccumulatorRange PartRange(const ConvProblem& problem, int channel, int begin, int end) {
  const int inputs = problem.shape.filter_channels();
  const int size = problem.shape.filter_size();
  const ChannelFilter filter = FilterOf(problem, channel);
  int64_t positive = 0;
  int64_t negative = 0;
  for (int tap = 0; tap < size; tap += inputs) {
    // Without branches, which weights would mispredict, and in 32 bits as far as these hold the sums.
    constexpr int kMost = 1 << 23;
    for (int at = tap + begin; at < tap + end; at += kMost) {
      const int until = tap + end - at < kMost ? tap + end : at + kMost;
      int32_t sum = 0, sum_of_magnitudes = 0;
#pragma clang loop interleave(disable)
      for (int i = at; i < until; ++i) {
        const int32_t w = filter[i];
        sum += w;
        sum_of_magnitudes += w < 0 ? -w : w;
      }
      positive += (int64_t{sum_of_magnitudes} + sum) / 2;
      negative += (int64_t{sum_of_magnitudes} - sum) / 2;
    }
  }
  const int64_t low = -128 - problem.quantization.input_zero_point;
  const int64_t high = 127 - problem.quantization.input_zero_point;
  return {low * positive - high * negative, high * positive - low * negative};
}

// Whether the bound holds for every part; otherwise the channel's largest part.
bool PartsFit(const ConvProblem& problem, int channel, int bits, int parts, int64_t* largest) {
  const int inputs = problem.shape.input_channels;
  *largest = 0;
  for (int part = 0; part < parts; ++part) {
    const int64_t magnitude = PartRange(problem, channel, WinogradPartBegin(inputs, parts, part),
                                        WinogradPartBegin(inputs, parts, part + 1)).magnitude();
    if (magnitude > *largest) *largest = magnitude;
  }
  return *largest < int64_t{1} << bits;
}

bool CertifyMagnitude(const ConvProblem& problem, int bits, Reason* reason) {
  if (!CertifyDirect(problem, reason)) return false;
  if (!problem.shape.is_3x3_stride_1()) {
    reason->Set("not a 3x3 convolution with stride 1 and dilation 1");
    return false;
  }
  return WinogradParts(problem, bits, 0, problem.shape.output_channels, reason) > 0;
}

}  // namespace

int WinogradPartBegin(int input_channels, int parts, int part) {
  const int blocks = (input_channels + kWinogradPartChannels - 1) / kWinogradPartChannels;
  const int begin = static_cast<int>(static_cast<int64_t>(blocks) * part / parts) * kWinogradPartChannels;
  return begin < input_channels ? begin : input_channels;
}

int WinogradParts(const ConvProblem& problem, int bits, int first, int count, Reason* reason) {
  // Sums of parts are int32 accumulators.
  constexpr int kAccumulatorBits = 31;
  const ConvShape& shape = problem.shape;
  const int blocks = (shape.input_channels + kWinogradPartChannels - 1) / kWinogradPartChannels;
  const int end = first + count < shape.output_channels ? first + count : shape.output_channels;
  int parts = 1;
  for (int channel = first; channel < end; ++channel) {
    int64_t largest;
    if (!PartsFit(problem, channel, kAccumulatorBits, 1, &largest)) {
      reason->Set("bound |accumulator| <= %lld is not below 2^%d in channel %d", static_cast<long long>(largest),
                  kAccumulatorBits, channel);
      return 0;
    }
    if (parts == 1 && largest < int64_t{1} << bits) continue;
    // Another cut may fail a channel that passed before: all of them are looked at again.
    if (PartsFit(problem, channel, bits, parts, &largest)) continue;
    if (++parts > blocks) {
      reason->Set("bound |accumulator| <= %lld over %d channels is not below 2^%d in channel %d",
                  static_cast<long long>(largest), kWinogradPartChannels, bits, channel);
      return 0;
    }
    channel = first - 1;
  }
  return parts;
}

AccumulatorRange ChannelRangeWithoutBias(const ConvProblem& problem, int channel) {
  return PartRange(problem, channel, 0, problem.shape.filter_channels());
}

AccumulatorRange ChannelRange(const ConvProblem& problem, int channel) {
  const AccumulatorRange range = ChannelRangeWithoutBias(problem, channel);
  const int64_t bias = problem.weights.bias != nullptr ? problem.weights.bias[channel] : 0;
  return {range.min + bias, range.max + bias};
}

bool BiasComesLate(const ConvProblem& problem, int channel) {
  return ChannelRange(problem, channel).magnitude() >= int64_t{1} << kWinogradF43Bits;
}

bool CertifyWinogradF43(const ConvProblem& problem, Reason* reason) {
  return CertifyMagnitude(problem, kWinogradF43Bits, reason);
}

bool CertifyWinogradF23(const ConvProblem& problem, Reason* reason) {
  return CertifyMagnitude(problem, kWinogradF23Bits, reason);
}

bool CertifyDepthwise(const ConvProblem& problem, Reason* reason) {
  if (!problem.shape.depthwise) reason->Set("not a depthwise convolution");
  return problem.shape.depthwise;
}

bool CertifyDirect(const ConvProblem& problem, Reason* reason) {
  if (problem.shape.depthwise) reason->Set("a depthwise convolution, which kernel depthwise computes");
  return !problem.shape.depthwise;
}

bool CertifyDirectInt7(const ConvProblem& problem, Reason* reason) {
  if (!CertifyDirect(problem, reason)) return false;
  const int size = problem.shape.filter_size();
  for (int channel = 0; channel < problem.shape.output_channels; ++channel) {
    const int8_t* filter = problem.weights.filter + static_cast<size_t>(channel) * size;
    for (int i = 0; i < size; ++i) {
      if (filter[i] == -128) {
        reason->Set("weight -128 in channel %d", channel);
        return false;
      }
    }
  }
  return true;
}

Winograd1dForm ClassifyWinograd1d(const int8_t* filter, int input_channels) {
  // Extremes of w0 + w1 + w2 and w0 - w1 + w2, whose parity is the same, and of w0 + w1: 16 bits hold them, and vectors many of these.
  int16_t least = 0, most = 0, least_of_two = 0, most_of_two = 0, odd = 0;
  const auto min = [](int16_t a, int16_t b) { return a < b ? a : b; };
  const auto max = [](int16_t a, int16_t b) { return a > b ? a : b; };
  for (int row = 0; row < 3; ++row) {
    const int8_t* w = filter + static_cast<size_t>(row) * 3 * input_channels;
#pragma clang loop interleave(disable)
    for (int c = 0; c < input_channels; ++c) {
      const int16_t w0 = w[c], w1 = w[input_channels + c], w2 = w[2 * input_channels + c];
      const auto outer = static_cast<int16_t>(w0 + w2), two = static_cast<int16_t>(w0 + w1);
      const auto u1 = static_cast<int16_t>(outer + w1), u2 = static_cast<int16_t>(outer - w1);
      least = min(least, min(u1, u2));
      most = max(most, max(u1, u2));
      least_of_two = min(least_of_two, two);
      most_of_two = max(most_of_two, two);
      odd = static_cast<int16_t>(odd | u1);
    }
  }
  const bool sums_fit = FitsInt8(least) && FitsInt8(most);
  const bool halves_fit = odd % 2 == 0 && FitsInt8(least / 2) && FitsInt8(most / 2);
  const bool two_taps_fit = FitsInt8(least_of_two) && FitsInt8(most_of_two);
  // Channels that satisfy both take the form without the final halving.
  return halves_fit     ? Winograd1dForm::kHalveWeights
         : sums_fit     ? Winograd1dForm::kHalveSums
         : two_taps_fit ? Winograd1dForm::kTwoTaps
                        : Winograd1dForm::kNone;
}

bool CertifyWinograd1d(const ConvProblem& problem, bool* two_taps, Reason* reason) {
  const ConvShape& shape = problem.shape;
  if (!CertifyDirect(problem, reason)) return false;
  if (!shape.is_3x3_stride_1()) {
    reason->Set("not a 3x3 convolution with stride 1 and dilation 1");
    return false;
  }
  // |m1 +- m2| <= 3C * (254 + 127) * 128 must stay an int32 so that halving it is exact.
  constexpr int kMaxInputChannels = 14678;
  if (shape.input_channels > kMaxInputChannels) {
    reason->Set("%d input channels exceed the %d that int32 sums of the 1-D kernel hold", shape.input_channels,
                kMaxInputChannels);
    return false;
  }
  *two_taps = false;
  for (int channel = 0; channel < shape.output_channels; ++channel) {
    const int8_t* filter = problem.weights.filter + static_cast<size_t>(channel) * shape.filter_size();
    const Winograd1dForm form = ClassifyWinograd1d(filter, shape.input_channels);
    if (form == Winograd1dForm::kNone) {
      reason->Set("sums of horizontal taps leave int8 in channel %d", channel);
      return false;
    }
    *two_taps = *two_taps || form == Winograd1dForm::kTwoTaps;
  }
  // One form for the whole layer: a channel in one of the halving forms may still have w0 + w1 outside int8.
  for (int channel = 0; *two_taps && channel < shape.output_channels; ++channel) {
    const int8_t* filter = problem.weights.filter + static_cast<size_t>(channel) * shape.filter_size();
    for (int row = 0; row < 3; ++row) {
      const int8_t* w = filter + static_cast<size_t>(row) * 3 * shape.input_channels;
      for (int c = 0; c < shape.input_channels; ++c) {
        if (!FitsInt8(w[c] + w[shape.input_channels + c])) {
          reason->Set("channels need different forms of the 1-D kernel, and w0 + w1 leaves int8 in channel %d", channel);
          return false;
        }
      }
    }
  }
  return true;
}

}  // namespace tflite_eq
