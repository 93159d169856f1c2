// Which instruction sets this machine runs, and which the library was compiled with. The two are separate questions.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_CPU_FEATURES_H_
#define TFLITE_EQ_DELEGATE_KERNELS_CPU_FEATURES_H_

#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/cpu_profile.h"

namespace tflite_eq {

// True when the running CPU and operating system support everything kernels of `isa` use.
bool CpuSupports(Isa isa);

// Whether it has AVX512_VBMI besides what Isa::kAvx512Vnni names: all such CPUs but the first have. False on other architectures.
bool CpuPermutesBytes();

// The running CPU's profile. Determined once per process, in well under a millisecond.
CpuProfile DetectCpu();

// The most preferred instruction set the CPU supports.
Isa BestIsa();

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_CPU_FEATURES_H_
