// The policy for x86: plan.h has it as a table.
#include "delegate/kernels/plan_estimates.h"
#include "delegate/kernels/plan_policies.h"

namespace tflite_eq {
namespace {

// With fewer channels, the requantization and stores that all contenders share outweigh what is saved: 16->16 channels take 1.2 times
// XNNPACK's time.
constexpr int kFewestChannels = 32;
// But for input channels with one VNNI unit, where 16->128 take .70 of XNNPACK's time (with two they were not measured).
constexpr int kFewestInputChannels = 16;
// AVX2, where XNNPACK takes five times as long.
constexpr int kFewestAvx2Channels = 16;
// The direct kernel computes 32 output channels at a time.
constexpr int kFewestOutputChannels = 16;

bool HasChannels(const ConvShape& s, int fewest, Reason* reason) {
  if (s.input_channels >= fewest && s.output_channels >= fewest) return true;
  reason->Set("%d->%d channels are few", s.input_channels, s.output_channels);
  return false;
}

// Whether F(4,3) is worth it here; sets the reason if not.
bool F43Pays(const ConvProblem& problem, const Estimate& estimate, Reason* reason) {
  return Pays(estimate, "F(4x4,3x3)", reason) && CertifyWinogradF43(problem, reason);
}

// Whether the 1-D kernel is, with weights it takes; sets the reason if not.
bool Winograd1dPays(const ConvProblem& problem, const Estimate& estimate, Reason* reason) {
  if (!InWindow(problem.quantization.input_zero_point)) {
    reason->Set("not INT7: input zero point %d", problem.quantization.input_zero_point);
    return false;
  }
  return Pays(estimate, "1-D F(2,3)", reason);
}

// The faster of the Winograd kernels that pay, if one does; else sets the reason.
bool ChooseWinograd(const ConvProblem& problem, const CpuProfile& cpu, Plan* plan, Reason* reason) {
  const ConvShape& s = problem.shape;
  if (!HasChannels(s, kFewestChannels, reason) &&
      (cpu.two_vnni_units || s.input_channels < kFewestInputChannels || s.output_channels < kFewestChannels)) {
    return false;
  }
  bool two_taps = false;
  Reason ignored;
  const bool int7 = CertifyWinograd1d(problem, &two_taps, &ignored);
  const Estimate one = EstimateWinograd1d(s, cpu, two_taps);
  const Estimate two = EstimateWinogradF43(s, cpu);
  // Beside AMX only layers of few channels are left, for which it saves hardly more than the others: no reason to have 7 bits.
  const bool one_pays = int7 && cpu.peer != Peer::kAmx && Winograd1dPays(problem, one, &ignored);
  const bool two_pays = F43Pays(problem, two, reason);
  // Where they are close, the one with less to fetch.
  constexpr double kClose = 1.05;
  if (one_pays && (!two_pays || one.expected < kClose * two.expected)) {
    *plan = Claim(Algorithm::kWinograd1d, cpu.isa, one.saved(),
                  two_taps ? "INT7 weights, two-tap form" : "INT7 weights, sums of taps fit in int8");
    return true;
  }
  if (!two_pays) return false;
  const Estimate direct = EstimateDirectVnni(s, cpu);
  if (direct.peer > 0 && direct.expected < two.expected) {
    reason->Set("F(4x4,3x3) takes longer than the direct kernel");
    return false;
  }
  *plan = ClaimWinograd2d(problem, Algorithm::kWinogradF43, cpu.isa, two.saved(), "certified");
  return true;
}

Plan ChooseAvx512(const ConvProblem& problem, const CpuProfile& cpu) {
  const ConvShape& s = problem.shape;
  Reason no_winograd;
  if (s.is_3x3_stride_1()) {
    Plan plan;
    if (ChooseWinograd(problem, cpu, &plan, &no_winograd)) return plan;
  } else {
    no_winograd.Set("%dx%d stride %d", s.filter_height, s.filter_width, s.stride_width);
  }
  Reason reason;
  if (!cpu.two_vnni_units && s.output_channels < kFewestOutputChannels) {
    reason.Set("XNNPACK is as fast here: %d output channels leave half of the vectors empty", s.output_channels);
    return Leave(reason);
  }
  // With one VNNI unit it multiplies no faster than XNNPACK's, but takes less for what it writes.
  const Estimate estimate = EstimateDirectVnni(s, cpu);
  if (!Pays(estimate, "the direct kernel", &reason)) {
    reason.Set("XNNPACK is as fast here: %s, direct convolution (%.120s)", PeerInstructions(cpu), no_winograd.text);
    return Leave(reason);
  }
  const char* why = IsFirstLayer(s)       ? "XNNPACK pads so few input channels to eight; here filter rows are dense"
                    : cpu.two_vnni_units ? "no sign flips between products"
                                          : "few products for each output";
  return Claim(Algorithm::kDirect, cpu.isa, estimate.saved(), why);
}

Plan ChooseAvx2(const ConvProblem& problem, const CpuProfile& cpu) {
  const ConvShape& s = problem.shape;
  Reason reason;
  Reason left;
  if (!s.is_3x3_stride_1()) return ChooseDirect(problem, cpu);
  // Cut into parts, both are certified or neither is.
  if (!CertifyWinogradF43(problem, &reason)) return Leave(reason);
  // Many channels and few pixels: F(2,3) has less than half of the weights to fetch.
  const Estimate f23 = EstimateWinogradF23(s, cpu), f43 = EstimateWinogradF43(s, cpu);
  const bool large = f23.expected < f43.expected;
  const Estimate& estimate = large ? f23 : f43;
  if (!HasChannels(s, kFewestAvx2Channels, &reason)) return ChooseDirect(problem, cpu);
  if (!Pays(estimate, large ? "F(2x2,3x3)" : "F(4x4,3x3)", &reason)) {
    left.Set("XNNPACK is faster here: AVX2, %.150s", reason.text);
    return Leave(left);
  }
  if (large) {
    return ClaimWinograd2d(problem, Algorithm::kWinogradF23, cpu.isa, estimate.saved(),
                           "certified, F(4x4,3x3) has too many weights");
  }
  return ClaimWinograd2d(problem, Algorithm::kWinogradF43, cpu.isa, estimate.saved(), "certified");
}

}  // namespace

Plan ChooseX86Between(const ConvProblem& problem, const CpuProfile& cpu) {
  const ConvShape& s = problem.shape;
  const Estimate estimate = s.depthwise ? EstimateDepthwise(s, cpu) : EstimateDirectVnni(s, cpu);
  return Claim(s.depthwise ? Algorithm::kDepthwise : Algorithm::kDirect, cpu.isa, estimate.saved(), "between layers that pay");
}

Plan ChooseX86(const ConvProblem& problem, const CpuProfile& cpu) {
  return Includes(cpu.isa, Isa::kAvx512Vnni) ? ChooseAvx512(problem, cpu) : ChooseAvx2(problem, cpu);
}

}  // namespace tflite_eq
