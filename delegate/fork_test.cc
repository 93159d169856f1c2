// Processes that fork: children that use or delete what they inherited neither crash nor hang, and their parents notice nothing.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "delegate/delegate.h"
#include "delegate/process_mark.h"
#include "delegate/testing/conv_chain.h"
#include "delegate/worker_pool.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

constexpr std::chrono::seconds kPatience(60);

// Runs `work` in a child; returns "" when it returned "", or what it returned, or how the child came to its end.
std::string InChild(const std::function<std::string()>& work) {
  int pipes[2];
  if (pipe(pipes) != 0) return "no pipe";
  const pid_t child = fork();
  if (child < 0) return "no child";
  if (child == 0) {
    const std::string said = work();
    const bool written = write(pipes[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
    _exit(written ? 0 : 9);
  }
  close(pipes[1]);
  int status = 0;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      close(pipes[0]);
      return "the child hangs";
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  char buffer[512];
  const ssize_t length = read(pipes[0], buffer, sizeof(buffer));
  close(pipes[0]);
  if (WIFSIGNALED(status)) return "the child got signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return "the child exits with " + std::to_string(WEXITSTATUS(status));
  return std::string(buffer, length > 0 ? static_cast<size_t>(length) : 0);
}

struct Job {
  explicit Job(int count) : runs(static_cast<size_t>(count)) {}
  static void Task(void* context, int index, int worker) {
    Job* job = static_cast<Job*>(context);
    ++job->runs[static_cast<size_t>(index)];
    if (worker > 0) ++job->by_workers;
    if (job->patient) std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  std::vector<std::atomic<int>> runs;
  std::atomic<int> by_workers{0};
  bool patient = false;  // gives workers the time to join
};

std::string RunJobs(WorkerPool* pool, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    Job job(17);
    const WorkerPool::AwakeScope awake(pool);
    pool->Run(Job::Task, &job, 17);
    for (const std::atomic<int>& runs : job.runs) {
      if (runs != 1) return "a task ran " + std::to_string(runs) + " times";
    }
  }
  return "";
}

// Whether threads other than the caller ever take part.
bool HasThreads(WorkerPool* pool, int rounds = 200) {
  for (int round = 0; round < rounds; ++round) {
    Job job(40);
    job.patient = true;
    pool->Run(Job::Task, &job, 40);
    if (job.by_workers > 0) return true;
  }
  return false;
}

// Threads, and whether children are told by their number.
class ForkTest : public ::testing::TestWithParam<std::tuple<int, bool>> {
 protected:
  void SetUp() override { ProcessMark::UseProcessNumbers(std::get<1>(GetParam())); }
  void TearDown() override { ProcessMark::UseProcessNumbers(false); }
  int threads() const { return std::get<0>(GetParam()); }

  std::unique_ptr<WorkerPool> MakePool() const {
    auto pool = std::make_unique<WorkerPool>();
    pool->Start(threads());
    EXPECT_EQ(RunJobs(pool.get(), 20), "");
    return pool;
  }
};

TEST_P(ForkTest, ChildrenDeleteThePool) {
  auto pool = MakePool();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(InChild([&] { return pool.reset(), ""; }), "");
    EXPECT_EQ(RunJobs(pool.get(), 5), "");
  }
  EXPECT_TRUE(HasThreads(pool.get()));
}

TEST_P(ForkTest, ChildrenRunWithThreadsOfTheirOwn) {
  auto pool = MakePool();
  for (int i = 0; i < 10; ++i) {
    const std::string said = InChild([&] {
      const std::string wrong = RunJobs(pool.get(), 50);
      if (!wrong.empty()) return wrong;
      if (!HasThreads(pool.get())) return std::string("the child works alone");
      pool.reset();
      return std::string();
    });
    EXPECT_EQ(said, "");
    EXPECT_EQ(RunJobs(pool.get(), 5), "");
  }
  EXPECT_TRUE(HasThreads(pool.get()));
}

TEST_P(ForkTest, ChildrenStopThePoolAndWorkAlone) {
  auto pool = MakePool();
  const std::string said = InChild([&] {
    pool->Stop();
    const std::string wrong = RunJobs(pool.get(), 5);
    return HasThreads(pool.get(), 5) ? "stopped, and yet there are threads" : wrong;
  });
  EXPECT_EQ(said, "");
}

TEST_P(ForkTest, Grandchildren) {
  auto pool = MakePool();
  for (const bool child_runs : {false, true}) {
    const std::string said = InChild([&] {
      std::string wrong = child_runs ? RunJobs(pool.get(), 10) : "";
      if (wrong.empty()) wrong = InChild([&] { return RunJobs(pool.get(), 10) + (HasThreads(pool.get()) ? "" : "works alone"); });
      if (wrong.empty()) wrong = InChild([&] { return pool.reset(), ""; });
      return wrong.empty() ? RunJobs(pool.get(), 10) : wrong;
    });
    EXPECT_EQ(said, "");
  }
}

// The states that are inherited: locks held, jobs half done, workers about to sleep or to wake.
TEST_P(ForkTest, ChildrenOfAProcessAtWork) {
  auto pool = MakePool();
  std::atomic<bool> stop{false};
  std::string wrong;
  std::thread worker([&] {
    while (!stop && wrong.empty()) wrong = RunJobs(pool.get(), 1);
  });
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(InChild([&] {
                const std::string said = i % 3 == 0 ? "" : RunJobs(pool.get(), 3);
                if (i % 3 != 1) pool.release()->~WorkerPool();
                return said;
              }),
              "");
  }
  stop = true;
  worker.join();
  EXPECT_EQ(wrong, "");
}

TEST_P(ForkTest, SeveralThreadsOfAChild) {
  auto pool = MakePool();
  for (int i = 0; i < 10; ++i) {
    const std::string said = InChild([&] {
      std::vector<std::string> wrong(4);
      std::vector<std::thread> callers;
      for (std::string& one : wrong) callers.emplace_back([&pool, &one] { one = RunJobs(pool.get(), 30); });
      for (std::thread& caller : callers) caller.join();
      return wrong[0] + wrong[1] + wrong[2] + wrong[3] + (HasThreads(pool.get()) ? "" : "works alone");
    });
    EXPECT_EQ(said, "");
  }
}

TEST_P(ForkTest, StartedInTheChild) {
  WorkerPool pool;
  const std::string said = InChild([&] {
    pool.Start(threads());
    const std::string wrong = RunJobs(&pool, 10) + (HasThreads(&pool) ? "" : "works alone");
    pool.Stop();
    return wrong;
  });
  EXPECT_EQ(said, "");
}

TEST_P(ForkTest, LocksThatAreHeldMeanwhile) {
  ForkSafeMutex mutex;
  std::atomic<bool> held{false}, release{false};
  std::thread holder([&] {
    mutex.Lock();
    held = true;
    while (!release) std::this_thread::yield();
    mutex.Unlock();
  });
  while (!held) std::this_thread::yield();
  const std::string said = InChild([&] {
    mutex.Lock();
    mutex.Unlock();
    std::vector<std::thread> lockers;
    int count = 0;
    for (int i = 0; i < 4; ++i) {
      lockers.emplace_back([&] {
        for (int round = 0; round < 1000; ++round) {
          mutex.Lock();
          ++count;
          mutex.Unlock();
        }
      });
    }
    for (std::thread& locker : lockers) locker.join();
    return count == 4000 ? "" : "locks nothing";
  });
  release = true;
  holder.join();
  EXPECT_EQ(said, "");
  mutex.Lock();
  mutex.Unlock();
}

TEST_P(ForkTest, MarksAreAdoptedOnce) {
  ProcessMark mark;
  EXPECT_TRUE(mark.IsOwn());
  EXPECT_FALSE(mark.BeginAdoption());
  const std::string said = InChild([&]() -> std::string {
    if (mark.IsOwn()) return "the child takes the mark for its own";
    if (!mark.BeginAdoption()) return "not adopted";
    if (mark.IsOwn() || mark.BeginAdoption()) return "adopted twice";
    // A grandchild of a process that is about to adopt.
    const std::string wrong = InChild([&] { return !mark.IsOwn() && mark.BeginAdoption() ? "" : "not adopted in the grandchild"; });
    if (!wrong.empty()) return wrong;
    mark.FinishAdoption();
    return mark.IsOwn() ? "" : "adopted in vain";
  });
  EXPECT_EQ(said, "");
  EXPECT_TRUE(mark.IsOwn());
}

struct Deleter {
  void operator()(TfLiteDelegate* delegate) const { DeleteDelegate(delegate); }
};

// A delegate that was made before forking, in parent and children at once, while other threads of the parent make, run and delete
// interpreters of it.
TEST_P(ForkTest, DelegatesOfParentAndChildren) {
  const TestGraph model = MakeConvChain("cc-cc", 16, Values::kInt8, 1);
  DelegateOptions options;
  options.any_kernel = false;
  options.kernel = Algorithm::kWinogradF43;
  options.num_threads = threads();
  options.log_level = 0;
  std::unique_ptr<TfLiteDelegate, Deleter> delegate(CreateDelegate(options));
  const auto invoke = [&model](ChainRuntime* runtime, unsigned seed) -> std::string {
    std::mt19937 random(seed);
    for (int8_t& code : runtime->input()) code = static_cast<int8_t>(random() % 256 - 128);
    if (!runtime->Invoke()) return runtime->error();
    return runtime->output() == RunChain(model, 1, 9, 9, runtime->input()) ? "" : "codes differ";
  };
  const auto make = [&] {
    auto runtime = std::make_unique<ChainRuntime>(model, 2);
    EXPECT_TRUE(runtime->Apply(delegate.get()) && runtime->Resize(1, 9, 9)) << runtime->error();
    return runtime;
  };
  auto runtime = make();
  EXPECT_EQ(invoke(runtime.get(), 1), "");
  std::atomic<bool> stop{false};
  std::string wrong;
  std::thread other([&] {
    while (!stop && wrong.empty()) wrong = invoke(make().get(), 2);
  });
  for (int i = 0; i < 12; ++i) {
    const std::string said = InChild([&] {
      std::string wrong = i % 2 == 0 ? "" : invoke(runtime.get(), 3);
      if (i % 3 == 0) runtime.reset();
      if (wrong.empty() && i % 4 > 1) wrong = invoke(make().get(), 4);
      if (i % 3 == 1) {
        CloseDelegate(delegate.get());
        runtime.reset();
        delegate.reset();
      }
      return wrong;
    });
    EXPECT_EQ(said, "") << i;
    EXPECT_EQ(invoke(runtime.get(), 5), "");
  }
  stop = true;
  other.join();
  EXPECT_EQ(wrong, "");
}

INSTANTIATE_TEST_SUITE_P(Threads, ForkTest, ::testing::Combine(::testing::Values(2, 4, 8), ::testing::Bool()),
                         [](const ::testing::TestParamInfo<std::tuple<int, bool>>& info) {
                           return std::to_string(std::get<0>(info.param)) + (std::get<1>(info.param) ? "_by_number" : "_by_page");
                         });

}  // namespace
}  // namespace tflite_eq
