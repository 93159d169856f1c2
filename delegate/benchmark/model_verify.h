// Whether the delegate computes a model as its reference kernels do, bit for bit.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_VERIFY_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_VERIFY_H_

#include "delegate/benchmark/message.h"
#include "delegate/benchmark/session.h"

namespace tflite_eq {

// Runs `samples` random inputs in three sessions: the delegate that checks each convolution against the reference, the delegate
// as it is timed, and the same delegate whose nodes are computed by the reference kernel; the outputs of the last two must be
// equal. kExitOk; kExitDifferent with the first difference; kExitRunFailed with what else went wrong.
int VerifyModel(const SessionOptions& delegated, uint64_t seed, int samples, Message* message);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_VERIFY_H_
