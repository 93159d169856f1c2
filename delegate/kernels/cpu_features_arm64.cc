// aarch64: Linux says what the processor has. Which extensions are present does not tell cores apart, and need not: the policy
// asks for no more (plan.h).
#include "delegate/kernels/cpu_features.h"

#include <sys/auxv.h>

namespace tflite_eq {
namespace {

// Of the AT_HWCAP and AT_HWCAP2 words of Linux for arm64; older headers lack some of the names.
constexpr unsigned long kHwcapAdvancedSimd = 1ul << 1;
constexpr unsigned long kHwcapDotProduct = 1ul << 20;
constexpr unsigned long kHwcap2Int8MatrixMultiply = 1ul << 13;
constexpr unsigned long kHwcap2Sme = 1ul << 23;

}  // namespace

bool CpuSupports(Isa isa) {
  const unsigned long hwcap = getauxval(AT_HWCAP);
  const bool neon = (hwcap & kHwcapAdvancedSimd) != 0;
  const bool dot_product = neon && (hwcap & kHwcapDotProduct) != 0;
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kNeon:
      return neon;
    case Isa::kNeonDotprod:
      return dot_product;
    case Isa::kNeonI8mm:
      return dot_product && (getauxval(AT_HWCAP2) & kHwcap2Int8MatrixMultiply) != 0;
    default:
      return false;
  }
}

bool CpuPermutesBytes() { return false; }

Isa BestIsa() {
  return CpuSupports(Isa::kNeonI8mm)      ? Isa::kNeonI8mm
         : CpuSupports(Isa::kNeonDotprod) ? Isa::kNeonDotprod
         : CpuSupports(Isa::kNeon)        ? Isa::kNeon
                                          : Isa::kScalar;
}

CpuProfile DetectCpu() {
  CpuProfile cpu;
  cpu.isa = BestIsa();
  // SME2 implies it. Both multiply int8 matrices, and KleidiAI's kernels inside XNNPACK use either; no permission is needed.
  if ((getauxval(AT_HWCAP2) & kHwcap2Sme) != 0) cpu.peer = Peer::kSme;
  return cpu;
}

}  // namespace tflite_eq
