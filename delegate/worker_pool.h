// Threads that wait for work, for convolutions spread over several cores.
#ifndef TFLITE_EQ_DELEGATE_WORKER_POOL_H_
#define TFLITE_EQ_DELEGATE_WORKER_POOL_H_

#include <pthread.h>

#include "delegate/array.h"
#include "delegate/kernels/thread_pool.h"

namespace tflite_eq {

// The calling thread is worker 0. When two threads call Run at once, the second does its work alone: callers pass scratch of
// their own, so that is safe, and it beats waiting.
//
// Waking a sleeping thread takes as long as a small convolution, 30 to 80 microseconds where the core went idle. So nobody waits
// for a worker that has not yet woken: a job is over when every task is done, and late workers find nothing. And workers look for
// the next job for a moment before they sleep: busily while an AwakeScope lives; after it they hand the core to whoever wants it,
// XNNPACK's own threads above all, which then need not wait for an idle core either.
class WorkerPool final : public ThreadPool {
 public:
  WorkerPool() = default;
  ~WorkerPool() { Stop(); }

  // Starts workers - 1 threads; with fewer if the system refuses some.
  void Start(int workers);
  // Ends the threads; whoever calls Run from then on works alone. Not while Run is under way.
  void Stop();

  int workers() const override { return threads_started_ + 1; }
  void Run(Task task, void* context, int count) override;

  class AwakeScope {
   public:
    explicit AwakeScope(WorkerPool* pool) : pool_(pool) { __atomic_fetch_add(&pool_->awake_, 1, __ATOMIC_RELAXED); }
    ~AwakeScope() { __atomic_fetch_sub(&pool_->awake_, 1, __ATOMIC_RELAXED); }
    AwakeScope(const AwakeScope&) = delete;
    AwakeScope& operator=(const AwakeScope&) = delete;

   private:
    WorkerPool* pool_;
  };

 private:
  struct Thread {
    pthread_t handle;
    WorkerPool* pool;
    int worker;
  };
  static void* ThreadMain(void* thread);
  // Returns at a job newer than `seen`, or after a moment without one.
  void LookForWork(unsigned seen) const;
  void WorkUntilDone(int worker);

  Array<Thread> threads_;
  int threads_started_ = 0;
  int awake_ = 0;  // atomic: AwakeScopes

  pthread_mutex_t busy_ = PTHREAD_MUTEX_INITIALIZER;   // held by the thread that runs a job
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;  // guards what follows
  pthread_cond_t work_ = PTHREAD_COND_INITIALIZER;
  pthread_cond_t done_ = PTHREAD_COND_INITIALIZER;
  unsigned generation_ = 0;  // written under mutex_, read without while looking for work: atomic
  bool open_ = false;        // whether workers may join the job
  int joined_ = 0;           // workers at the job; atomic, as the caller looks at it before it waits
  int asleep_ = 0;           // workers waiting on work_
  bool stop_ = false;
  Task task_ = nullptr;
  void* context_ = nullptr;
  int count_ = 0;
  int next_ = 0;  // atomic, not guarded
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_WORKER_POOL_H_
