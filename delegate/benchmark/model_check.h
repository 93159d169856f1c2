// Whether a model computes what it should: what the delegate's reference kernels compute, or what a golden file says.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_CHECK_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_CHECK_H_

#include "delegate/benchmark/golden_run.h"
#include "delegate/benchmark/session.h"

namespace tflite_eq {

// What becomes of a check: "not asked", "equal" or "different", and then the first difference.
struct Verdict {
  const char* name = "not asked";
  Message difference;
};

// How many bytes of the last outputs of two sessions on one model differ, and of how many; for int8 outputs these are codes. The first
// of them is named in the message.
struct OutputBytes {
  int64_t different = 0;
  int64_t all = 0;
};
OutputBytes CompareOutputs(const Session& session, const Session& expected, Message* first_difference);

// Runs `samples` random inputs in three sessions: the delegate that checks each operator against its reference, the delegate as it is
// timed, and the same delegate whose nodes are computed by the references; the outputs of the last two must be equal. kExitOk or
// kExitDifferent with a verdict, or kExitRunFailed with a message.
int VerifyModel(const SessionOptions& delegated, uint64_t seed, int samples, Verdict* verdict, Message* error);

class GoldenCheck {
 public:
  // The file, which must be one of this model. False with a message that names it.
  bool Open(const char* path, const char* graph, Message* error);

  // Runs every sample, with inputs of the file's shapes. As VerifyModel.
  int Run(const SessionOptions& options, Verdict* verdict, Message* error) const;

 private:
  MappedFile file_;
  GoldenRun run_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_CHECK_H_
