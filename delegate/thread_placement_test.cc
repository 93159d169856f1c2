#include "delegate/thread_placement.h"

#include <sched.h>

#include <future>
#include <thread>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

#ifndef __ANDROID__

cpu_set_t AllowedOf(pid_t thread) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  EXPECT_EQ(sched_getaffinity(thread, sizeof(allowed), &allowed), 0);
  return allowed;
}

cpu_set_t Only(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  return one;
}

// A thread that waits between what it is told to do, and the mask that it starts with.
class Sleeper {
 public:
  explicit Sleeper(const cpu_set_t* allowed) : thread_([this, allowed] { Main(allowed); }) { id_ = ready_.get_future().get(); }
  ~Sleeper() { thread_.join(); }
  pid_t id() const { return id_; }
  ThreadPlacement& placement() { return placement_; }
  void Wake() {
    wake_.set_value();
    awake_.get_future().wait();
  }

 private:
  void Main(const cpu_set_t* allowed) {
    if (allowed != nullptr) EXPECT_EQ(sched_setaffinity(0, sizeof(*allowed), allowed), 0);
    placement_.BelongToThisThread();
    ready_.set_value(static_cast<pid_t>(syscall(SYS_gettid)));
    wake_.get_future().wait();
    placement_.Release();
    after_ = AllowedOf(0);
    awake_.set_value();
  }

 public:
  cpu_set_t after_;

 private:
  ThreadPlacement placement_;
  std::promise<pid_t> ready_;
  std::promise<void> wake_, awake_;
  pid_t id_ = 0;
  std::thread thread_;
};

// Keeps this thread on one CPU while it lives.
class Pinned {
 public:
  Pinned() : before_(AllowedOf(0)), cpu_(sched_getcpu()) {
    const cpu_set_t one = Only(cpu_);
    EXPECT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  }
  ~Pinned() { sched_setaffinity(0, sizeof(before_), &before_); }
  int cpu() const { return cpu_; }
  const cpu_set_t& before() const { return before_; }

 private:
  cpu_set_t before_;
  int cpu_;
};

TEST(ThreadPlacement, IsElsewhereUntilTheThreadIsAwake) {
  const Pinned here;
  if (CPU_COUNT(&here.before()) < 2) GTEST_SKIP() << "one CPU";
  Sleeper sleeper(&here.before());
  for (int i = 0; i < 2; ++i) {  // twice is as good as once
    sleeper.placement().KeepFromThisCpu();
    cpu_set_t expected = here.before();
    CPU_CLR(here.cpu(), &expected);
    const cpu_set_t kept = AllowedOf(sleeper.id());
    EXPECT_TRUE(CPU_EQUAL(&kept, &expected));
  }
  sleeper.Wake();
  EXPECT_TRUE(CPU_EQUAL(&sleeper.after_, &here.before()));
}

TEST(ThreadPlacement, StaysWhereTheThreadMayRunNowhereElse) {
  const Pinned here;
  const cpu_set_t one = Only(here.cpu());
  Sleeper sleeper(&one);
  sleeper.placement().KeepFromThisCpu();
  const cpu_set_t kept = AllowedOf(sleeper.id());
  EXPECT_TRUE(CPU_EQUAL(&kept, &one));
  sleeper.Wake();
  EXPECT_TRUE(CPU_EQUAL(&sleeper.after_, &one));
}

#endif

}  // namespace
}  // namespace tflite_eq
