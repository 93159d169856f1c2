#include "delegate/worker_pool.h"

#include <sched.h>
#include <stdint.h>
#include <time.h>

namespace tflite_eq {
namespace {

// How long a worker looks for the next job before it sleeps: longer than what XNNPACK mostly does between two of our partitions,
// too short to matter for a battery.
constexpr int64_t kLingerNanoseconds = 500 * 1000;
// Rounds of looking at the others' last tasks, some 50 to 100 microseconds.
constexpr int kLooks = 2000;

int64_t Nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

void WorkerPool::Start(int workers) {
  if (workers < 2 || !threads_.Allocate(workers - 1)) return;
  for (int i = 0; i < workers - 1; ++i) {
    threads_[i].pool = this;
    threads_[i].worker = i + 1;
    if (pthread_create(&threads_[i].handle, nullptr, ThreadMain, &threads_[i]) != 0) return;
    ++threads_started_;
  }
}

void WorkerPool::Stop() {
  pthread_mutex_lock(&mutex_);
  stop_ = true;
  pthread_cond_broadcast(&work_);
  pthread_mutex_unlock(&mutex_);
  for (int i = 0; i < threads_started_; ++i) pthread_join(threads_[i].handle, nullptr);
  threads_started_ = 0;
}

void WorkerPool::LookForWork(unsigned seen) const {
  const int64_t start = Nanoseconds();
  while (__atomic_load_n(&generation_, __ATOMIC_RELAXED) == seen && Nanoseconds() - start < kLingerNanoseconds) {
    if (__atomic_load_n(&awake_, __ATOMIC_RELAXED) > 0) {
      Pause();
    } else {
      sched_yield();
    }
  }
}

void WorkerPool::WorkUntilDone(int worker) {
  for (;;) {
    const int index = __atomic_fetch_add(&next_, 1, __ATOMIC_RELAXED);
    if (index >= count_) return;
    task_(context_, index, worker);
  }
}

void* WorkerPool::ThreadMain(void* opaque) {
  Thread* thread = static_cast<Thread*>(opaque);
  WorkerPool* pool = thread->pool;
  unsigned seen = 0;
  for (;;) {
    pool->LookForWork(seen);
    pthread_mutex_lock(&pool->mutex_);
    while (!pool->stop_ && pool->generation_ == seen) {
      ++pool->asleep_;
      pthread_cond_wait(&pool->work_, &pool->mutex_);
      --pool->asleep_;
    }
    const bool stop = pool->stop_;
    const bool join = !stop && pool->open_;
    seen = pool->generation_;
    if (join) __atomic_fetch_add(&pool->joined_, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&pool->mutex_);
    if (stop) return nullptr;
    if (!join) continue;  // woke up too late
    pool->WorkUntilDone(thread->worker);
    pthread_mutex_lock(&pool->mutex_);
    if (__atomic_sub_fetch(&pool->joined_, 1, __ATOMIC_RELAXED) == 0) pthread_cond_signal(&pool->done_);
    pthread_mutex_unlock(&pool->mutex_);
  }
}

void WorkerPool::Run(Task task, void* context, int count) {
  if (threads_started_ == 0 || count < 2 || pthread_mutex_trylock(&busy_) != 0) {
    for (int index = 0; index < count; ++index) task(context, index, 0);
    return;
  }
  pthread_mutex_lock(&mutex_);
  task_ = task;
  context_ = context;
  count_ = count;
  __atomic_store_n(&next_, 0, __ATOMIC_RELAXED);
  open_ = true;
  __atomic_fetch_add(&generation_, 1, __ATOMIC_RELAXED);
  if (asleep_ > 0) pthread_cond_broadcast(&work_);
  pthread_mutex_unlock(&mutex_);
  WorkUntilDone(0);
  // The others are at their last task: worth looking for a moment before going to sleep.
  for (int i = 0; i < kLooks && __atomic_load_n(&joined_, __ATOMIC_RELAXED) != 0; ++i) Pause();
  pthread_mutex_lock(&mutex_);
  open_ = false;
  while (joined_ != 0) pthread_cond_wait(&done_, &mutex_);
  pthread_mutex_unlock(&mutex_);
  pthread_mutex_unlock(&busy_);
}

}  // namespace tflite_eq
