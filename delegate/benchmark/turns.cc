#include "delegate/benchmark/turns.h"

#include "delegate/benchmark/statistics.h"

namespace tflite_eq {

bool RunInTurns(Contender* contenders, int count, const Flags& flags, Message* error) {
  if (count == 0) return true;
  for (int run = 0; run < flags.warmup_runs; ++run) {
    for (int i = 0; i < count; ++i) {
      if (!contenders[i].run(contenders[i].context, error)) return false;
    }
  }
  const double begin = NowMilliseconds();
  for (int run = 1;; ++run) {
    for (int i = 0; i < count; ++i) {
      const double start = NowMilliseconds();
      if (!contenders[i].run(contenders[i].context, error)) return false;
      contenders[i].milliseconds.Add(NowMilliseconds() - start);
    }
    const double seconds = (NowMilliseconds() - begin) * 1e-3;
    if ((run >= flags.num_runs && seconds >= flags.min_secs) || seconds >= flags.max_secs) return true;
  }
}

}  // namespace tflite_eq
