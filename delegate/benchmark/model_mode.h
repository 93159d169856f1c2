// eq_benchmark --graph: one model on a TFLite runtime, with and without the delegate.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_MODE_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_MODE_H_

#include "delegate/benchmark/flags.h"
#include "delegate/benchmark/message.h"

namespace tflite_eq {

// Measures and prints. An ExitCode; the message is set unless it is kExitOk.
int RunModelMode(const Flags& flags, Message* error);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_MODE_H_
