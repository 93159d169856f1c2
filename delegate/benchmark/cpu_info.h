// The processor this runs on, for the report: figures mean nothing without it.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_CPU_INFO_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_CPU_INFO_H_

#include "delegate/benchmark/report.h"

namespace tflite_eq {

// From the text of a /proc/cpuinfo: "model", as the system names it, or "4x Cortex-A55, 4x Cortex-A76" from the numbers it gives on ARM;
// and "features", the instruction set extensions, of those that matter to int8 kernels, that it reports.
void WriteCpuInfo(const char* text, Report* report);

// Those of this machine, how many cores are on, what XNNPACK's int8 kernels use here, and for what this library has kernels.
void WriteCpu(Report* report);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_CPU_INFO_H_
