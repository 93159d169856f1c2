// x86: CPUID for what the processor has, XGETBV for which registers the operating system saves.
#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "delegate/kernels/cpu_features.h"
#include "delegate/kernels/old_glibc.h"
#include "delegate/kernels/vnni_probe.h"

namespace tflite_eq {
namespace {

unsigned long long ExtendedControlRegister() {
  unsigned low;
  unsigned high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<unsigned long long>(high) << 32) | low;
}

struct Features {
  Isa isa = Isa::kScalar;
  // What XNNPACK may have besides.
  bool avx512 = false;
  bool avx_vnni = false;
  bool amx = false;
};

Features Detect() {
  Features features;
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return features;
  constexpr unsigned kOsSavesRegisters = 1u << 27;  // OSXSAVE
  if ((c & kOsSavesRegisters) == 0) return features;
  // Fused multiplication and addition, which kernels for AVX2 use as well; every such CPU has it.
  const bool fused = (c >> 12 & 1) != 0;
  const unsigned long long saved = ExtendedControlRegister();
  constexpr unsigned long long kYmm = 0x06;  // SSE and AVX state
  constexpr unsigned long long kZmm = 0xe6;  // and opmask, upper halves, upper sixteen
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
  const bool avx2 = fused && (saved & kYmm) == kYmm && (b >> 5 & 1) != 0;
  const bool foundation = (b >> 16 & 1) != 0;
  const bool doubleword_quadword = (b >> 17 & 1) != 0;
  const bool byte_word = (b >> 30 & 1) != 0;
  const bool vector_length = (b >> 31 & 1) != 0;
  const bool vnni = (c >> 11 & 1) != 0;
  const bool vbmi = (c >> 1 & 1) != 0;
  features.avx512 = avx2 && (saved & kZmm) == kZmm && foundation && doubleword_quadword && byte_word && vector_length;
  features.isa = With(features.isa, kHasAvx2, avx2);
  features.isa = With(features.isa, kHasAvx512Vnni, features.avx512 && vnni);
  features.isa = With(features.isa, kHasAvx512Vbmi, features.avx512 && vbmi);
  constexpr unsigned long long kTiles = 3ull << 17;  // their shapes and their data
  features.amx = (saved & kTiles) == kTiles && (d >> 24 & 1) != 0 && (d >> 25 & 1) != 0;
  if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) features.avx_vnni = avx2 && (a >> 4 & 1) != 0;
  return features;
}

}  // namespace

Isa CpuIsa() { return Detect().isa; }

namespace {

// Whether sign flips cost time beside dot products: with two units that all 512-bit instructions share it takes 1.5 times as
// long to do both, with one, or where others take the flips, just as long. A quotient of two times taken within a microsecond
// depends neither on the clock frequency nor on how much of the core a neighbouring thread takes. One that an interrupt falls
// into is wrong, so there are many, and their median decides: of 3000 on a server core of Intel's with AMX, beside two busy
// processes, none was below 1.43. The first microseconds, in which a CPU may throttle 512-bit instructions, are a small part.
bool FlipsCost() {
  constexpr int kMeasurements = 64;
  constexpr double kThreshold = 1.25;  // halfway
  double quotients[kMeasurements];
  MeasureSignFlips(quotients, kMeasurements);
  int above = 0;
  for (double quotient : quotients) above += quotient > kThreshold;
  return above * 2 > kMeasurements;
}

// Whether XNNPACK would get to use AMX tiles here. It asks Linux for the permission, as every process has to; only the same
// request tells how that ends, for a sandbox may refuse what the processor and the kernel offer. The request grants the permission
// to the whole process, moments before XNNPACK would have; its one effect is that stacks for signals must be larger from then on.
bool MayUseTiles() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr int kGetPermission = 0x1022;      // ARCH_GET_XCOMP_PERM, asm/prctl.h from Linux 5.16 on
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;               // the bit of XCR0
  const int error = errno;
  uint64_t permitted = 0;
  const bool granted = syscall(SYS_arch_prctl, kGetPermission, &permitted) == 0 && (permitted >> kTileData & 1) != 0;
  const bool may = granted || syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  errno = error;
  return may;
#else
  return false;
#endif
}

CpuProfile Profile() {
  CpuProfile cpu;
  const Features features = Detect();
  cpu.isa = features.isa;
  if (Includes(cpu.isa, Isa::kAvx512Vnni)) {
    cpu.two_vnni_units = FlipsCost();
    if (features.amx && MayUseTiles()) cpu.peer = Peer::kAmx;
  } else if (Includes(cpu.isa, Isa::kAvx2)) {
    if (features.avx512) cpu.peer = Peer::kAvx512;
    if (features.avx_vnni) cpu.peer = Peer::kAvxVnni;
  }
  return cpu;
}

CpuProfile detected;
pthread_once_t once = PTHREAD_ONCE_INIT;

}  // namespace

CpuProfile DetectCpu() {
  pthread_once(&once, [] { detected = Profile(); });
  return detected;
}

}  // namespace tflite_eq
