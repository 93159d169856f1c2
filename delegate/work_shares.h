// Who runs which units of a program's steps.
#ifndef TFLITE_EQ_DELEGATE_WORK_SHARES_H_
#define TFLITE_EQ_DELEGATE_WORK_SHARES_H_

#include "delegate/kernels/buffer.h"

namespace tflite_eq {

// Each worker begins with its share of a step's units, neighbours all, and the same part of every step: what it reads of an image lies
// mostly in its core's cache, as it wrote it a step before. Who is done helps the others, so that nobody waits for a worker that comes
// late or not at all.
class WorkShares {
 public:
  // For so many steps. False when memory runs out.
  bool Allocate(int steps, int workers);

  // The step has so many units from now on, none of which was taken. Not while workers take any.
  void Begin(int step, int units);
  int units(int step) const { return of(step).units; }

  // A unit for the worker to run, none of which is given twice; kNone once all are.
  static constexpr int kNone = -1;
  int Take(int step, int worker);
  // After the worker's last unit of the step, `count` of them in all: returns once all units of all workers are done.
  void Finish(int step, int count);

 private:
  static constexpr int kLine = 64;  // bytes, which cores pass to each other as a whole

  struct alignas(kLine) Step {
    int units;
    int done;  // atomic
  };
  Step& of(int step) { return steps_.as<Step>()[step]; }
  const Step& of(int step) const { return steps_.as<Step>()[step]; }
  // The worker's next unit; atomic. Those of a worker follow each other, apart from other workers'.
  int& next(int step, int worker) { return next_.as<int>()[static_cast<size_t>(worker) * stride_ + step]; }
  int ShareBegin(int units, int worker) const { return static_cast<int>(int64_t{units} * worker / workers_); }

  Buffer steps_;
  Buffer next_;
  size_t stride_ = 0;
  int workers_ = 1;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_WORK_SHARES_H_
