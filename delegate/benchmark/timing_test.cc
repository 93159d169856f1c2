// Contenders in turns, statistics, and what they are made of.
#include "delegate/benchmark/timing.h"

#include <cmath>
#include <set>

#include "delegate/benchmark/random.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

struct Counter {
  int runs = 0;
  int fails_at = -1;
};

bool Count(void* counter, Message* error) {
  auto* self = static_cast<Counter*>(counter);
  return self->runs++ != self->fails_at || error->Set("run %d", self->runs - 1);
}

struct Turns {
  Counter counters[2];
  Contender contenders[2];
  Flags flags;
  Message error;
  Turns() {
    flags.min_secs = 0;
    for (int i = 0; i < 2; ++i) {
      contenders[i].context = &counters[i];
      contenders[i].run = Count;
    }
  }
  bool Run() { return RunInTurns(contenders, 2, flags, &error); }
};

TEST(RunInTurns, RunsEachEquallyOften) {
  Turns turns;
  turns.flags.num_runs = 5;
  turns.flags.warmup_runs = 2;
  ASSERT_TRUE(turns.Run());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(turns.counters[i].runs, 7);
    EXPECT_EQ(turns.contenders[i].milliseconds.size(), 5);
  }
}

TEST(RunInTurns, StopsWhenTimeIsUpAndWhenARunFails) {
  Turns turns;
  turns.flags.num_runs = 1000000;
  turns.flags.warmup_runs = 0;
  turns.flags.max_secs = 0;
  ASSERT_TRUE(turns.Run());
  EXPECT_EQ(turns.counters[1].runs, 1);
  turns.counters[1].fails_at = 1;
  EXPECT_FALSE(turns.Run());
  EXPECT_STREQ(turns.error.text, "run 1");
  EXPECT_TRUE(RunInTurns(turns.contenders, 0, turns.flags, &turns.error)) << "there may be none";
}

Summary Of(std::initializer_list<double> values) {
  List<double> list;
  for (double value : values) list.Add(value);
  return Summarize(&list);
}

TEST(Summarize, AnyNumberOfValues) {
  const Summary odd = Of({9, 1, 2});
  EXPECT_EQ(odd.count, 3);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.median, 2);
  EXPECT_EQ(odd.max, 9);
  EXPECT_DOUBLE_EQ(odd.mean, 4);
  EXPECT_DOUBLE_EQ(odd.deviation, std::sqrt((25.0 + 9 + 4) / 3));
  EXPECT_EQ(Of({4, 1, 3, 2}).median, 2.5);
  EXPECT_EQ(Of({7}).min, 7);
  EXPECT_EQ(Of({7}).median, 7);
  EXPECT_EQ(Of({7}).deviation, 0);
  EXPECT_EQ(Of({}).count, 0);
  EXPECT_EQ(Of({}).median, 0);
}

TEST(List, KeepsWhatOutgrowsIt) {
  List<int> list;
  for (int i = 0; i < 1000; ++i) list.Add(i);
  ASSERT_EQ(list.size(), 1000);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(list[i], i);
}

TEST(Random, SameSeedSameNumbers) {
  Random first(5), second(5), other(6);
  for (int i = 0; i < 100; ++i) {
    const uint64_t number = first.Next();
    EXPECT_EQ(number, second.Next());
    EXPECT_NE(number, other.Next());
  }
}

TEST(Random, ReachesBothEndsAndNothingBeyond) {
  Random random(1);
  std::set<int64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.Integer(-3, 4));
  EXPECT_EQ(seen, (std::set<int64_t>{-3, -2, -1, 0, 1, 2, 3, 4}));
  EXPECT_EQ(random.Integer(7, 7), 7);
  for (int i = 0; i < 1000; ++i) {
    const double real = random.Real(-2, 3);
    EXPECT_TRUE(real >= -2 && real < 3) << real;
  }
}

}  // namespace
}  // namespace tflite_eq
