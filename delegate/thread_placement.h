// On which CPU a sleeping thread wakes up. One that wakes on the CPU of whoever woke it and goes on working gets nothing done before the
// scheduler's next tick, which is some milliseconds later: longer than most networks take. Kernels prefer idle CPUs, but in virtual
// machines they take idle CPUs for ones that the host has put aside, and two threads ran one after the other on one of two in half of all
// inferences.
//
// So the thread is kept from that CPU until it is awake. Not on Android, where kernels are right about idle CPUs, and where a thread that
// once named the CPUs that it may run on would keep to those of the background when its app comes to the front.
#ifndef TFLITE_EQ_DELEGATE_THREAD_PLACEMENT_H_
#define TFLITE_EQ_DELEGATE_THREAD_PLACEMENT_H_

#ifndef __ANDROID__
#include <sched.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>
#endif

namespace tflite_eq {

// Of one thread. Calls do not overlap.
class ThreadPlacement {
 public:
#ifdef __ANDROID__
  void BelongToThisThread() {}
  void KeepFromThisCpu() {}
  void Release() {}
#else
  // By the thread itself.
  void BelongToThisThread() {
    id_ = static_cast<pid_t>(syscall(SYS_gettid));
    is_kept_ = false;
  }

  // While the thread sleeps, by the one that is about to wake it. Without effect where it may run nowhere else.
  void KeepFromThisCpu() {
    const int cpu = sched_getcpu();
    if (is_kept_ || cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(id_, sizeof(allowed_), &allowed_) != 0 || !CPU_ISSET(cpu, &allowed_)) {
      return;
    }
    cpu_set_t others = allowed_;
    CPU_CLR(cpu, &others);
    is_kept_ = sched_setaffinity(id_, sizeof(others), &others) == 0;
  }

  // By the thread, once it is awake: it may run wherever it might before.
  void Release() {
    if (is_kept_) sched_setaffinity(id_, sizeof(allowed_), &allowed_);
    is_kept_ = false;
  }

 private:
  pid_t id_ = 0;
  bool is_kept_ = false;
  cpu_set_t allowed_;
#endif
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_THREAD_PLACEMENT_H_
