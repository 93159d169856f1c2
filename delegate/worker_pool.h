// Threads that wait for work, for convolutions spread over several cores.
#ifndef TFLITE_EQ_DELEGATE_WORKER_POOL_H_
#define TFLITE_EQ_DELEGATE_WORKER_POOL_H_

#include <pthread.h>

#include "delegate/array.h"
#include "delegate/kernels/thread_pool.h"

namespace tflite_eq {

// The calling thread is worker 0. When two threads call Run at once, the second does its work alone: callers pass scratch of
// their own, so that is safe, and it beats waiting.
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

 private:
  struct Thread {
    pthread_t handle;
    WorkerPool* pool;
    int worker;
  };
  static void* ThreadMain(void* thread);
  void WorkUntilDone(int worker);

  Array<Thread> threads_;
  int threads_started_ = 0;

  pthread_mutex_t busy_ = PTHREAD_MUTEX_INITIALIZER;   // held by the thread that runs a job
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;  // guards what follows, but for next_
  pthread_cond_t work_ = PTHREAD_COND_INITIALIZER;
  pthread_cond_t done_ = PTHREAD_COND_INITIALIZER;
  unsigned generation_ = 0;
  int working_ = 0;
  bool stop_ = false;
  Task task_ = nullptr;
  void* context_ = nullptr;
  int count_ = 0;
  int next_ = 0;  // atomic
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_WORKER_POOL_H_
