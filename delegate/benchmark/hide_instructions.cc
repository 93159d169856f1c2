// Preloaded into a process (LD_PRELOAD), makes the CPU look like one with less than it has, so that XNNPACK chooses other kernels, and
// the delegate with it: TFLITE_EQ_HIDE=amx hides AMX, TFLITE_EQ_HIDE=avx512, or no such variable, AVX-512 and AVX-VNNI as well.
//
// Linux can make the CPUID instruction fault (arch_prctl ARCH_SET_CPUID, on CPUs with the flag cpuid_fault). The handler runs it
// on behalf of the program and clears the bits. Processes on CPUs without the flag end at once with a message: silence would mean
// figures against the wrong kernels.
#include <asm/prctl.h>
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace {

constexpr uint32_t Bits() { return 0; }
template <typename... Rest>
constexpr uint32_t Bits(int bit, Rest... rest) {
  return (uint32_t{1} << bit) | Bits(rest...);
}

// Intel SDM volume 2, CPUID, leaf 7.
constexpr uint32_t kLeaf7Ebx = Bits(16, 17, 21, 26, 27, 28, 30, 31);  // AVX512 F DQ IFMA PF ER CD BW VL
constexpr uint32_t kLeaf7Ecx = Bits(1, 6, 11, 12, 14);                // AVX512 VBMI VBMI2 VNNI BITALG VPOPCNTDQ
constexpr uint32_t kLeaf7Edx = Bits(2, 3, 8, 22, 23, 24, 25);         // AVX512 4VNNIW 4FMAPS VP2INTERSECT FP16; AMX
constexpr uint32_t kLeaf7_1Eax = Bits(4, 5, 21, 23);                  // AVX-VNNI, AVX512-BF16, AMX-FP16, AVX-IFMA
constexpr uint32_t kLeaf7_1Edx = Bits(4, 5, 10, 19);                  // AVX-VNNI-INT8, NE-CONVERT, VNNI-INT16, AVX10
constexpr uint32_t kAmxOfLeaf7Edx = Bits(22, 24, 25);
constexpr uint32_t kAmxOfLeaf7_1Eax = Bits(21);

bool only_amx = false;

// What the program itself would have done at a fault: its sigaction is answered below, and takes effect at the first real one.
struct sigaction of_the_program = {};

void SetSegvAction(const struct sigaction* action) {
  static const auto set = reinterpret_cast<int (*)(int, const struct sigaction*, struct sigaction*)>(dlsym(RTLD_NEXT, "sigaction"));
  set(SIGSEGV, action, nullptr);
}

bool SetCpuid(bool allowed) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, allowed ? 1L : 0L) == 0; }

void OnFault(int signal_number, siginfo_t*, void* opaque) {
  greg_t* registers = static_cast<ucontext_t*>(opaque)->uc_mcontext.gregs;
  const auto* code = reinterpret_cast<const uint8_t*>(registers[REG_RIP]);
  if (code[0] != 0x0f || code[1] != 0xa2) {  // not CPUID: a real fault
    SetSegvAction(&of_the_program);
    return;
  }
  const auto leaf = static_cast<uint32_t>(registers[REG_RAX]);
  const auto subleaf = static_cast<uint32_t>(registers[REG_RCX]);
  uint32_t a, b, c, d;
  SetCpuid(true);
  __cpuid_count(leaf, subleaf, a, b, c, d);
  SetCpuid(false);
  if (leaf == 7 && only_amx) {
    if (subleaf == 0) d &= ~kAmxOfLeaf7Edx;
    if (subleaf == 1) a &= ~kAmxOfLeaf7_1Eax;
  } else if (leaf == 7 && subleaf == 0) {
    b &= ~kLeaf7Ebx;
    c &= ~kLeaf7Ecx;
    d &= ~kLeaf7Edx;
  } else if (leaf == 7 && subleaf == 1) {
    a &= ~kLeaf7_1Eax;
    d &= ~kLeaf7_1Edx;
  }
  registers[REG_RAX] = a;
  registers[REG_RBX] = b;
  registers[REG_RCX] = c;
  registers[REG_RDX] = d;
  registers[REG_RIP] += 2;
}

__attribute__((constructor)) void Hide() {
  const char* hidden = getenv("TFLITE_EQ_HIDE");
  if (hidden != nullptr && strcmp(hidden, "amx") == 0) {
    only_amx = true;
  } else if (hidden != nullptr && strcmp(hidden, "avx512") != 0) {
    fprintf(stderr, "hide_instructions: TFLITE_EQ_HIDE=%s; it can be amx or avx512\n", hidden);
    _exit(EXIT_FAILURE);
  }
  struct sigaction action = {};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  SetSegvAction(&action);
  if (!SetCpuid(false)) {
    fprintf(stderr, "hide_instructions: this CPU or kernel cannot make CPUID fault (flag cpuid_fault in /proc/cpuinfo)\n");
    _exit(EXIT_FAILURE);
  }
}

}  // namespace

// Python's fault handler, for one, would take the place of OnFault.
extern "C" int sigaction(int signal_number, const struct sigaction* action, struct sigaction* former) {
  if (signal_number == SIGSEGV) {
    if (former != nullptr) *former = of_the_program;
    if (action != nullptr) of_the_program = *action;
    return 0;
  }
  static const auto next = reinterpret_cast<int (*)(int, const struct sigaction*, struct sigaction*)>(dlsym(RTLD_NEXT, "sigaction"));
  return next(signal_number, action, former);
}
