// Kernels for 7-bit codes: forms of weights, sums at their limits, and codes outside the window.
#include <algorithm>
#include <vector>

#include "delegate/kernels/conv_kernel_fixture.h"

namespace tflite_eq {
namespace {

// direct_int7 sums four or eight products in 16 bits, by what their weights add up to: at both sides of the limit, 511 on NEON and 516 on
// AVX2, with all signs, and with codes at whichever ends of either window make sums the largest and the least.
TEST_P(ConvKernelTest, SumsOfEightProductsAtTheirLimit) {
  if (!direct_int7()) return;
  for (int total : {508, 511, 512, 516, 517, 1016}) {
    for (int signs : {0, 1, 2, 3}) {
      for (int low : {-64, 0}) {
        for (bool largest : {false, true}) {
          ConvShape s = ShapeOf({1, 3, 3, 128, 5, 1, 1, 1, 1, 1, 1});
          ResolvePadding(Padding::kSame, &s);
          RandomProblem p;
          ProblemOptions options;
          options.values = Values::kPlainInt7;
          options.output_range = 30;
          FillRandomProblem(s, options, &random_, &p);
          p.problem.quantization.input_zero_point = 0;
          for (int k = 0; k < s.output_channels; ++k) {
            for (int c = 0; c < s.input_channels; ++c) {
              // The eight weights of a lane add up to `total`, be they every eighth of 64 or two of every four of 16.
              const int rank = (2 * (c / 4 % 4) + c % 2 + c / 16 % 4) % 8;
              const int magnitude = total / 8 + (rank < total % 8 ? 1 : 0);
              const bool negative = signs == 1 || (signs == 2 && c % 2 != 0) || (signs == 3 && random_() % 2 != 0);
              p.filter[k * s.input_channels + c] = static_cast<int8_t>(negative ? -magnitude : magnitude);
            }
          }
          for (size_t i = 0; i < p.input.size(); ++i) {
            const bool high = (p.filter[i % s.input_channels] > 0) == largest;
            p.input[i] = static_cast<int8_t>(high ? low + 127 : low);
          }
          Check(p);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// The same where a lane's weights are those of neighbouring filter columns: none of them alone is too large for sums of eight.
TEST_P(ConvKernelTest, SumsOfEightProductsOfNeighbouringTaps) {
  if (!direct_int7()) return;
  for (int channels : {16, 32, 48}) {
    for (int filter : {3, 5}) {
      for (int magnitude : {63, 64, 127}) {
        for (bool largest : {false, true}) {
          ConvShape s = ShapeOf({1, 7, 7, channels, 5, filter, filter, 1, 1, 1, 1});
          ResolvePadding(Padding::kSame, &s);
          RandomProblem p;
          ProblemOptions options;
          options.values = Values::kPlainInt7;
          options.output_range = 30;
          FillRandomProblem(s, options, &random_, &p);
          p.problem.quantization.input_zero_point = 0;
          for (size_t i = 0; i < p.filter.size(); ++i) p.filter[i] = static_cast<int8_t>(i % channels % 3 == 0 ? -magnitude : magnitude);
          for (size_t i = 0; i < p.input.size(); ++i) p.input[i] = (i % channels % 3 != 0) == largest ? 63 : -64;
          Check(p);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(ConvKernelTest, EveryFormOfTheOneDimensionalKernel) {
  if (!one_dimensional()) return;
  for (Values values : {Values::kInt7, Values::kEvenTriplets, Values::kPlainInt7}) {
    for (int in : {3, 64, 70, 150}) {
      for (int width : {6, 7, 13, 14}) {
        RandomProblem p;
        ProblemOptions options;
        options.values = values;
        FillRandomProblem(Shape3x3(2, 7, width, in, 35, Padding::kSame), options, &random_, &p);
        Check(p);
      }
    }
  }
}

TEST_P(ConvKernelTest, MixedFormsInOneLayer) {
  if (!one_dimensional()) return;
  RandomProblem even;
  ProblemOptions options;
  options.values = Values::kEvenTriplets;
  FillRandomProblem(Shape3x3(1, 9, 9, 16, 48, Padding::kSame), options, &random_, &even);
  RandomProblem small;
  options.values = Values::kInt7;
  FillRandomProblem(Shape3x3(1, 9, 9, 16, 48, Padding::kSame), options, &random_, &small);
  const size_t filter = even.problem.shape.filter_size();
  for (int k = 0; k < 48; k += 3) {
    std::copy_n(small.filter.begin() + k * filter, filter, even.filter.begin() + k * filter);
  }
  Check(even);
}

TEST_P(ConvKernelTest, CodesOutsideTheWindow) {
  if (!seven_bits()) return;
  for (int code : {-128, -65, 64, 127}) {
    for (Values values : every_seven_bits()) {
      RandomProblem p;
      ProblemOptions options;
      options.values = values;
      FillRandomProblem(Shape3x3(1, 40, 31, 66, 33, Padding::kSame), options, &random_, &p);
      // One code in one place, anywhere: the first, the last, and some between.
      for (size_t place : {size_t{0}, p.input.size() - 1, random_() % p.input.size(), random_() % p.input.size()}) {
        RandomProblem q = p;
        q.problem.weights.filter = q.filter.data();
        q.problem.weights.bias = q.bias.data();
        q.problem.quantization.multiplier = q.multiplier.data();
        q.problem.quantization.shift = q.shift.data();
        q.input[place] = static_cast<int8_t>(code);
        Check(q, 3);
      }
    }
  }
}

// What stands behind a ReLU: zero point 0, codes up to 127.
TEST_P(ConvKernelTest, NonNegativeCodes) {
  if (!seven_bits()) return;
  for (Values values : every_seven_bits()) {
    for (int in : {3, 66, 130}) {
      RandomProblem p;
      ProblemOptions options;
      options.values = values;
      FillRandomProblem(Shape3x3(2, 13, 9, in, 35, Padding::kSame), options, &random_, &p);
      p.problem.quantization.input_zero_point = static_cast<int>(random_() % 64);
      for (int8_t& code : p.input) code = static_cast<int8_t>(random_() % 128);
      Check(p, 2);
      std::fill(p.input.begin(), p.input.end(), int8_t{127});
      Check(p);
      // A unit that fits in neither window.
      p.input[random_() % p.input.size()] = -1;
      Check(p, 3);
    }
  }
}

// Exactness says nothing about speed: the fallback is exact too.
TEST_P(ConvKernelTest, CodesInAWindowNeedNoFallback) {
  if (!seven_bits()) return;
  static bool used;
  const auto trap = [](const KernelContext&, int, int, int, const int8_t*, int8_t*, void*) { used = true; };
  ConvKernel fallback = {};
  fallback.run_rows = trap;
  for (Values values : every_seven_bits()) {
    for (int low : {-64, 0, -1}) {
      RandomProblem p;
      ProblemOptions options;
      options.values = values;
      FillRandomProblem(Shape3x3(1, 8, 8, 65, 5, Padding::kSame), options, &random_, &p);
      p.problem.quantization.input_zero_point = 0;
      for (int8_t& code : p.input) code = static_cast<int8_t>(low + static_cast<int>(random_() % 128));
      p.input[0] = static_cast<int8_t>(low);
      p.input[1] = static_cast<int8_t>(low + 127);
      const ConvKernel* kernel = FindKernel(GetParam().algorithm, GetParam().isa);
      Buffer packed;
      ASSERT_TRUE(packed.Allocate(kernel->packed_bytes(p.problem)));
      kernel->pack(p.problem, packed.as<void>());
      const std::vector<int64_t> magnitudes(5, 1 << 24);
      const std::vector<int32_t> late_bias(5, 0);
      Requantization requantization;
      ASSERT_TRUE(requantization.Prepare(p.problem.quantization, 5, magnitudes.data(), late_bias.data()));
      const WorkPlan plan = kernel->plan(p.problem.shape, 1);
      Buffer scratch;
      ASSERT_TRUE(scratch.Allocate(plan.scratch_bytes));
      KernelContext context = {p.problem.shape, 0, &requantization, packed.as<void>(), nullptr, &fallback, nullptr, 8, 0};
      context.fallback_context = &context;
      std::vector<int8_t> output(p.output_size());
      used = false;
      for (int unit = 0; unit < plan.units; ++unit) {
        kernel->run(context, plan, unit, p.input.data(), output.data(), scratch.as<void>());
      }
      EXPECT_EQ(used, low == -1) << "codes from " << low;
    }
  }
}

TEST_P(ConvKernelTest, ZeroPointOutsideTheWindow) {
  for (int zero_point : {-128, -65, 64, 127}) {
    RandomProblem p;
    ProblemOptions options;
    options.values = ordinary();
    FillRandomProblem(Shape3x3(1, 12, 12, 20, 20, Padding::kSame), options, &random_, &p);
    p.problem.quantization.input_zero_point = zero_point;
    Check(p);
  }
}

}  // namespace
}  // namespace tflite_eq
