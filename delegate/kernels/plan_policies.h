// What the policies of the architectures share. Each is a file of its own: plan_x86.cc, plan_arm.cc. All of them are part of every
// build, for a plan can be asked for another machine.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_PLAN_POLICIES_H_
#define TFLITE_EQ_DELEGATE_KERNELS_PLAN_POLICIES_H_

#include "delegate/kernels/plan.h"

namespace tflite_eq {

// The policies. The CPU has instruction sets of the architecture.
Plan ChooseX86(const ConvProblem& problem, const CpuProfile& cpu);
Plan ChooseArm(const ConvProblem& problem, const CpuProfile& cpu);

// As ChooseKernelBetween, for x86.
Plan ChooseX86Between(const ConvProblem& problem, const CpuProfile& cpu);

// The layer is taken by the best of the algorithm's kernels for a CPU with `has`, saving what XNNPACK would do `saved`
// multiplications in.
Plan Claim(Algorithm algorithm, Isa has, double saved, const char* why);
// Likewise a two-dimensional Winograd kernel that is certified; the reason says in how many parts it multiplies.
Plan ClaimWinograd2d(const ConvProblem& problem, Algorithm algorithm, Isa has, double saved, const char* why);
// The layer is left to whoever else runs it.
Plan Leave(const Reason& reason);
Plan Leave(const char* why);

// Whether padding leaves a kernel for 7-bit codes in its window: [-64, 63], or [0, 127], whose zero point is 0 behind a ReLU.
bool InWindow(int32_t zero_point);

// A direct kernel where it is estimated to pay: for 7-bit codes where the input is said to have them.
Plan ChooseDirect(const ConvProblem& problem, const CpuProfile& cpu);
// The better of them, whether or not it pays.
Plan ChooseDirectBetween(const ConvProblem& problem, const CpuProfile& cpu);

// Whether this is a large first layer, such as 7x7 over three channels. XNNPACK pads the few channels of every tap to a group of
// them; the direct kernels take the taps of a filter row for channels (filter_taps.h).
bool IsLargeFirstLayer(const ConvShape& shape);
// The same with a filter of any size beyond one column.
bool IsFirstLayer(const ConvShape& shape);
// Filters with as many taps as a large first layer's.
bool HasManyTaps(const ConvShape& shape);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_PLAN_POLICIES_H_
