#include "delegate/benchmark/timing.h"

#include <math.h>

#include "delegate/clock.h"

namespace tflite_eq {

bool RunInTurns(Contender* contenders, int count, const Flags& flags, Message* error) {
  double timed_since = 0;
  for (int run = 1 - flags.warmup_runs; count > 0; ++run) {
    if (run == 1) timed_since = Milliseconds();
    for (int i = 0; i < count; ++i) {
      const double start = Milliseconds();
      if (!contenders[i].run(contenders[i].context, error)) return false;
      if (run > 0) contenders[i].milliseconds.Add(Milliseconds() - start);
    }
    const double seconds = (Milliseconds() - timed_since) * 1e-3;
    if (run > 0 && ((run >= flags.num_runs && seconds >= flags.min_secs) || seconds >= flags.max_secs)) break;
  }
  return true;
}

Summary Summarize(List<double>* values) {
  Summary summary;
  const int count = values->size();
  if (count == 0) return summary;
  qsort(values->begin(), static_cast<size_t>(count), sizeof(double), [](const void* a, const void* b) {
    const double x = *static_cast<const double*>(a), y = *static_cast<const double*>(b);
    return x < y ? -1 : x > y ? 1 : 0;
  });
  const List<double>& sorted = *values;
  summary.count = count;
  summary.min = sorted[0];
  summary.max = sorted[count - 1];
  summary.median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
  for (double value : sorted) summary.mean += value / count;
  double squares = 0;
  for (double value : sorted) squares += (value - summary.mean) * (value - summary.mean);
  summary.deviation = sqrt(squares / count);
  return summary;
}

void WriteSummary(const char* key, const Summary& summary, Report* report) {
  report->Object(key, [&] {
    report->Fields("count", summary.count, "min", summary.min, "median", summary.median, "mean", summary.mean, "max", summary.max,
                   "deviation", summary.deviation);
  });
}

}  // namespace tflite_eq
