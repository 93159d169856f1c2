// The processor this runs on, for the report: figures mean nothing without it.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_CPU_INFO_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_CPU_INFO_H_

#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

struct CpuInfo {
  // As the system names it, or "4x Cortex-A55, 4x Cortex-A76" from the numbers it gives on ARM.
  char model[160] = "unknown";
  int cores = 0;  // that are on
  // The instruction set extensions, of those that matter to int8 kernels, that the system reports.
  char features[256] = "";
  // What kernels of this library can run here.
  Isa isa = Isa::kScalar;
};

CpuInfo ReadCpuInfo();

// The same from the text of a /proc/cpuinfo, but for what is not in it: cores and isa.
void ParseCpuInfo(const char* text, CpuInfo* info);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_CPU_INFO_H_
