// How crashes end the program.
#include "delegate/benchmark/crash_report.h"

#include <csignal>
#include <thread>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

using CrashReportDeathTest = testing::Test;

TEST(CrashReportDeathTest, OneLineAndAnExitCode) {
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    EXPECT_EXIT(
        {
          const CrashReport report("the runtime", "running the model again");
          raise(signal);
        },
        testing::ExitedWithCode(kExitRunFailed), "^eq_benchmark: the runtime crashed \\(.+\\) while running the model again\n$");
  }
}

TEST(CrashReportDeathTest, OfOtherThreadsToo) {
  EXPECT_EXIT(
      {
        const CrashReport report("the runtime", "running");
        std::thread threads[8];
        for (std::thread& thread : threads) thread = std::thread([] { raise(SIGSEGV); });
        for (std::thread& thread : threads) thread.join();
      },
      testing::ExitedWithCode(kExitRunFailed), "^eq_benchmark: the runtime crashed \\(.+\\) while running\n$");
}

// A stack that has ended has no room for a handler.
TEST(CrashReportDeathTest, OfEndlessRecursionToo) {
  struct Recursion {
    static int Into(volatile char* frame, int depth) {
      volatile char own[4096];
      own[0] = *frame;
      return depth > 0 ? Into(own, depth - 1) + own[0] : 0;
    }
  };
  EXPECT_EXIT(
      {
        const CrashReport report("the runtime", "running");
        volatile char first = 1;
        _exit(Recursion::Into(&first, 1 << 30));
      },
      testing::ExitedWithCode(kExitRunFailed), "the runtime crashed");
}

TEST(CrashReportDeathTest, SignalsAreAsBeforeAfterwards) {
  EXPECT_EXIT(
      {
        { const CrashReport report("the runtime", "running"); }
        raise(SIGILL);
      },
      testing::KilledBySignal(SIGILL), "");
}

}  // namespace
}  // namespace tflite_eq
