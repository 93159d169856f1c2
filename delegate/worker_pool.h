// Threads that wait for work, for convolutions spread over several cores.
#ifndef TFLITE_EQ_DELEGATE_WORKER_POOL_H_
#define TFLITE_EQ_DELEGATE_WORKER_POOL_H_

#include <pthread.h>

#include "delegate/array.h"
#include "delegate/kernels/thread_pool.h"
#include "delegate/process_mark.h"
#include "delegate/thread_placement.h"

namespace tflite_eq {

// The calling thread is worker 0. When two threads call Run at once, the second does its work alone: callers pass scratch of
// their own, so that is safe, and it beats waiting.
//
// Waking a sleeping thread takes as long as a small convolution, 30 to 80 microseconds where the core went idle. So nobody waits
// for a worker that has not yet woken: a job is over when every task is done, and late workers find nothing. And workers look for
// the next job for a moment before they sleep: busily while an AwakeScope lives; after it they hand the core to whoever wants it,
// XNNPACK's own threads above all, which then need not wait for an idle core either. Sleepers are woken on other cores than the caller's.
//
// A forked child inherits the pool without its threads, in whatever state it was. The first thing that the child runs starts threads
// of its own, as many as its parent had; a child that only deletes the pool starts and waits for none.
class WorkerPool final : public ThreadPool {
 public:
  WorkerPool() = default;
  ~WorkerPool() { Stop(); }

  // Starts workers - 1 threads; with fewer if the system refuses some.
  void Start(int workers);
  // Ends the threads; whoever calls Run from then on works alone. Not while Run is under way.
  void Stop();

  int workers() const override { return threads_wanted_ + 1; }
  void Run(Task task, void* context, int count) override;

  class AwakeScope {
   public:
    explicit AwakeScope(WorkerPool* pool) : pool_(pool->IsReady() ? pool : nullptr) {
      if (pool_ != nullptr) __atomic_fetch_add(&pool_->state_.awake, 1, __ATOMIC_RELAXED);
    }
    ~AwakeScope() {
      if (pool_ != nullptr) __atomic_fetch_sub(&pool_->state_.awake, 1, __ATOMIC_RELAXED);
    }
    AwakeScope(const AwakeScope&) = delete;
    AwakeScope& operator=(const AwakeScope&) = delete;

   private:
    WorkerPool* pool_;  // null where there are no threads to keep awake
  };

 private:
  struct Thread {
    pthread_t handle;
    WorkerPool* pool;
    int worker;
    bool is_asleep;  // and has a placement; guarded by the mutex
    ThreadPlacement placement;
  };
  // What threads share, all of it worthless in a child of the process that has the threads.
  struct State {
    int awake = 0;  // atomic: AwakeScopes

    pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;   // held by the thread that runs a job
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;  // guards what follows
    pthread_cond_t work = PTHREAD_COND_INITIALIZER;
    pthread_cond_t done = PTHREAD_COND_INITIALIZER;
    unsigned generation = 0;  // written under the mutex, read without while looking for work: atomic
    bool open = false;        // whether workers may join the job
    int joined = 0;           // workers at the job; atomic, as the caller looks at it before it waits
    int asleep = 0;           // workers waiting on `work`
    bool stop = false;
    Task task = nullptr;
    void* context = nullptr;
    int count = 0;
    int next = 0;  // atomic, not guarded
  };
  static void* ThreadMain(void* thread);
  // Starts up to `count` threads; returns how many.
  int StartThreads(int count);
  // Whether there are threads to work with. In a forked child, starts them first.
  bool IsReady();
  // Returns at a job newer than `seen`, or after a moment without one.
  void LookForWork(unsigned seen) const;
  void WorkUntilDone(int worker);
  void Wake();

  Array<Thread> threads_;
  // What Start achieved, and thereby what scratch is made for: a child starts no more.
  int threads_wanted_ = 0;
  int threads_started_ = 0;  // in the process that owns the mark
  ProcessMark mark_;
  State state_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_WORKER_POOL_H_
