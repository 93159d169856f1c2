// Contenders that take turns, so that a slow spell of the machine hits them all alike, and what is said of their times.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_TIMING_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_TIMING_H_

#include "delegate/benchmark/flags.h"
#include "delegate/benchmark/list.h"
#include "delegate/benchmark/report.h"

namespace tflite_eq {

struct Contender {
  void* context = nullptr;
  bool (*run)(void* context, Message* error) = nullptr;  // false with a message
  List<double> milliseconds;                             // of each timed run
};

// Runs each contender warmup_runs times untimed, then rounds of one run each until num_runs and min_secs are reached, or
// max_secs. At least one round. False when a run fails.
bool RunInTurns(Contender* contenders, int count, const Flags& flags, Message* error);

// All in the unit of the values. The minimum is the least disturbed run; the median what a user sees.
struct Summary {
  int count = 0;
  double min = 0;
  double median = 0;  // of an even count: the mean of the two in the middle
  double mean = 0;
  double max = 0;
  double deviation = 0;  // standard deviation of the values, not of their mean
};

// Sorts the values. All zero for an empty list.
Summary Summarize(List<double>* values);

void WriteSummary(const char* key, const Summary& summary, Report* report);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_TIMING_H_
