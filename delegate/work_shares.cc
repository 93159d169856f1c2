#include "delegate/work_shares.h"

#include <sched.h>

namespace tflite_eq {
namespace {

// Until the other workers have done their part of a step: at once, most of the time. A worker that lost its core is waited for
// without taking that core from it.
void WaitFor(const int* done, int units) {
  constexpr int kSpins = 2000;
  for (int spin = 0; __atomic_load_n(done, __ATOMIC_ACQUIRE) < units; ++spin) {
    if (spin >= kSpins) {
      sched_yield();
    } else {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("yield");
#endif
    }
  }
}

}  // namespace

bool WorkShares::Allocate(int steps, int workers) {
  constexpr size_t kInts = kLine / sizeof(int);
  workers_ = workers;
  stride_ = (static_cast<size_t>(steps) + kInts - 1) / kInts * kInts;
  size_t bytes;
  return !__builtin_mul_overflow(stride_ * sizeof(int), static_cast<size_t>(workers), &bytes) && next_.Allocate(bytes) &&
         steps_.Allocate(static_cast<size_t>(steps) * sizeof(Step));
}

void WorkShares::Begin(int step, int units) {
  of(step).units = units;
  of(step).done = 0;
  for (int worker = 0; worker < workers_; ++worker) next(step, worker) = ShareBegin(units, worker);
}

int WorkShares::Take(int step, int worker) {
  const int units = of(step).units;
  for (int i = 0; i < workers_; ++i) {
    const int owner = worker + i < workers_ ? worker + i : worker + i - workers_;
    const int end = ShareBegin(units, owner + 1);
    int* const at = &next(step, owner);
    if (__atomic_load_n(at, __ATOMIC_RELAXED) >= end) continue;
    const int unit = __atomic_fetch_add(at, 1, __ATOMIC_RELAXED);
    if (unit < end) return unit;
  }
  return kNone;
}

void WorkShares::Finish(int step, int count) {
  Step& s = of(step);
  if (count > 0) __atomic_fetch_add(&s.done, count, __ATOMIC_RELEASE);
  WaitFor(&s.done, s.units);
}

}  // namespace tflite_eq
