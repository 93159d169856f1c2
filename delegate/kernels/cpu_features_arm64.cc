// aarch64: Linux says what the processor has, and what its cores are, which extensions do not tell.
#include "delegate/kernels/cpu_features.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

namespace tflite_eq {
namespace {

// Of the AT_HWCAP and AT_HWCAP2 words of Linux for arm64; older headers lack some of the names.
constexpr unsigned long kHwcapAdvancedSimd = 1ul << 1;
constexpr unsigned long kHwcapDotProduct = 1ul << 20;
constexpr unsigned long kHwcap2Int8MatrixMultiply = 1ul << 13;
constexpr unsigned long kHwcap2Sme = 1ul << 23;

// The main identification register of a core, as Linux has it since 4.7; 0 where it does not say, or there is no such core.
uint64_t IdentificationOf(int core) {
  char path[80];
  snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/regs/identification/midr_el1", core);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[32];
  const ssize_t length = read(file, text, sizeof(text) - 1);
  close(file);
  if (length <= 0) return 0;
  text[length] = 0;
  return static_cast<uint64_t>(strtol(text, nullptr, 16));
}

// Cortex-A34, A53 and A35 of Arm, and Qualcomm's Kryo 2xx Silver, which is an A53.
bool IsInOrder(uint64_t identification) {
  const auto implementer = static_cast<unsigned>(identification >> 24 & 0xff);
  const auto part = static_cast<unsigned>(identification >> 4 & 0xfff);
  return (implementer == 0x41 && part >= 0xd02 && part <= 0xd04) || (implementer == 0x51 && part == 0x801);
}

// Whether all cores are. Where some are not, threads are on those, or may get there; and so they may where nothing is known.
bool AllInOrder() {
  constexpr int kMostCores = 64;
  bool found = false;
  for (int core = 0; core < kMostCores; ++core) {
    const uint64_t identification = IdentificationOf(core);
    if (identification == 0) break;
    if (!IsInOrder(identification)) return false;
    found = true;
  }
  return found;
}

}  // namespace

Isa CpuIsa() {
  const unsigned long hwcap = getauxval(AT_HWCAP);
  Isa isa = With(Isa::kScalar, kHasNeon, (hwcap & kHwcapAdvancedSimd) != 0);
  isa = With(isa, kHasDotprod, (hwcap & kHwcapDotProduct) != 0);
  return With(isa, kHasI8mm, (getauxval(AT_HWCAP2) & kHwcap2Int8MatrixMultiply) != 0);
}

CpuProfile DetectCpu() {
  CpuProfile cpu;
  cpu.isa = CpuIsa();
  cpu.in_order = !Includes(cpu.isa, Isa::kNeonDotprod) && AllInOrder();
  // SME2 implies it. Both multiply int8 matrices, and KleidiAI's kernels inside XNNPACK use either; no permission is needed.
  if ((getauxval(AT_HWCAP2) & kHwcap2Sme) != 0) cpu.peer = Peer::kSme;
  return cpu;
}

}  // namespace tflite_eq
