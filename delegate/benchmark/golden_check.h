// Whether a model computes here what a golden file says.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_GOLDEN_CHECK_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_GOLDEN_CHECK_H_

#include "delegate/benchmark/golden_run.h"
#include "delegate/benchmark/mapped_file.h"
#include "delegate/benchmark/session.h"

namespace tflite_eq {

class GoldenCheck {
 public:
  // The file, which must be one of this model. False with a message that names it.
  bool Open(const char* path, const char* graph, Message* error);

  const GoldenRun& run() const { return run_; }

  // Runs every sample, with inputs of the file's shapes. kExitOk; kExitDifferent with the first byte that differs; kExitRunFailed with
  // what else went wrong.
  int Run(const SessionOptions& options, Message* message) const;

 private:
  int Compare(const Session& session, int sample, Message* difference) const;

  MappedFile file_;
  GoldenRun run_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_GOLDEN_CHECK_H_
