#include "delegate/kernels/plan.h"

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/plan_estimates.h"
#include "delegate/kernels/plan_policies.h"

namespace tflite_eq {
Plan Claim(const ConvShape& shape, Algorithm algorithm, Isa isa, double saved_share, const char* why) {
  Plan plan;
  plan.claim = true;
  plan.algorithm = algorithm;
  plan.isa = isa;
  plan.saved_multiplications = (saved_share > 0 ? saved_share : 0) * XnnpackMultiplications(shape);
  plan.reason.Set("%s on %s: %s", AlgorithmName(algorithm), IsaName(isa), why);
  return plan;
}

Plan ClaimWinograd2d(const ConvProblem& problem, Algorithm algorithm, Isa isa, double saved_share, const char* why) {
  const int bits = algorithm == Algorithm::kWinogradF43 ? kWinogradF43Bits : kWinogradF23Bits;
  Reason text;
  const int parts = WinogradParts(problem, bits, 0, problem.shape.output_channels, &text);
  if (parts < 2) return Claim(problem.shape, algorithm, isa, saved_share, why);
  text.Set("%s, in %d parts of the input channels", why, parts);
  return Claim(problem.shape, algorithm, isa, saved_share, text.text);
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

bool InWindow(int32_t zero_point) { return zero_point >= -64 && zero_point <= 63; }

bool HasManyTaps(const ConvShape& s) {
  constexpr int kManyTaps = 25;
  return s.filter_height * s.filter_width >= kManyTaps;
}

bool IsLargeFirstLayer(const ConvShape& s) {
  constexpr int kPaddedByXnnpack = 4;
  return s.input_channels <= kPaddedByXnnpack && HasManyTaps(s) && s.dilation_width == 1;
}

Plan ChooseKernel(const ConvProblem& problem, const CpuProfile& cpu) {
  // Nor do INT7's gains make up for it: on AMX the 1-D kernel ran at half of XNNPACK's speed. AVX-VNNI was not measured.
  if (cpu.peer == Peer::kAmx || cpu.peer == Peer::kSme || cpu.peer == Peer::kAvxVnni) {
    Reason reason;
    reason.Set("XNNPACK is faster here: its int8 kernels use %s", PeerInstructions(cpu));
    return Leave(reason);
  }
  switch (cpu.isa) {
    case Isa::kScalar:
      break;
    case Isa::kAvx2:
    case Isa::kAvx512Vnni:
      return ChooseX86(problem, cpu);
    case Isa::kNeon:
    case Isa::kNeonDotprod:
    case Isa::kNeonI8mm:
      return ChooseArm(problem, cpu);
  }
  return Leave("this CPU has no instruction set with fast kernels; scalar ones run only when asked for by name");
}

Plan InsistOnKernel(const ConvProblem& problem, const CpuProfile& cpu) {
  CpuProfile alone = cpu;
  alone.peer = Peer::kSameInstructions;
  const Plan chosen = ChooseKernel(problem, alone);
  if (chosen.claim) return chosen;
  constexpr Algorithm kOrder[] = {Algorithm::kWinograd1d, Algorithm::kDirect, Algorithm::kDirectInt7, Algorithm::kWinogradF43,
                                  Algorithm::kWinogradF23};
  for (int isa = static_cast<int>(cpu.isa); isa >= 0; --isa) {
    for (Algorithm algorithm : kOrder) {
      if (FindKernel(algorithm, static_cast<Isa>(isa)) == nullptr) continue;
      Plan plan = ForceKernel(problem, algorithm, static_cast<Isa>(isa));
      if (!plan.claim) continue;
      plan.reason.Set("%s on %s: option claim matches its name", AlgorithmName(algorithm), IsaName(static_cast<Isa>(isa)));
      return plan;
    }
  }
  return ForceKernel(problem, Algorithm::kDirect, Isa::kScalar);
}

Plan ForceKernel(const ConvProblem& problem, Algorithm algorithm, Isa isa) {
  Reason reason;
  const ConvKernel* kernel = FindKernel(algorithm, isa);
  if (kernel == nullptr) {
    reason.Set("there is no %s kernel for %s", AlgorithmName(algorithm), IsaName(isa));
    return Leave(reason);
  }
  if (!kernel->certify(problem, &reason)) return Leave(reason);
  return Claim(problem.shape, algorithm, isa, /*saved_share=*/0, "asked for by name");
}

}  // namespace tflite_eq
