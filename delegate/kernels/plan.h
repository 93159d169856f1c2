// Which kernel computes a convolution, or why none does: the selection policy, layer by layer and CPU by CPU. Pure: it looks at
// the problem and a CPU profile, never at the running machine, so that it can answer for another one.
//
//   CPU                        INT8 weights or codes                      INT7 range and qualifying weights
//   SME; AVX-VNNI without      none: XNNPACK's kernels are faster, or     same
//   AVX-512                    were not measured
//   x86 AMX                    as below, where it pays: few channels      as INT8
//   x86 AVX-512 VNNI,          F(4,3) where it pays and saves more        1-D F(2,3) where it pays; two taps only
//   two units (Intel servers)  than direct; else direct where it pays     where F(4,3) does not
//   x86 AVX-512 VNNI,          F(4,3) where it pays; else direct where    F(4,3) where it is faster than the 1-D
//   one unit                   that pays, with few products for an        kernel; else that where it pays; else
//                              output and in first layers; else none      direct likewise
//   x86 AVX2                   3x3 stride 1: F(4,3) or F(2,3), whichever  3x3 stride 1: same; others: direct_int7
//                              is faster, where it pays; others: direct   where it pays
//                              where it pays
//   ARMv8.0, in order          3x3 stride 1: F(4,3) where it pays, or     same with direct_int7 for direct, where
//   (Cortex-A53)               direct where that is faster; others:       that pays
//                              direct where it pays; depthwise likewise
//   other ARMv8.0              3x3 stride 1: F(4,3) where it pays; else   same
//                              none
//   ARM dot products, i8mm     direct for 5x5 and larger filters up to    same; 3x3 stride 1: 1-D F(2,3) where it
//                              four input channels, without i8mm for      pays
//                              smaller ones, too; else none
//   any x86 with those sets    depthwise where it is estimated to be clearly   same
//                              faster; XNNPACK has no other kernels for these
//   anything else              none: scalar kernels only when asked for   same
//
// A kernel pays where it is estimated to be clearly faster than XNNPACK (plan_estimates.h).
#ifndef TFLITE_EQ_DELEGATE_KERNELS_PLAN_H_
#define TFLITE_EQ_DELEGATE_KERNELS_PLAN_H_

#include "delegate/kernels/certificate.h"
#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/cpu_features.h"

namespace tflite_eq {

struct Plan {
  // False: leave the layer to whoever else runs it.
  bool claim = false;
  Algorithm algorithm = Algorithm::kReference;
  Isa isa = Isa::kScalar;
  // What claiming the layer saves, in multiplications that XNNPACK would do in the same time on this CPU. A rough figure, for
  // weighing against the cost of handing tensors from one delegate to the other.
  double saved_multiplications = 0;
  Reason reason;  // in either case
};

// The policy. The problem's weights decide whether it counts as INT7: no layer quantized without that intent qualifies.
Plan ChooseKernel(const ConvProblem& problem, const CpuProfile& cpu);

// A kernel for a layer that the policy does not claim, which may stand between layers that it does: it loses little, and two switches
// are spared. What it saves is below 0 then. Only where that was measured.
Plan ChooseKernelBetween(const ConvProblem& problem, const CpuProfile& cpu);

// The policy's kernel if it claims the layer, whatever XNNPACK computes with; else the fastest kind that is exact for it.
Plan InsistOnKernel(const ConvProblem& problem, const CpuProfile& cpu);

// A named kernel, for just that set, for every layer it can compute exactly, whether or not it is fast; for validation.
Plan ForceKernel(const ConvProblem& problem, Algorithm algorithm, Isa isa);
// The same with the best of those that run on a CPU with `most`.
Plan ForceBestKernel(const ConvProblem& problem, Algorithm algorithm, Isa most);

// What kernel_list.h has, of any architecture; FindKernel answers for that of the build alone. Whether there is a kernel that needs just
// this set.
bool HasKernel(Algorithm algorithm, Isa needed);
// The set that the best of an algorithm's kernels needs, among those that run on a CPU with `has`. False where none does.
bool BestKernel(Algorithm algorithm, Isa has, Isa* needed);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_PLAN_H_
