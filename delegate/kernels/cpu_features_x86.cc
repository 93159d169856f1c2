// x86: CPUID for what the processor has, XGETBV for which registers the operating system saves.
#include <cpuid.h>

#include "delegate/kernels/cpu_features.h"

namespace tflite_eq {
namespace {

unsigned long long ExtendedControlRegister() {
  unsigned low;
  unsigned high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<unsigned long long>(high) << 32) | low;
}

struct Features {
  bool avx2 = false;
  bool avx512_vnni = false;
};

Features Detect() {
  Features features;
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return features;
  constexpr unsigned kOsSavesRegisters = 1u << 27;  // OSXSAVE
  if ((c & kOsSavesRegisters) == 0) return features;
  const unsigned long long saved = ExtendedControlRegister();
  constexpr unsigned long long kYmm = 0x06;  // SSE and AVX state
  constexpr unsigned long long kZmm = 0xe6;  // and opmask, upper halves, upper sixteen
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
  features.avx2 = (saved & kYmm) == kYmm && (b >> 5 & 1) != 0;
  const bool foundation = (b >> 16 & 1) != 0;
  const bool doubleword_quadword = (b >> 17 & 1) != 0;
  const bool byte_word = (b >> 30 & 1) != 0;
  const bool vector_length = (b >> 31 & 1) != 0;
  const bool vnni = (c >> 11 & 1) != 0;
  features.avx512_vnni = features.avx2 && (saved & kZmm) == kZmm && foundation && doubleword_quadword && byte_word &&
                         vector_length && vnni;
  return features;
}

}  // namespace

bool CpuSupports(Isa isa) {
  const Features features = Detect();
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kAvx2:
      return features.avx2;
    case Isa::kAvx512Vnni:
      return features.avx512_vnni;
    default:  // another architecture's
      return false;
  }
}

// Intel's server cores from Cascade Lake on. Their client siblings and AMD's Zen 4 have one 512-bit VNNI unit, or two halves.
bool HasTwoVnniUnits() {
  unsigned a, b, c, d;
  if (!__get_cpuid(0, &a, &b, &c, &d)) return false;
  constexpr unsigned kGenu = 0x756e6547, kIneI = 0x49656e69, kNtel = 0x6c65746e;
  if (b != kGenu || d != kIneI || c != kNtel) return false;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
  if ((a >> 8 & 15) != 6) return false;
  const unsigned model = (a >> 4 & 15) | (a >> 12 & 0xf0);
  switch (model) {
    case 0x55:  // Cascade Lake, Cooper Lake
    case 0x6a:  // Ice Lake-SP
    case 0x6c:  // Ice Lake-D
    case 0x8f:  // Sapphire Rapids
    case 0xcf:  // Emerald Rapids
    case 0xad:  // Granite Rapids
    case 0xae:  // Granite Rapids-D
      return true;
    default:
      return false;
  }
}

CpuProfile DetectCpu() {
  CpuProfile cpu;
  cpu.isa = BestIsa();
  cpu.two_vnni_units = cpu.isa == Isa::kAvx512Vnni && HasTwoVnniUnits();
  return cpu;
}

Isa BestIsa() {
  return CpuSupports(Isa::kAvx512Vnni) ? Isa::kAvx512Vnni : CpuSupports(Isa::kAvx2) ? Isa::kAvx2 : Isa::kScalar;
}

}  // namespace tflite_eq
