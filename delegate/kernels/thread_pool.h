// How a convolution is spread over threads: an interface, so that the delegate's pool, a test's or none at all can serve.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_THREAD_POOL_H_
#define TFLITE_EQ_DELEGATE_KERNELS_THREAD_POOL_H_

namespace tflite_eq {

// Runs task(context, index, worker) for every index in [0, count) and returns when all are done. `worker` is in
// [0, workers()) and no two tasks run at once with the same worker, so that it may select a scratch area.
class ThreadPool {
 public:
  using Task = void (*)(void* context, int index, int worker);

  virtual int workers() const { return 1; }
  virtual void Run(Task task, void* context, int count) {
    for (int index = 0; index < count; ++index) task(context, index, 0);
  }

 protected:
  // Pools are never destroyed through this interface; a virtual destructor would pull in operator delete.
  ~ThreadPool() = default;
};

// The default: everything on the calling thread.
class SerialThreadPool final : public ThreadPool {};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_THREAD_POOL_H_
