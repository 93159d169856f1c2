// What is measured of the running CPU: it can be either here, but it must be clear, and the same every time.
#include "delegate/kernels/cpu_features.h"

#include <time.h>

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"

#if defined(__x86_64__)
#include "delegate/kernels/vnni_probe.h"
#endif

namespace tflite_eq {
namespace {

TEST(DetectCpu, SaysTheSameEveryTime) {
  const CpuProfile first = DetectCpu();
  for (int i = 0; i < 3; ++i) {
    const CpuProfile again = DetectCpu();
    EXPECT_EQ(again.isa, first.isa);
    EXPECT_EQ(again.two_vnni_units, first.two_vnni_units);
    EXPECT_EQ(again.peer, first.peer);
  }
  EXPECT_TRUE(CpuSupports(first.isa));
  EXPECT_EQ(first.isa, CpuIsa());
}

#if defined(__x86_64__)
TEST(CpuIsa, AsTheCompilersRuntimeSays) {
  EXPECT_EQ(CpuSupports(Isa::kAvx2), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(CpuSupports(Isa::kAvx512Vnni), __builtin_cpu_supports("avx512vnni") != 0);
  EXPECT_EQ(CpuSupports(Isa::kAvx512Vbmi), __builtin_cpu_supports("avx512vnni") != 0 && __builtin_cpu_supports("avx512vbmi") != 0);
  EXPECT_FALSE(CpuSupports(Isa::kNeon));
}

// Far from the threshold of 1.25 on either kind of CPU, whatever else runs beside the test.
TEST(MeasureSignFlips, FlipsAreFreeOrTakeAThirdOfTheTime) {
  if (!CpuSupports(Isa::kAvx512Vnni)) GTEST_SKIP() << "this CPU has no AVX-512 VNNI";
  std::vector<double> quotients(1001);
  MeasureSignFlips(quotients.data(), static_cast<int>(quotients.size()));
  std::nth_element(quotients.begin(), quotients.begin() + 500, quotients.end());
  const double expected = DetectCpu().two_vnni_units ? 1.5 : 1.0;
  EXPECT_NEAR(quotients[500], expected, 0.12);
}

TEST(MeasureSignFlips, TakesAFractionOfAMillisecond) {
  if (!CpuSupports(Isa::kAvx512Vnni)) GTEST_SKIP() << "this CPU has no AVX-512 VNNI";
  double least = 1;
  for (int i = 0; i < 50; ++i) {
    double quotients[64];
    timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    MeasureSignFlips(quotients, 64);
    clock_gettime(CLOCK_MONOTONIC, &end);
    least = std::min(least, static_cast<double>(end.tv_sec - start.tv_sec) + 1e-9 * static_cast<double>(end.tv_nsec - start.tv_nsec));
  }
  EXPECT_LT(least, 0.5e-3);
}
#endif

}  // namespace
}  // namespace tflite_eq
