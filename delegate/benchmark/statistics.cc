#include "delegate/benchmark/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

namespace tflite_eq {
namespace {

int Compare(const void* a, const void* b) {
  const double x = *static_cast<const double*>(a);
  const double y = *static_cast<const double*>(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

}  // namespace

Summary Summarize(List<double>* values) {
  Summary summary;
  const int count = values->size();
  if (count == 0) return summary;
  qsort(values->begin(), static_cast<size_t>(count), sizeof(double), Compare);
  const List<double>& sorted = *values;
  summary.count = count;
  summary.min = sorted[0];
  summary.max = sorted[count - 1];
  summary.median = count % 2 != 0 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
  for (double value : sorted) summary.mean += value / count;
  double squares = 0;
  for (double value : sorted) squares += (value - summary.mean) * (value - summary.mean);
  summary.deviation = sqrt(squares / count);
  return summary;
}

double NowMilliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

}  // namespace tflite_eq
