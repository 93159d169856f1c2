// Contenders that take turns, so that a slow spell of the machine hits them all alike.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_TURNS_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_TURNS_H_

#include "delegate/benchmark/flags.h"
#include "delegate/benchmark/list.h"
#include "delegate/benchmark/message.h"

namespace tflite_eq {

struct Contender {
  void* context = nullptr;
  bool (*run)(void* context, Message* error) = nullptr;  // false with a message
  List<double> milliseconds;                             // of each timed run
};

// Runs each contender warmup_runs times untimed, then rounds of one run each until num_runs and min_secs are reached, or
// max_secs. At least one round. False when a run fails.
bool RunInTurns(Contender* contenders, int count, const Flags& flags, Message* error);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_TURNS_H_
