// What a model costs up to its first result, measured in a process of its own: nothing is warm that would be cold in an
// application, memory freed by an earlier run is not used again, and a runtime that crashes does not take the benchmark along.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_FIRST_RUN_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_FIRST_RUN_H_

#include "delegate/benchmark/session.h"

namespace tflite_eq {

// What a process has, as Linux and Android count it, in bytes; -1 where the system does not say.
struct ProcessMemory {
  int64_t resident = -1;   // VmRSS
  int64_t anonymous = -1;  // RssAnon: without pages of files, such as the model's and the libraries' (Linux 4.5)
};

struct FirstRun {
  OpenTimes open;
  double invoke = 0;     // milliseconds of the first inference
  ProcessMemory growth;  // from before the model was loaded until after the first inference
  double total() const {
    return open.load_model + open.create_delegate + open.create_interpreter + open.allocate_tensors + invoke;
  }
};

// kExitOk, or another exit code with a message. Must be called before this process starts threads: it forks.
int MeasureFirstRun(const SessionOptions& options, uint64_t seed, FirstRun* result, Message* error);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_FIRST_RUN_H_
