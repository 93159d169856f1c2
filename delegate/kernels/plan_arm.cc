// The policy for ARM: plan.h has it as a table.
//
// The shares of XNNPACK's time that a kernel saves come from instruction counts and from llvm-mca's cycles of the innermost loops
// (delegate/README.md), on the low side; no ARM machine has measured them.
#include "delegate/kernels/plan_estimates.h"
#include "delegate/kernels/plan_policies.h"

namespace tflite_eq {
namespace {

// With fewer channels the transforms, requantization and stores that all contenders share outweigh what is saved.
constexpr int kFewestChannels = 16;
// With dot products XNNPACK needs less while the transforms cost what they did: estimated for Cortex-A76, 32->256 channels take a tenth
// longer than XNNPACK (docs/arm64.md).
constexpr int kFewestDotProductChannels = 64;
// What first layers save of XNNPACK's time, which pads three channels to eight and output channels to sixteen. By estimated cycles of
// Cortex-A76 (docs/arm64.md): 7x7x3->64 10.9 to 6.1 million, 3x3x3->64 2.7 to 2.3; on Neoverse N2 it is more, 11.0 to 3.8 and 2.7 to 1.7.
constexpr double kSavedByDenseRows = 0.43;
constexpr double kSavedByDenseShortRows = 0.2;

Plan ClaimFirstLayer(const ConvShape& s, const CpuProfile& cpu) {
  constexpr int kXnnpackFilters = 16;
  ConvShape padded = s;
  padded.output_channels = (s.output_channels + kXnnpackFilters - 1) / kXnnpackFilters * kXnnpackFilters;
  const double share = IsLargeFirstLayer(s) ? kSavedByDenseRows : kSavedByDenseShortRows;
  const double saved = XnnpackMultiplications(padded) - (1 - share) * XnnpackMultiplications(s);
  return Claim(Algorithm::kDirect, cpu.isa, saved, "few input channels; here filters are dense");
}

Plan ChooseInt16Winograd(const ConvProblem& problem, const CpuProfile& cpu) {
  const Estimate estimate = EstimateWinogradF43(problem.shape, cpu);
  Reason reason;
  if (!Pays(estimate, "F(4x4,3x3)", &reason)) {
    Reason left;
    left.Set("XNNPACK is as fast here: %.150s", reason.text);
    return Leave(left);
  }
  if (!CertifyWinogradF43(problem, &reason)) return Leave(reason);
  Plan plan = ClaimWinograd2d(problem, Algorithm::kWinogradF43, cpu.isa, /*saved=*/0, "certified");
  plan.saved_multiplications = estimate.peer > estimate.expected ? estimate.peer - estimate.expected : 0;
  return plan;
}

// ARMv8.0: 8-bit products are widened to 16 bits. Where direct kernels are estimated, they may be faster than Winograd's: transforms take
// their time where channels are few.
Plan ChooseNeon(const ConvProblem& problem, const CpuProfile& cpu) {
  const ConvShape& s = problem.shape;
  if (!s.is_3x3_stride_1()) return ChooseDirect(problem, cpu);
  const Plan direct = ChooseDirect(problem, cpu);
  if (s.input_channels < kFewestChannels || s.output_channels < kFewestChannels) {
    if (direct.claim || CostsOf(cpu).direct.multiply > 0) return direct;
    Reason reason;
    reason.Set("XNNPACK is as fast here: %d->%d channels are few", s.input_channels, s.output_channels);
    return Leave(reason);
  }
  Plan winograd = ChooseInt16Winograd(problem, cpu);
  // 7x7x512 in INT7 took the direct kernel a third longer than estimated, its planes being fetched from the second-level cache.
  constexpr int64_t kHeldWeights = 384 << 10;
  const bool held = int64_t{s.output_channels} * s.filter_size() <= kHeldWeights;
  if (!direct.claim || (winograd.claim && !held)) return winograd;
  return !winograd.claim || direct.saved_multiplications > winograd.saved_multiplications ? direct : winograd;
}

// Dot products: int16 is slower than XNNPACK's int8, and only fewer of the same products are a gain.
Plan ChooseDotProduct(const ConvProblem& problem, const CpuProfile& cpu) {
  const ConvShape& s = problem.shape;
  Reason reason;
  if (IsFirstLayer(s) && s.output_channels >= kFewestChannels) return ClaimFirstLayer(s, cpu);
  if (!s.is_3x3_stride_1()) {
    return Leave("XNNPACK is as fast here: ARM with dot products, not a 3x3 convolution with stride 1");
  }
  if (s.input_channels < kFewestDotProductChannels || s.output_channels < kFewestDotProductChannels) {
    reason.Set("XNNPACK is as fast here: %d->%d channels are few", s.input_channels, s.output_channels);
    return Leave(reason);
  }
  Reason left;
  if (!InWindow(problem.quantization.input_zero_point)) {
    left.Set("XNNPACK is as fast here: ARM with dot products, not INT7 (input zero point %d)",
             problem.quantization.input_zero_point);
    return Leave(left);
  }
  bool two_taps = false;
  if (!CertifyWinograd1d(problem, &two_taps, &reason)) {
    left.Set("XNNPACK is as fast here: ARM with dot products, not INT7 (%.100s)", reason.text);
    return Leave(left);
  }
  const Estimate estimate = EstimateWinograd1d(s, cpu, two_taps);
  if (!Pays(estimate, "1-D F(2,3)", &reason)) {
    left.Set("XNNPACK is as fast here: ARM with dot products, %.120s", reason.text);
    return Leave(left);
  }
  return Claim(Algorithm::kWinograd1d, cpu.isa, estimate.saved(),
               two_taps ? "INT7 weights, two-tap form" : "INT7 weights, sums of taps fit in int8");
}

}  // namespace

Plan ChooseArm(const ConvProblem& problem, const CpuProfile& cpu) {
  return Includes(cpu.isa, Isa::kNeonDotprod) ? ChooseDotProduct(problem, cpu) : ChooseNeon(problem, cpu);
}

}  // namespace tflite_eq
