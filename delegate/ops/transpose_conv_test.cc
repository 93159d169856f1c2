#include "delegate/ops/transpose_conv.h"

#include <vector>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

// Every output value is in one phase, and what a phase's window says of taps and inputs is what the filter's position says.
TEST(TransposedPhase, CoversEveryOutputWithItsTaps) {
  for (int filter = 1; filter <= 7; ++filter) {
    for (int stride = 1; stride <= 5; ++stride) {
      for (int pad = 0; pad <= filter / 2; ++pad) {
        for (int output = 0; output <= 12; ++output) {
          std::vector<int> seen(static_cast<size_t>(output), 0);
          for (int phase = 0; phase < stride; ++phase) {
            const TransposedPhase p = PhaseOf(output, filter, stride, pad, phase);
            ASSERT_GE(p.pad, 0);
            ASSERT_GE(p.taps, 1);
            for (int i = 0; i < p.count; ++i) {
              const int value = p.first + i * stride;
              ASSERT_LT(value, output);
              ++seen[static_cast<size_t>(value)];
              for (int tap = 0; tap < filter; ++tap) {
                // The filter's tap falls on this value from one input, if any; the window has it in one place.
                const int distance = value + pad - tap;
                if (distance < 0 || distance % stride != 0) continue;
                const int input = distance / stride;
                const int place = input - (i - p.pad);
                ASSERT_GE(place, 0);
                ASSERT_LT(place, p.taps);
                EXPECT_EQ(p.first_tap + (p.taps - 1 - place) * stride, tap);
              }
            }
          }
          for (int count : seen) EXPECT_EQ(count, 1) << filter << " " << stride << " " << pad << " " << output;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tflite_eq
