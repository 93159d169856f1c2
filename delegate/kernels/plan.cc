#include "delegate/kernels/plan.h"

#include "delegate/kernels/conv_kernel.h"

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
// XNNPACK's kernel takes input channels by eights: half or more of its products are zeros up to here.
constexpr int kXnnpackChannelGroup = 8;
constexpr int kPaddedByXnnpack = 4;
constexpr int kFewestCostlyChannels = 16;
constexpr int kManyTaps = 25;
// The direct kernel computes 32 output channels at a time.
constexpr int kFewestOutputChannels = 16;
// One output pixel of a 1x1 layer with fewer channels is mostly requantization, which all contenders share.
constexpr int kFewestPointwiseChannels = 32;

bool InWindow(int32_t zero_point) { return zero_point >= -64 && zero_point <= 63; }

int64_t F43WeightBytes(const ConvShape& s) {
  return int64_t{36} * sizeof(int16_t) * s.input_channels * s.output_channels;
}

double F43TileUse(const ConvShape& s) {
  const auto rounded = [](int size) { return (size + 3) / 4 * 4; };
  return static_cast<double>(s.output_height) * s.output_width /
         (static_cast<double>(rounded(s.output_height)) * rounded(s.output_width));
}

double Multiplications(const ConvShape& s) {
  return static_cast<double>(s.batch) * s.output_height * s.output_width * s.output_channels * s.filter_size();
}

// The part of XNNPACK's time that a kernel saves, as measured (delegate/README.md), on the low side.
double SavedShare(const ConvShape& s, Algorithm algorithm, Isa isa, bool two_taps) {
  // A small first layer is mostly requantization and stores, and as fast elsewhere: 224x224x3->32 3x3 gains nothing, 7x7 threefold.
  if (s.input_channels < kFewestCostlyChannels && s.filter_height * s.filter_width < kManyTaps) return 0;
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

Plan Claim(Algorithm algorithm, Isa isa, const char* why) {
  Plan plan;
  plan.claim = true;
  plan.algorithm = algorithm;
  plan.isa = isa;
  plan.reason.Set("%s on %s: %s", AlgorithmName(algorithm), IsaName(isa), why);
  return plan;
}

Plan ClaimWinograd2d(const ConvProblem& problem, Algorithm algorithm, Isa isa, const char* why) {
  const int bits = algorithm == Algorithm::kWinogradF43 ? kWinogradF43Bits : kWinogradF23Bits;
  Reason text;
  const int parts = WinogradParts(problem, bits, 0, problem.shape.output_channels, &text);
  if (parts < 2) return Claim(algorithm, isa, why);
  text.Set("%s, in %d parts of the input channels", why, parts);
  return Claim(algorithm, isa, text.text);
}

Plan Leave(const Reason& reason) {
  Plan plan;
  plan.reason = reason;
  return plan;
}

Plan Leave(const char* why) {
  Plan plan;
  plan.reason.Set("%s", why);
  return plan;
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
  if (F43TileUse(s) < kLeastTileUse) {
    reason->Set("%dx%d outputs fill only %.0f %% of 4x4 tiles", s.output_height, s.output_width, 100 * F43TileUse(s));
    return false;
  }
  return CertifyWinogradF43(problem, reason);
}

// Whether F(4,3) is the better choice even where the 1-D kernel runs.
bool F43BeatsWinograd1d(const ConvProblem& problem, const CpuProfile& cpu) {
  const ConvShape& s = problem.shape;
  Reason ignored;
  return !cpu.two_vnni_units && s.input_channels >= kFewestF43ChannelsOneUnit &&
         s.output_channels >= kFewestF43ChannelsOneUnit && F43TileUse(s) >= kLeastTileUseOneUnit && F43Pays(problem, &ignored);
}

// XNNPACK's multiplications per layer, padding of few input channels included.
double XnnpackMultiplications(const ConvShape& s) {
  const double padded = s.input_channels < kXnnpackChannelGroup ? kXnnpackChannelGroup : s.input_channels;
  return Multiplications(s) / s.input_channels * padded;
}

Plan ChooseAvx512(const ConvProblem& problem, const CpuProfile& cpu) {
  const ConvShape& s = problem.shape;
  Reason reason;
  if (s.is_3x3_stride_1()) {
    bool two_taps = false;
    const bool certified = InWindow(problem.quantization.input_zero_point) && CertifyWinograd1d(problem, &two_taps, &reason);
    if (certified && !two_taps && !F43BeatsWinograd1d(problem, cpu)) {
      return Claim(Algorithm::kWinograd1d, cpu.isa, "INT7 weights, sums of taps fit in int8");
    }
    if (F43Pays(problem, &reason)) {
      return ClaimWinograd2d(problem, Algorithm::kWinogradF43, cpu.isa, "certified, weights stay in cache");
    }
    if (certified) return Claim(Algorithm::kWinograd1d, cpu.isa, "INT7 weights, two-tap form");
  } else {
    reason.Set("%dx%d stride %d", s.filter_height, s.filter_width, s.stride_width);
  }
  if (s.output_channels < kFewestOutputChannels) {
    reason.Set("XNNPACK is as fast here: %d output channels leave half of the vectors empty", s.output_channels);
    return Leave(reason);
  }
  if (s.input_channels <= kPaddedByXnnpack && s.filter_height * s.filter_width >= kManyTaps && s.dilation_width == 1) {
    return Claim(Algorithm::kDirect, cpu.isa, "XNNPACK pads so few input channels to eight; here filter rows are dense");
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
  return Claim(Algorithm::kDirect, cpu.isa, reason.text);
}

Plan ChooseAvx2(const ConvProblem& problem, const CpuProfile& cpu) {
  Reason reason;
  if (!problem.shape.is_3x3_stride_1()) return Leave("XNNPACK is faster here: AVX2, not a 3x3 convolution with stride 1");
  if (problem.shape.input_channels < kFewestF43Channels / 2) return Leave("XNNPACK is faster here: AVX2, few channels");
  // Cut into parts, both are certified or neither is.
  if (!CertifyWinogradF43(problem, &reason)) return Leave(reason);
  if (F43WeightBytes(problem.shape) > kLargestF43WeightsAvx2) {
    return ClaimWinograd2d(problem, Algorithm::kWinogradF23, cpu.isa, "certified, F(4x4,3x3) has too many weights");
  }
  return ClaimWinograd2d(problem, Algorithm::kWinogradF43, cpu.isa, "certified");
}

}  // namespace

Plan ChooseKernel(const ConvProblem& problem, const CpuProfile& cpu) {
  Plan plan;
  switch (cpu.isa) {
    case Isa::kAvx512Vnni:
      plan = ChooseAvx512(problem, cpu);
      break;
    case Isa::kAvx2:
      plan = ChooseAvx2(problem, cpu);
      break;
    default:
      return Leave("this CPU has no instruction set with fast kernels; scalar ones run only when asked for by name");
  }
  if (plan.claim) {
    bool two_taps = false;
    Reason ignored;
    if (plan.algorithm == Algorithm::kWinograd1d) CertifyWinograd1d(problem, &two_taps, &ignored);
    plan.saved_multiplications =
        XnnpackMultiplications(problem.shape) * SavedShare(problem.shape, plan.algorithm, plan.isa, two_taps);
  }
  return plan;
}

Plan ForceKernel(const ConvProblem& problem, Algorithm algorithm, Isa isa) {
  Reason reason;
  const ConvKernel* kernel = FindKernel(algorithm, isa);
  if (kernel == nullptr) {
    reason.Set("there is no %s kernel for %s", AlgorithmName(algorithm), IsaName(isa));
    return Leave(reason);
  }
  if (!kernel->certify(problem, &reason)) return Leave(reason);
  return Claim(algorithm, isa, "asked for by name");
}

}  // namespace tflite_eq
