// What the benchmark's exit code says; --help prints the same.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_EXIT_CODES_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_EXIT_CODES_H_

namespace tflite_eq {

enum ExitCode {
  kExitOk = 0,
  kExitDifferent = 1,  // --verify or --golden found a difference
  kExitUsage = 2,      // bad flags
  kExitBadInput = 3,   // the model, the runtime library or the delegate cannot be used
  kExitRunFailed = 4,  // the runtime failed or crashed with them
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_EXIT_CODES_H_
