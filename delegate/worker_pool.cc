#include "delegate/worker_pool.h"

namespace tflite_eq {

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
  pthread_mutex_lock(&pool->mutex_);
  for (;;) {
    while (!pool->stop_ && pool->generation_ == seen) pthread_cond_wait(&pool->work_, &pool->mutex_);
    if (pool->stop_) break;
    seen = pool->generation_;
    pthread_mutex_unlock(&pool->mutex_);
    pool->WorkUntilDone(thread->worker);
    pthread_mutex_lock(&pool->mutex_);
    if (--pool->working_ == 0) pthread_cond_signal(&pool->done_);
  }
  pthread_mutex_unlock(&pool->mutex_);
  return nullptr;
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
  next_ = 0;
  working_ = threads_started_;
  ++generation_;
  pthread_cond_broadcast(&work_);
  pthread_mutex_unlock(&mutex_);
  WorkUntilDone(0);
  pthread_mutex_lock(&mutex_);
  while (working_ != 0) pthread_cond_wait(&done_, &mutex_);
  pthread_mutex_unlock(&mutex_);
  pthread_mutex_unlock(&busy_);
}

}  // namespace tflite_eq
