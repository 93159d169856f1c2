#include "delegate/ops/operator.h"

namespace tflite_eq {

CpuProfile AllowedCpu(const Environment& environment) {
  CpuProfile allowed = environment.cpu;
  const Isa isa = environment.options.any_isa ? allowed.isa : LimitedTo(environment.options.isa, allowed.isa);
  if (isa != allowed.isa) {
    allowed.isa = isa;
    allowed.two_vnni_units = false;
    if (allowed.peer == Peer::kAvx512) allowed.peer = Peer::kSameInstructions;
  }
  return allowed;
}

Worth JudgeSimple(SimpleOperator kind, int64_t values, const Environment& environment, bool insist) {
  Worth worth;
  // A kernel that is asked for by name is one of convolutions.
  if (!environment.options.any_kernel) {
    worth.reason.Set("option kernel asks for convolutions only");
    return worth;
  }
  const CpuProfile cpu = AllowedCpu(environment);
  const CpuCosts::Simple& cost = CostsOf(cpu).of(kind);
  if (insist) {
    worth.possible = true;
    worth.reason.Set("option claim matches its name, fast or not");
    return worth;
  }
  if (cost.own == 0 && cost.peer == 0) {
    worth.reason.Set("not measured on such a CPU (%s)", IsaName(cpu.isa));
    return worth;
  }
  worth.possible = true;
  worth.saved_multiplications = static_cast<double>(values) * (cost.peer - cost.own);
  worth.runtime = static_cast<double>(values) * cost.peer;
  const double ratio = cost.own > 0 ? cost.peer / cost.own : 1;
  worth.reason.Set(ratio >= 1 ? "%.1f times the runtime's speed by itself" : "%.2f times the runtime's speed by itself", ratio);
  return worth;
}

}  // namespace tflite_eq

// What the tables of abstract classes name: the C++ runtime has it, and the library does without one. Nothing calls it.
extern "C" __attribute__((visibility("hidden"))) void __cxa_pure_virtual() { __builtin_trap(); }
