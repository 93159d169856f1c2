// The pool under stress; meant to be run under ThreadSanitizer as well: bazel test --config=tsan //delegate:worker_pool_test
#include "delegate/worker_pool.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

struct Job {
  explicit Job(int count, int workers) : runs(count), busy(workers) {}
  std::vector<std::atomic<int>> runs;
  std::vector<std::atomic<int>> busy;
  std::atomic<int> clashes{0};

  static void Task(void* context, int index, int worker) {
    Job* job = static_cast<Job*>(context);
    if (job->busy[worker].fetch_add(1) != 0) ++job->clashes;
    ++job->runs[index];
    job->busy[worker].fetch_sub(1);
  }
  void ExpectEachOnce() {
    for (std::atomic<int>& run : runs) EXPECT_EQ(run, 1);
    EXPECT_EQ(clashes, 0) << "a worker's scratch was used by two tasks at once";
  }
};

TEST(WorkerPool, RunsEveryTaskOnce) {
  for (int workers : {0, 1, 2, 3, 8}) {
    WorkerPool pool;
    pool.Start(workers);
    EXPECT_EQ(pool.workers(), workers < 1 ? 1 : workers);
    for (int count : {0, 1, 2, 7, 100}) {
      for (int round = 0; round < 50; ++round) {
        Job job(count, pool.workers());
        pool.Run(Job::Task, &job, count);
        job.ExpectEachOnce();
      }
    }
  }
}

TEST(WorkerPool, ServesSeveralCallersAtOnce) {
  WorkerPool pool;
  pool.Start(3);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&pool] {
      for (int round = 0; round < 200; ++round) {
        Job job(17, pool.workers());
        pool.Run(Job::Task, &job, 17);
        job.ExpectEachOnce();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(WorkerPool, StopsWithoutEverHavingWorked) {
  for (int round = 0; round < 20; ++round) {
    WorkerPool pool;
    pool.Start(4);
  }
}

TEST(WorkerPool, WorksAloneOnceStopped) {
  WorkerPool pool;
  pool.Start(4);
  pool.Stop();
  pool.Stop();
  EXPECT_EQ(pool.workers(), 1);
  Job job(50, 1);
  pool.Run(Job::Task, &job, 50);
  job.ExpectEachOnce();
}

}  // namespace
}  // namespace tflite_eq
