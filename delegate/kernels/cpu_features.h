// Which instruction sets this machine runs, and which the library was compiled with. The two are separate questions.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_CPU_FEATURES_H_
#define TFLITE_EQ_DELEGATE_KERNELS_CPU_FEATURES_H_

#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/cpu_profile.h"

namespace tflite_eq {

// All that the running CPU and operating system have, of what kernels may need.
Isa CpuIsa();

inline bool CpuSupports(Isa isa) { return Includes(CpuIsa(), isa); }

// The running CPU's profile. Determined once per process, in well under a millisecond.
CpuProfile DetectCpu();

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_CPU_FEATURES_H_
