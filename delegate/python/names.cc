#include "delegate/python/names.h"

#include <string.h>

#include <initializer_list>

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/version.h"

namespace tflite_eq {
namespace {

// Empty: the instructions that the delegate's own kernels have.
bool ParsePeer(const char* instructions, Peer* peer, Reason* reason) {
  *peer = Peer::kSameInstructions;
  if (*instructions == '\0') return true;
  for (Peer one : {Peer::kAvx512, Peer::kAvxVnni, Peer::kAmx, Peer::kSme}) {
    CpuProfile cpu;
    cpu.peer = one;
    if (strcmp(instructions, PeerInstructions(cpu)) != 0) continue;
    *peer = one;
    return true;
  }
  reason->Set("no peer has %s; there are AVX-512, AVX-VNNI, AMX and SME", instructions);
  return false;
}

void Describe(const CpuProfile& cpu, EqCpu* described) {
  *described = {IsaName(cpu.isa), cpu.two_vnni_units, PeerInstructions(cpu), cpu.in_order};
}

}  // namespace

bool ParseAlgorithm(const char* name, Algorithm* algorithm, Reason* reason) {
  if (AlgorithmFromName(name, algorithm)) return true;
  reason->Set("there is no kernel named %s", name);
  return false;
}

bool ParseIsa(const char* name, Isa* isa, Reason* reason) {
  if (IsaFromName(name, isa)) return true;
  reason->Set("there is no instruction set named %s", name);
  return false;
}

bool ParseCpu(const EqCpu& described, CpuProfile* cpu, Reason* reason) {
  cpu->two_vnni_units = described.two_vnni_units != 0;
  cpu->in_order = described.in_order != 0;
  return ParseIsa(described.isa, &cpu->isa, reason) && ParsePeer(described.peer, &cpu->peer, reason);
}

}  // namespace tflite_eq

using namespace tflite_eq;

const char* EqVersion() { return kVersion; }

int32_t EqKernelAt(int32_t index, const char** kernel, const char** isa) {
  for (int i = 0; i < kAlgorithmCount; ++i) {
    for (Isa needed : kIsas) {
      const ConvKernel* found = FindKernel(static_cast<Algorithm>(i), needed);
      if (found == nullptr || index-- > 0) continue;
      *kernel = AlgorithmName(found->algorithm);
      *isa = IsaName(found->isa);
      return 1;
    }
  }
  return 0;
}

int32_t EqCpuSupports(const char* isa, int32_t* answer, Reason* reason) {
  Isa parsed;
  if (!ParseIsa(isa, &parsed, reason)) return kRefused;
  *answer = CpuSupports(parsed);
  return kDone;
}

void EqDetectCpu(EqCpu* cpu) {
  const CpuProfile found = DetectCpu();
  Describe(found, cpu);
  if (found.peer == Peer::kSameInstructions) cpu->peer = "";
}

int32_t EqDescribeCpu(EqCpu* cpu, Reason* reason) {
  CpuProfile parsed;
  if (!ParseCpu(*cpu, &parsed, reason)) return kRefused;
  Describe(parsed, cpu);
  return kDone;
}
