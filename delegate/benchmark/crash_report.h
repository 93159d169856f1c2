// Runtimes crash on inputs that they do not foresee, an empty batch for one. What runs behind the first run, whose process is watched from
// outside, then ends the program as other failures do: by one line and an exit code.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_CRASH_REPORT_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_CRASH_REPORT_H_

#include <signal.h>

#include "delegate/benchmark/message.h"

namespace tflite_eq {

// While this lives, the first signal of a crash in any thread ends the program with kExitRunFailed: "eq_benchmark: WHO crashed (SIGNAL)
// while WHAT". One at a time.
class CrashReport {
 public:
  // Strings that outlive this.
  CrashReport(const char* who, const char* what);
  CrashReport(const CrashReport&) = delete;
  CrashReport& operator=(const CrashReport&) = delete;
  ~CrashReport();

 private:
  static constexpr int kSignals = 5;
  struct sigaction before_[kSignals];
  stack_t stack_before_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_CRASH_REPORT_H_
