#include "delegate/work_shares.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

std::vector<int> TakeAll(WorkShares* shares, int step, int worker) {
  std::vector<int> taken;
  for (int unit; (unit = shares->Take(step, worker)) != WorkShares::kNone;) taken.push_back(unit);
  return taken;
}

TEST(WorkShares, BeginWithTheWorkersOwnNeighbours) {
  WorkShares shares;
  ASSERT_TRUE(shares.Allocate(2, 3));
  shares.Begin(0, 7);
  shares.Begin(1, 7);
  for (int step = 0; step < 2; ++step) {
    EXPECT_EQ(shares.Take(step, 2), 4);
    EXPECT_EQ(shares.Take(step, 0), 0);
    EXPECT_EQ(shares.Take(step, 1), 2);
  }
}

TEST(WorkShares, OneWorkerDoesAllWhereTheOthersDoNotCome) {
  WorkShares shares;
  ASSERT_TRUE(shares.Allocate(1, 3));
  shares.Begin(0, 7);
  EXPECT_EQ(TakeAll(&shares, 0, 1), (std::vector<int>{2, 3, 4, 5, 6, 0, 1}));
  EXPECT_EQ(shares.Take(0, 0), WorkShares::kNone);
  shares.Finish(0, 7);  // returns
}

TEST(WorkShares, StepsWithoutUnitsAreDone) {
  WorkShares shares;
  ASSERT_TRUE(shares.Allocate(1, 2));
  shares.Begin(0, 0);
  EXPECT_EQ(shares.Take(0, 0), WorkShares::kNone);
  EXPECT_EQ(shares.Take(0, 1), WorkShares::kNone);
  shares.Finish(0, 0);  // returns
}

TEST(WorkShares, FewerUnitsThanWorkers) {
  WorkShares shares;
  ASSERT_TRUE(shares.Allocate(1, 4));
  shares.Begin(0, 1);
  EXPECT_EQ(TakeAll(&shares, 0, 0), std::vector<int>{0});
  shares.Finish(0, 1);
}

// Every unit once, and none of a step before all of the step in front are done.
TEST(WorkShares, EveryUnitRunsOnceAndStepsInOrder) {
  constexpr int kWorkers = 3, kSteps = 40, kRounds = 50;
  WorkShares shares;
  ASSERT_TRUE(shares.Allocate(kSteps, kWorkers));
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::atomic<int>> ran(kSteps * 16);
    std::atomic<int> early{0};
    for (int step = 0; step < kSteps; ++step) shares.Begin(step, step % 16);
    const auto work = [&](int worker) {
      for (int step = 0; step < kSteps; ++step) {
        int count = 0;
        for (int unit; (unit = shares.Take(step, worker)) != WorkShares::kNone; ++count) {
          ++ran[step * 16 + unit];
          for (int before = 0; step > 0 && before < shares.units(step - 1); ++before) early += ran[(step - 1) * 16 + before] == 0;
        }
        shares.Finish(step, count);
      }
    };
    std::vector<std::thread> threads;
    for (int worker = 1; worker < kWorkers; ++worker) threads.emplace_back(work, worker);
    work(0);
    for (std::thread& thread : threads) thread.join();
    for (int step = 0; step < kSteps; ++step) {
      for (int unit = 0; unit < 16; ++unit) ASSERT_EQ(ran[step * 16 + unit], unit < step % 16 ? 1 : 0) << step << " " << unit;
    }
    ASSERT_EQ(early, 0);
  }
}

}  // namespace
}  // namespace tflite_eq
