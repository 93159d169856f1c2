#include "delegate/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "delegate/kernels/buffer.h"

namespace tflite_eq {
namespace {

// The most that is alive at any step: no plan takes less.
size_t MostAlive(const MemoryPlan& plan, int steps) {
  size_t most = 0;
  for (int step = 0; step < steps; ++step) {
    size_t alive = 0;
    for (int i = 0; i < plan.size(); ++i) {
      if (plan[i].first <= step && step <= plan[i].last) alive += (plan[i].bytes + 63) / 64 * 64;
    }
    most = std::max(most, alive);
  }
  return most;
}

void ExpectNoOverlap(const MemoryPlan& plan) {
  for (int i = 0; i < plan.size(); ++i) {
    EXPECT_EQ(plan[i].offset % Buffer::kAlignment, 0u);
    if (plan[i].bytes > 0) EXPECT_LE(plan[i].offset + plan[i].bytes, plan.bytes());
    for (int j = 0; j < i; ++j) {
      if (plan[i].bytes == 0 || plan[j].bytes == 0) continue;
      const bool together = plan[i].first <= plan[j].last && plan[j].first <= plan[i].last;
      const bool overlap = plan[i].offset < plan[j].offset + plan[j].bytes && plan[j].offset < plan[i].offset + plan[i].bytes;
      EXPECT_FALSE(together && overlap) << i << " and " << j;
    }
  }
}

TEST(MemoryPlan, ChainTakesTwoLargestNeighbours) {
  MemoryPlan plan;
  ASSERT_TRUE(plan.Allocate(4, 5));
  const size_t bytes[] = {640, 1280, 320, 64};
  for (int i = 0; i < 4; ++i) plan[i] = {i, i + 1, bytes[i], 0};
  plan.Place();
  ExpectNoOverlap(plan);
  EXPECT_EQ(plan.bytes(), 640u + 1280u);
}

TEST(MemoryPlan, EmptyProgramTakesNothing) {
  MemoryPlan plan;
  ASSERT_TRUE(plan.Allocate(0, 0));
  plan.Place();
  EXPECT_EQ(plan.bytes(), 0u);
}

TEST(MemoryPlan, RandomLivesNeverOverlapAndWasteLittle) {
  std::mt19937 random(1);
  double worst = 1, sum = 0;
  constexpr int kPlans = 300;
  for (int round = 0; round < kPlans; ++round) {
    const int steps = 1 + static_cast<int>(random() % 60);
    MemoryPlan plan;
    ASSERT_TRUE(plan.Allocate(steps, steps));
    for (int i = 0; i < steps; ++i) {
      const int life = random() % 8 == 0 ? static_cast<int>(random() % 20) : static_cast<int>(random() % 3);
      plan[i] = {i, std::min(steps - 1, i + life), random() % 10 == 0 ? 0 : random() % 5000, 0};
    }
    plan.Place();
    ExpectNoOverlap(plan);
    const size_t least = MostAlive(plan, steps);
    if (least == 0) continue;
    const double ratio = static_cast<double>(plan.bytes()) / static_cast<double>(least);
    worst = std::max(worst, ratio);
    sum += ratio;
    // The same again: placing keeps nothing from the time before.
    const size_t before = plan.bytes();
    plan.Place();
    EXPECT_EQ(plan.bytes(), before);
  }
  EXPECT_LT(worst, 2.5);
  EXPECT_LT(sum / kPlans, 1.25);
}

}  // namespace
}  // namespace tflite_eq
