#include "delegate/kernels/plan.h"

#include <initializer_list>

#include "delegate/kernels/geometry.h"
#include "delegate/kernels/kernel_list.h"
#include "delegate/kernels/plan_estimates.h"
#include "delegate/kernels/plan_policies.h"

namespace tflite_eq {
namespace {

struct ListedKernel {
  Algorithm algorithm;
  Isa needed;
};

#define TFLITE_EQ_LISTED(name, algorithm, isa) {Algorithm::algorithm, Isa::isa},
constexpr ListedKernel kListed[] = {
    TFLITE_EQ_X86_KERNELS(TFLITE_EQ_LISTED) TFLITE_EQ_ARM64_KERNELS(TFLITE_EQ_LISTED) TFLITE_EQ_SCALAR_KERNELS(TFLITE_EQ_LISTED)};
#undef TFLITE_EQ_LISTED

}  // namespace

bool HasKernel(Algorithm algorithm, Isa needed) {
  for (const ListedKernel& kernel : kListed) {
    if (kernel.algorithm == algorithm && kernel.needed == needed) return true;
  }
  return false;
}

bool BestKernel(Algorithm algorithm, Isa has, Isa* needed) {
  for (const ListedKernel& kernel : kListed) {
    if (kernel.algorithm != algorithm || !Includes(has, kernel.needed)) continue;
    *needed = kernel.needed;
    return true;
  }
  return false;
}

Plan Claim(Algorithm algorithm, Isa has, double saved, const char* why) {
  Plan plan;
  plan.claim = BestKernel(algorithm, has, &plan.isa);
  plan.algorithm = algorithm;
  plan.saved_multiplications = saved;
  plan.reason.Set("%s on %s: %s", AlgorithmName(algorithm), IsaName(plan.isa), why);
  return plan;
}

Plan ClaimWinograd2d(const ConvProblem& problem, Algorithm algorithm, Isa has, double saved, const char* why) {
  const int bits = algorithm == Algorithm::kWinogradF43 ? kWinogradF43Bits : kWinogradF23Bits;
  Reason text;
  const int parts = WinogradParts(problem, bits, 0, problem.shape.output_channels, &text);
  if (parts < 2) return Claim(algorithm, has, saved, why);
  text.Set("%s, in %d parts of the input channels", why, parts);
  return Claim(algorithm, has, saved, text.text);
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

namespace {

// What a file says of a 7-bit input. Its zero point lies in a window of 128 codes. Zero points of signed 8-bit tensors do as well, mostly;
// but 7-bit activations behind a ReLU have 0, and weights that were rounded to go with 7-bit codes are in [-63, 63].
bool IsMarkedInt7(const ConvProblem& problem) {
  // Images have few channels.
  constexpr int kFewestChannels = 16;
  if (problem.shape.input_channels < kFewestChannels || !InWindow(problem.quantization.input_zero_point)) return false;
  if (problem.quantization.input_zero_point == 0) return true;
  constexpr int kLimit = 63;
  const int64_t size = int64_t{problem.shape.output_channels} * problem.shape.filter_size();
  for (int64_t i = 0; i < size; ++i) {
    if (problem.weights.filter[i] < -kLimit || problem.weights.filter[i] > kLimit) return false;
  }
  return true;
}

struct DirectChoice {
  bool seven_bits;
  Estimate estimate;
};

DirectChoice BetterDirect(const ConvProblem& problem, const CpuProfile& cpu) {
  Reason ignored;
  const Estimate any = EstimateDirect(problem.shape, cpu, /*seven_bits=*/false);
  if (!CertifyDirectInt7(problem, &ignored) || !IsMarkedInt7(problem)) return {false, any};
  const Estimate seven = EstimateDirect(problem.shape, cpu, /*seven_bits=*/true);
  return seven.work < any.work ? DirectChoice{true, seven} : DirectChoice{false, any};
}

Plan ClaimDirect(const CpuProfile& cpu, const DirectChoice& choice, const char* why) {
  const Algorithm algorithm = choice.seven_bits ? Algorithm::kDirectInt7 : Algorithm::kDirect;
  return Claim(algorithm, cpu.isa, choice.estimate.saved(), why);
}

}  // namespace

Plan ChooseDirect(const ConvProblem& problem, const CpuProfile& cpu) {
  const DirectChoice choice = BetterDirect(problem, cpu);
  if (choice.estimate.peer <= 0) return Leave("XNNPACK is as fast here: not a 3x3 convolution with stride 1");
  Reason reason;
  Reason left;
  if (!Pays(choice.estimate, choice.seven_bits ? "the direct kernel for INT7" : "the direct kernel", &reason)) {
    left.Set("XNNPACK is as fast here: %.150s", reason.text);
    return Leave(left);
  }
  return ClaimDirect(cpu, choice, choice.seven_bits ? "INT7, more products in 16 bits" : "as estimated");
}

Plan ChooseDirectBetween(const ConvProblem& problem, const CpuProfile& cpu) {
  const DirectChoice choice = BetterDirect(problem, cpu);
  if (choice.estimate.peer <= 0) return Leave("not measured on such a CPU");
  return ClaimDirect(cpu, choice, "between layers that pay");
}

bool HasManyTaps(const ConvShape& s) {
  constexpr int kManyTaps = 25;
  return s.filter_height * s.filter_width >= kManyTaps;
}

bool IsFirstLayer(const ConvShape& s) {
  constexpr int kPaddedByXnnpack = 4;
  return !s.depthwise && s.input_channels <= kPaddedByXnnpack && s.filter_width > 1 && s.dilation_width == 1;
}

bool IsLargeFirstLayer(const ConvShape& s) { return IsFirstLayer(s) && HasManyTaps(s); }

namespace {

Plan ChooseDepthwise(const ConvShape& s, const CpuProfile& cpu) {
  const Estimate estimate = EstimateDepthwise(s, cpu);
  Reason reason;
  Reason left;
  Isa needed;
  if (!BestKernel(Algorithm::kDepthwise, cpu.isa, &needed) || needed == Isa::kScalar) {
    return Leave("this CPU has no instruction set with fast kernels; scalar ones run only when asked for by name");
  }
  if (estimate.peer <= 0) {
    left.Set("depthwise kernels for %s were not measured against XNNPACK's on such a CPU", IsaName(cpu.isa));
    return Leave(left);
  }
  if (!Pays(estimate, "the depthwise kernel", &reason)) {
    left.Set("XNNPACK is as fast here: %.150s", reason.text);
    return Leave(left);
  }
  return Claim(Algorithm::kDepthwise, cpu.isa, estimate.saved(), "taps of a channel side by side");
}

}  // namespace

namespace {

// Whether XNNPACK multiplies with what was not measured. Of AMX it is known what layers it is slow at, beside two VNNI units; every CPU
// that has it has two.
bool IsUnknown(const CpuProfile& cpu) {
  return cpu.peer == Peer::kSme || cpu.peer == Peer::kAvxVnni || (cpu.peer == Peer::kAmx && CostsOf(cpu).amx.row <= 0);
}

}  // namespace

Plan ChooseKernel(const ConvProblem& problem, const CpuProfile& cpu) {
  // Whatever instructions XNNPACK has for others, depthwise convolutions run on its plain vectors.
  if (problem.shape.depthwise) return ChooseDepthwise(problem.shape, cpu);
  if (!Includes(cpu.isa, Isa::kAvx2) && !Includes(cpu.isa, Isa::kNeon)) {
    return Leave("this CPU has no instruction set with fast kernels; scalar ones run only when asked for by name");
  }
  if (IsUnknown(cpu)) {
    Reason reason;
    reason.Set("XNNPACK is faster here: its int8 kernels use %s", PeerInstructions(cpu));
    return Leave(reason);
  }
  if (Includes(cpu.isa, Isa::kAvx2)) return ChooseX86(problem, cpu);
  return ChooseArm(problem, cpu);
}

Plan ChooseKernelBetween(const ConvProblem& problem, const CpuProfile& cpu) {
  if (IsEmpty(problem.shape) || IsUnknown(cpu) || cpu.peer == Peer::kAvx512) {
    return Leave("not measured against such a runtime");
  }
  if (Includes(cpu.isa, Isa::kAvx512Vnni)) return ChooseX86Between(problem, cpu);
  if (!problem.shape.depthwise) return ChooseDirectBetween(problem, cpu);
  const Estimate estimate = EstimateDepthwise(problem.shape, cpu);
  if (estimate.peer <= 0) return Leave("not measured on such a CPU");
  return Claim(Algorithm::kDepthwise, cpu.isa, estimate.saved(), "between layers that pay");
}

namespace {

bool Certify(const ConvProblem& problem, Algorithm algorithm, Reason* reason) {
  bool two_taps;
  switch (algorithm) {
    case Algorithm::kReference:
      break;
    case Algorithm::kDirect:
      return CertifyDirect(problem, reason);
    case Algorithm::kDepthwise:
      return CertifyDepthwise(problem, reason);
    case Algorithm::kDirectInt7:
      return CertifyDirectInt7(problem, reason);
    case Algorithm::kWinogradF43:
      return CertifyWinogradF43(problem, reason);
    case Algorithm::kWinogradF23:
      return CertifyWinogradF23(problem, reason);
    case Algorithm::kWinograd1d:
      return CertifyWinograd1d(problem, &two_taps, reason);
  }
  return true;
}

}  // namespace

Plan InsistOnKernel(const ConvProblem& problem, const CpuProfile& cpu) {
  CpuProfile alone = cpu;
  alone.peer = Peer::kSameInstructions;
  Plan plan = ChooseKernel(problem, alone);
  if (plan.claim && cpu.peer == alone.peer) return plan;
  constexpr Algorithm kOrder[] = {Algorithm::kDepthwise,  Algorithm::kWinograd1d,  Algorithm::kDirect,
                                  Algorithm::kDirectInt7, Algorithm::kWinogradF43, Algorithm::kWinogradF23};
  for (bool vectors : {true, false}) {
    for (Algorithm algorithm : kOrder) {
      Isa needed;
      if (plan.claim || !BestKernel(algorithm, cpu.isa, &needed) || (needed != Isa::kScalar) != vectors) continue;
      plan = ForceKernel(problem, algorithm, needed);
    }
  }
  if (plan.claim) {
    plan.reason.Set("%s on %s: option claim matches its name, fast or not", AlgorithmName(plan.algorithm), IsaName(plan.isa));
  }
  return plan;
}

Plan ForceKernel(const ConvProblem& problem, Algorithm algorithm, Isa isa) {
  Reason reason;
  if (!HasKernel(algorithm, isa)) {
    reason.Set("there is no %s kernel for %s", AlgorithmName(algorithm), IsaName(isa));
    return Leave(reason);
  }
  if (!Certify(problem, algorithm, &reason)) return Leave(reason);
  return Claim(algorithm, isa, /*saved=*/0, "asked for by name");
}

Plan ForceBestKernel(const ConvProblem& problem, Algorithm algorithm, Isa most) {
  Isa needed;
  // Where there is none at all, the message names what was to be used.
  return ForceKernel(problem, algorithm, BestKernel(algorithm, most, &needed) ? needed : most);
}

}  // namespace tflite_eq
