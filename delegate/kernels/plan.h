// Which kernel computes a convolution, or why none does: the selection policy, layer by layer and CPU by CPU. Pure: it looks at
// the problem and a CPU profile, never at the running machine, so that it can answer for another one.
//
//   CPU                        INT8 weights or codes                      INT7 range and qualifying weights
//   x86 AVX-512 VNNI,          F(4,3) where the channels are many enough  1-D F(2,3); two taps only where F(4,3)
//   two units (Intel servers)  and its weights stay in cache; else direct does not fit
//   x86 AVX-512 VNNI,          F(4,3) likewise; else direct up to four    F(4,3) where it fits from 64 channels and
//   one unit                   input channels; else none                  with full tiles; else as above
//   x86 AVX2                   F(4,3), or F(2,3) where its weights fill   same
//                              the cache
//   ARMv8.0                    3x3 stride 1: F(4,3), or F(2,3) where      3x3 stride 1: same; others: direct_int7
//                              that multiplies less; else none
//   ARM dot products, i8mm     direct for 5x5 and larger filters up to    same; 3x3 stride 1: 1-D F(2,3)
//                              four input channels; else none
//   anything else              none: scalar kernels only when asked for   same
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

// A named kernel for every layer it can compute exactly, whether or not it is fast; for validation.
Plan ForceKernel(const ConvProblem& problem, Algorithm algorithm, Isa isa);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_PLAN_H_
