#include "delegate/worker_pool.h"

#include <sched.h>
#include <stdint.h>
#include <time.h>

#include "delegate/kernels/old_glibc.h"

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
  if (!mark_.IsOwn()) {  // created by the parent, never started there
    if (!mark_.BeginAdoption()) return;
    state_ = State();
    mark_.FinishAdoption();
  }
  threads_started_ = StartThreads(workers - 1);
  threads_wanted_ = threads_started_;
}

int WorkerPool::StartThreads(int count) {
  for (int i = 0; i < count; ++i) {
    threads_[i].pool = this;
    threads_[i].worker = i + 1;
    threads_[i].is_asleep = false;
    if (pthread_create(&threads_[i].handle, nullptr, ThreadMain, &threads_[i]) != 0) return i;
  }
  return count;
}

bool WorkerPool::IsReady() {
  if (threads_wanted_ == 0) return false;
  if (mark_.IsOwn()) return threads_started_ > 0;
  // Threads of a child that come here meanwhile work alone.
  if (!mark_.BeginAdoption()) return false;
  state_ = State();
  threads_started_ = StartThreads(threads_wanted_);
  mark_.FinishAdoption();
  return threads_started_ > 0;
}

void WorkerPool::Stop() {
  const bool own = mark_.IsOwn();
  threads_wanted_ = 0;
  if (!own || threads_started_ == 0) return;
  pthread_mutex_lock(&state_.mutex);
  state_.stop = true;
  pthread_cond_broadcast(&state_.work);
  pthread_mutex_unlock(&state_.mutex);
  for (int i = 0; i < threads_started_; ++i) pthread_join(threads_[i].handle, nullptr);
  threads_started_ = 0;
}

void WorkerPool::LookForWork(unsigned seen) const {
  const int64_t start = Nanoseconds();
  while (__atomic_load_n(&state_.generation, __ATOMIC_RELAXED) == seen && Nanoseconds() - start < kLingerNanoseconds) {
    if (__atomic_load_n(&state_.awake, __ATOMIC_RELAXED) > 0) {
      Pause();
    } else {
      sched_yield();
    }
  }
}

void WorkerPool::WorkUntilDone(int worker) {
  for (;;) {
    const int index = __atomic_fetch_add(&state_.next, 1, __ATOMIC_RELAXED);
    if (index >= state_.count) return;
    state_.task(state_.context, index, worker);
  }
}

void* WorkerPool::ThreadMain(void* opaque) {
  Thread* thread = static_cast<Thread*>(opaque);
  WorkerPool* pool = thread->pool;
  unsigned seen = 0;
  thread->placement.BelongToThisThread();
  for (;;) {
    pool->LookForWork(seen);
    pthread_mutex_lock(&pool->state_.mutex);
    while (!pool->state_.stop && pool->state_.generation == seen) {
      ++pool->state_.asleep;
      thread->is_asleep = true;
      pthread_cond_wait(&pool->state_.work, &pool->state_.mutex);
      thread->is_asleep = false;
      --pool->state_.asleep;
    }
    thread->placement.Release();
    const bool stop = pool->state_.stop;
    const bool join = !stop && pool->state_.open;
    seen = pool->state_.generation;
    if (join) __atomic_fetch_add(&pool->state_.joined, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&pool->state_.mutex);
    if (stop) return nullptr;
    if (!join) continue;  // woke up too late
    pool->WorkUntilDone(thread->worker);
    pthread_mutex_lock(&pool->state_.mutex);
    if (__atomic_sub_fetch(&pool->state_.joined, 1, __ATOMIC_RELAXED) == 0) pthread_cond_signal(&pool->state_.done);
    pthread_mutex_unlock(&pool->state_.mutex);
  }
}

void WorkerPool::Wake() {
  for (int i = 0; i < threads_started_; ++i) {
    if (threads_[i].is_asleep) threads_[i].placement.KeepFromThisCpu();
  }
  pthread_cond_broadcast(&state_.work);
}

void WorkerPool::Run(Task task, void* context, int count) {
  if (count < 2 || !IsReady() || pthread_mutex_trylock(&state_.busy) != 0) {
    for (int index = 0; index < count; ++index) task(context, index, 0);
    return;
  }
  pthread_mutex_lock(&state_.mutex);
  state_.task = task;
  state_.context = context;
  state_.count = count;
  __atomic_store_n(&state_.next, 0, __ATOMIC_RELAXED);
  state_.open = true;
  __atomic_fetch_add(&state_.generation, 1, __ATOMIC_RELAXED);
  if (state_.asleep > 0) Wake();
  pthread_mutex_unlock(&state_.mutex);
  WorkUntilDone(0);
  // The others are at their last task: worth looking for a moment before going to sleep.
  for (int i = 0; i < kLooks && __atomic_load_n(&state_.joined, __ATOMIC_RELAXED) != 0; ++i) Pause();
  pthread_mutex_lock(&state_.mutex);
  state_.open = false;
  while (state_.joined != 0) pthread_cond_wait(&state_.done, &state_.mutex);
  pthread_mutex_unlock(&state_.mutex);
  pthread_mutex_unlock(&state_.busy);
}

}  // namespace tflite_eq
