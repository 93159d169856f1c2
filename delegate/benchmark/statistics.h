// Measured times and what is said of them.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_STATISTICS_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_STATISTICS_H_

#include "delegate/benchmark/list.h"

namespace tflite_eq {

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

// Milliseconds of a clock that only runs forward.
double NowMilliseconds();

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_STATISTICS_H_
