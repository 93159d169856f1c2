// How much memory this process has, as Linux and Android count it.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_PROCESS_MEMORY_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_PROCESS_MEMORY_H_

#include <stdint.h>

namespace tflite_eq {

// Bytes, -1 where the system does not say.
struct ProcessMemory {
  int64_t resident = -1;   // VmRSS
  int64_t anonymous = -1;  // RssAnon: without pages of files, such as the model's and the libraries' (Linux 4.5)
};

ProcessMemory ReadProcessMemory();

// Growth between two readings, -1 where either is unknown.
ProcessMemory Growth(const ProcessMemory& before, const ProcessMemory& after);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_PROCESS_MEMORY_H_
