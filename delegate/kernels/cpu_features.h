// Which instruction sets this machine runs, and which the library was compiled with. The two are separate questions.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_CPU_FEATURES_H_
#define TFLITE_EQ_DELEGATE_KERNELS_CPU_FEATURES_H_

#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

// True when the running CPU and operating system support everything kernels of `isa` use.
bool CpuSupports(Isa isa);

// What the selection policy needs to know about a CPU; the running one's or, for `explain`, another's.
struct CpuProfile {
  Isa isa = Isa::kScalar;
  // Two 512-bit VNNI units. XNNPACK's int8 kernel spends one vector instruction flipping signs for every two dot products; with
  // one unit that is hidden, with two it takes a third of the time, which the direct kernel here does not pay.
  bool two_vnni_units = false;
};
CpuProfile DetectCpu();

// The most preferred instruction set the CPU supports.
Isa BestIsa();

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_CPU_FEATURES_H_
