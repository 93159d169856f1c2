// The policy for x86: plan.h has it as a table.
#include "delegate/kernels/plan_policies.h"

namespace tflite_eq {
namespace {

// Below this many channels the transforms of F(4,3), which do not depend on it, outweigh what they save.
constexpr int kFewestF43Channels = 32;
// Transformed weights of F(4,3) take eight times the space. Past the second-level cache they are fetched anew for every layer
// and inference, and the direct kernel wins.
constexpr int64_t kLargestF43Weights = 2 << 20;
// Without VNNI the multiplications take longer and memory keeps up for longer. At 512->512 channels F(2,3) wins, with less than
// half of the weights to fetch.
constexpr int64_t kLargestF43WeightsAvx2 = 8 << 20;
// Outputs that F(4x4) computes and that lie inside the image. 13x13 uses 66 % of four by four tiles.
constexpr double kLeastTileUse = 0.75;
// With one VNNI unit F(4,3), which does four times fewer multiplications to the 1-D kernel's one and a half, comes out ahead
// even for INT7 weights where its transforms spread over enough channels and its tiles are full. Zen 4, ms per layer, F(4,3)
// against 1-D: 56x56x64->64 .330 .357, 28x28x128->128 .294 .347, but 112x112x32->64 .882 .757.
constexpr int kFewestF43ChannelsOneUnit = 64;
constexpr double kLeastTileUseOneUnit = 0.9;
constexpr int kFewestCostlyChannels = 16;
// The direct kernel computes 32 output channels at a time.
constexpr int kFewestOutputChannels = 16;
// One output pixel of a 1x1 layer with fewer channels is mostly requantization, which all contenders share.
constexpr int kFewestPointwiseChannels = 32;

int64_t F43WeightBytes(const ConvShape& s) {
  return int64_t{36} * sizeof(int16_t) * s.input_channels * s.output_channels;
}

// The part of XNNPACK's time that a kernel saves, as measured (delegate/README.md), on the low side.
double SavedShare(const ConvShape& s, Algorithm algorithm, Isa isa, bool two_taps) {
  // A small first layer is mostly requantization and stores, and as fast elsewhere: 224x224x3->32 3x3 gains nothing, 7x7 threefold.
  if (s.input_channels < kFewestCostlyChannels && !HasManyTaps(s)) return 0;
  if (isa == Isa::kAvx2) return algorithm == Algorithm::kWinogradF43 ? 0.6 : 0.4;
  switch (algorithm) {
    case Algorithm::kWinograd1d:
      return two_taps ? 0.3 : 0.4;
    case Algorithm::kWinogradF43:
      return 0.35;
    case Algorithm::kDirect:
      // A 1x1 layer gains a few per cent at best: claimed in passing, between layers that pay, never for its own sake.
      return s.filter_height * s.filter_width > 1 ? 0.25 : 0;
    default:
      return 0;
  }
}

// Whether F(4,3) is worth it here; sets the reason if not.
bool F43Pays(const ConvProblem& problem, Reason* reason) {
  const ConvShape& s = problem.shape;
  if (s.input_channels < kFewestF43Channels || s.output_channels < kFewestF43Channels) {
    reason->Set("%d->%d channels are too few for F(4x4,3x3)", s.input_channels, s.output_channels);
    return false;
  }
  if (F43WeightBytes(s) > kLargestF43Weights) {
    reason->Set("%.1f MB of F(4x4,3x3) weights do not stay in cache", static_cast<double>(F43WeightBytes(s)) / 1048576);
    return false;
  }
  if (TileUse(s, 4) < kLeastTileUse) {
    reason->Set("%dx%d outputs fill only %.0f %% of 4x4 tiles", s.output_height, s.output_width, 100 * TileUse(s, 4));
    return false;
  }
  return CertifyWinogradF43(problem, reason);
}

// Whether F(4,3) is the better choice even where the 1-D kernel runs.
bool F43BeatsWinograd1d(const ConvProblem& problem, const CpuProfile& cpu) {
  const ConvShape& s = problem.shape;
  Reason ignored;
  return !cpu.two_vnni_units && s.input_channels >= kFewestF43ChannelsOneUnit &&
         s.output_channels >= kFewestF43ChannelsOneUnit && TileUse(s, 4) >= kLeastTileUseOneUnit && F43Pays(problem, &ignored);
}

Plan Take(const ConvShape& s, Algorithm algorithm, const CpuProfile& cpu, const char* why, bool two_taps = false) {
  return Claim(s, algorithm, cpu.isa, SavedShare(s, algorithm, cpu.isa, two_taps), why);
}

Plan TakeWinograd2d(const ConvProblem& problem, Algorithm algorithm, const CpuProfile& cpu, const char* why) {
  return ClaimWinograd2d(problem, algorithm, cpu.isa, SavedShare(problem.shape, algorithm, cpu.isa, false), why);
}

Plan ChooseAvx512(const ConvProblem& problem, const CpuProfile& cpu) {
  const ConvShape& s = problem.shape;
  Reason reason;
  if (s.is_3x3_stride_1()) {
    bool two_taps = false;
    const bool certified = InWindow(problem.quantization.input_zero_point) && CertifyWinograd1d(problem, &two_taps, &reason);
    if (certified && !two_taps && !F43BeatsWinograd1d(problem, cpu)) {
      return Take(s, Algorithm::kWinograd1d, cpu, "INT7 weights, sums of taps fit in int8");
    }
    if (F43Pays(problem, &reason)) {
      return TakeWinograd2d(problem, Algorithm::kWinogradF43, cpu, "certified, weights stay in cache");
    }
    if (certified) return Take(s, Algorithm::kWinograd1d, cpu, "INT7 weights, two-tap form", /*two_taps=*/true);
  } else {
    reason.Set("%dx%d stride %d", s.filter_height, s.filter_width, s.stride_width);
  }
  if (s.output_channels < kFewestOutputChannels) {
    reason.Set("XNNPACK is as fast here: %d output channels leave half of the vectors empty", s.output_channels);
    return Leave(reason);
  }
  if (IsLargeFirstLayer(s)) {
    return Take(s, Algorithm::kDirect, cpu, "XNNPACK pads so few input channels to eight; here filter rows are dense");
  }
  if (!cpu.two_vnni_units) {
    Reason left;
    left.Set("XNNPACK is as fast here: AVX-512 VNNI, direct convolution (%.120s)", reason.text);
    return Leave(left);
  }
  const bool pointwise = s.filter_height == 1 && s.filter_width == 1;
  if (pointwise && s.input_channels < kFewestPointwiseChannels) {
    return Leave("XNNPACK is as fast here: 1x1 with few channels");
  }
  return Take(s, Algorithm::kDirect, cpu, reason.text);
}

Plan ChooseAvx2(const ConvProblem& problem, const CpuProfile& cpu) {
  Reason reason;
  if (!problem.shape.is_3x3_stride_1()) return Leave("XNNPACK is faster here: AVX2, not a 3x3 convolution with stride 1");
  if (problem.shape.input_channels < kFewestF43Channels / 2) return Leave("XNNPACK is faster here: AVX2, few channels");
  // Cut into parts, both are certified or neither is.
  if (!CertifyWinogradF43(problem, &reason)) return Leave(reason);
  if (F43WeightBytes(problem.shape) > kLargestF43WeightsAvx2) {
    return TakeWinograd2d(problem, Algorithm::kWinogradF23, cpu, "certified, F(4x4,3x3) has too many weights");
  }
  return TakeWinograd2d(problem, Algorithm::kWinogradF43, cpu, "certified");
}

}  // namespace

Plan ChooseX86(const ConvProblem& problem, const CpuProfile& cpu) {
  return cpu.isa == Isa::kAvx512Vnni ? ChooseAvx512(problem, cpu) : ChooseAvx2(problem, cpu);
}

}  // namespace tflite_eq
