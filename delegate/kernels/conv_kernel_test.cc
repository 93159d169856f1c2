// Every kernel and instruction set this machine has, against the reference: odd sizes, batches, both paddings, zero points,
// extreme values, activations, scales, missing biases, several workers.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "delegate/kernels/cpu_features.h"
#include "delegate/kernels/geometry.h"
#include "delegate/kernels/prepared_conv.h"
#include "delegate/kernels/random_problem.h"
#include "delegate/kernels/reference.h"
#include "delegate/kernels/requantize_float.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

struct Target {
  Algorithm algorithm;
  Isa isa;
  bool depthwise;  // what it is tested on
};

std::string Name(const Target& target) {
  const bool both = target.algorithm == Algorithm::kReference && target.depthwise;
  return std::string(AlgorithmName(target.algorithm)) + (both ? "_depthwise_" : "_") + IsaName(target.isa);
}
void PrintTo(const Target& target, std::ostream* stream) { *stream << Name(target); }

// Runs tasks in reverse order and on alternating workers: any dependence of one unit on another shows.
class ShufflingPool final : public ThreadPool {
 public:
  explicit ShufflingPool(int workers) : workers_(workers) {}
  int workers() const override { return workers_; }
  void Run(Task task, void* context, int count) override {
    for (int index = count - 1; index >= 0; --index) task(context, index, index % workers_);
  }

 private:
  int workers_;
};

struct Geometry {
  int batch, height, width, in, out;
  int filter_height, filter_width, stride_height, stride_width, dilation_height, dilation_width;
};

class ConvKernelTest : public ::testing::TestWithParam<Target> {
 protected:
  void SetUp() override {
    if (!CpuSupports(GetParam().isa)) GTEST_SKIP() << "this CPU lacks " << IsaName(GetParam().isa);
  }

  // Compares every code, and that nothing is written outside the output.
  void Check(const RandomProblem& p, int workers = 1) {
    Reason reason;
    PreparedConv conv;
    ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, workers, &reason)) << reason.text;
    CheckPrepared(p, conv, workers);
  }

  void CheckPrepared(const RandomProblem& p, const PreparedConv& conv, int workers) {
    constexpr int kGuard = 64;
    std::vector<int8_t> expected(p.output_size());
    ReferenceConv(p.problem, p.input.data(), expected.data());
    std::vector<int8_t> actual(p.output_size() + 2 * kGuard, 99);
    // The input at the very end of an allocation, so that a sanitizer sees reads past it.
    std::unique_ptr<int8_t[]> input(new int8_t[p.input.size()]);
    std::copy(p.input.begin(), p.input.end(), input.get());
    Buffer scratch;
    ASSERT_TRUE(scratch.Allocate(conv.scratch_bytes()));
    if (scratch.size() > 0) memset(scratch.as<void>(), 0x5a, scratch.size());
    ShufflingPool pool(workers);
    conv.Run(input.get(), actual.data() + kGuard, scratch.as<void>(), &pool);
    for (int i = 0; i < kGuard; ++i) {
      ASSERT_EQ(actual[i], 99) << "wrote before the output";
      ASSERT_EQ(actual[actual.size() - 1 - i], 99) << "wrote past the output";
    }
    const ConvShape& s = p.problem.shape;
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(int{actual[kGuard + i]}, int{expected[i]})
          << "channel " << i % s.output_channels << " column " << i / s.output_channels % s.output_width << " row "
          << i / s.output_channels / s.output_width % s.output_height << " of " << s.input_height << "x"
          << s.input_width << "x" << s.input_channels << "->" << s.output_channels << " batch " << s.batch;
    }
  }

  // The shape as the kernel takes it. Depthwise convolutions have at least as many output channels as were asked for: for few input
  // channels more than one each.
  ConvShape Fit(ConvShape s) const {
    s.depthwise = depthwise();
    if (!s.depthwise || s.input_channels == 0) return s;
    s.output_channels = (s.output_channels + s.input_channels - 1) / s.input_channels * s.input_channels;
    return s;
  }
  ConvShape Shape3x3(int batch, int height, int width, int in, int out, Padding padding) const;
  ConvShape ShapeOf(const Geometry& geometry) const;

  bool depthwise() const { return GetParam().depthwise; }
  bool winograd() const {
    return one_dimensional() || GetParam().algorithm == Algorithm::kWinogradF43 || GetParam().algorithm == Algorithm::kWinogradF23;
  }
  bool one_dimensional() const { return GetParam().algorithm == Algorithm::kWinograd1d; }
  bool direct_int7() const { return GetParam().algorithm == Algorithm::kDirectInt7; }
  // Fast with 7-bit codes only; one of them refuses some weights.
  bool seven_bits() const { return one_dimensional() || direct_int7(); }
  Values ordinary() const {
    return seven_bits() ? Values::kEvenTriplets : Values::kInt8;
  }
  // What the kernel takes.
  std::vector<Values> every_seven_bits() const {
    return {Values::kInt7, Values::kEvenTriplets, Values::kPlainInt7};
  }

  std::mt19937 random_{12345};
};

ConvShape ConvKernelTest::ShapeOf(const Geometry& g) const {
  ConvShape s;
  s.batch = g.batch;
  s.input_height = g.height;
  s.input_width = g.width;
  s.input_channels = g.in;
  s.output_channels = g.out;
  s.filter_height = g.filter_height;
  s.filter_width = g.filter_width;
  s.stride_height = g.stride_height;
  s.stride_width = g.stride_width;
  s.dilation_height = g.dilation_height;
  s.dilation_width = g.dilation_width;
  return Fit(s);
}

ConvShape ConvKernelTest::Shape3x3(int batch, int height, int width, int in, int out, Padding padding) const {
  ConvShape s = ShapeOf({batch, height, width, in, out, 3, 3, 1, 1, 1, 1});
  ResolvePadding(padding, &s);
  return s;
}

TEST_P(ConvKernelTest, SmallSizesOfEveryRemainder) {
  for (int height = 3; height <= 9; ++height) {
    for (int width = 3; width <= 9; ++width) {
      const int in = 1 + static_cast<int>(random_() % 9);
      const int out = 1 + static_cast<int>(random_() % 40);
      for (Padding padding : {Padding::kSame, Padding::kValid}) {
        RandomProblem p;
        ProblemOptions options;
        options.values = ordinary();
        FillRandomProblem(Shape3x3(1, height, width, in, out, padding), options, &random_, &p);
        Check(p);
      }
    }
  }
}

TEST_P(ConvKernelTest, TinyImages) {
  for (int height = 1; height <= 3; ++height) {
    for (int width = 1; width <= 3; ++width) {
      RandomProblem p;
      ProblemOptions options;
      options.values = ordinary();
      FillRandomProblem(Shape3x3(2, height, width, 5, 7, Padding::kSame), options, &random_, &p);
      Check(p);
    }
  }
}

TEST_P(ConvKernelTest, ChannelCountsAroundVectorWidths) {
  for (int in : {1, 2, 3, 4, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 128, 130}) {
    for (int out : {1, 7, 8, 15, 16, 17, 31, 32, 33, 48, 64, 65}) {
      RandomProblem p;
      ProblemOptions options;
      options.values = ordinary();
      FillRandomProblem(Shape3x3(1, 5, 6, in, out, Padding::kSame), options, &random_, &p);
      Check(p);
    }
  }
}

TEST_P(ConvKernelTest, LargerImagesBatchesAndWorkers) {
  for (int workers : {1, 2, 3, 8}) {
    for (int batch : {1, 2, 3}) {
      RandomProblem p;
      ProblemOptions options;
      options.values = ordinary();
      const int height = 10 + static_cast<int>(random_() % 30);
      const int width = 10 + static_cast<int>(random_() % 30);
      FillRandomProblem(Shape3x3(batch, height, width, 36, 40, batch == 2 ? Padding::kValid : Padding::kSame), options,
                        &random_, &p);
      Check(p, workers);
    }
  }
}

TEST_P(ConvKernelTest, UnitsSmallerThanTheImage) {
  // Scratch targets cut this image into several units.
  RandomProblem p;
  ProblemOptions options;
  options.values = ordinary();
  FillRandomProblem(Shape3x3(1, 61, 59, 130, 16, Padding::kSame), options, &random_, &p);
  Check(p);
}

TEST_P(ConvKernelTest, ArithmeticOptions) {
  for (bool with_bias : {false, true}) {
    for (bool per_channel : {false, true}) {
      for (bool relu : {false, true}) {
        for (double range : {1.0, 0.05, 20.0, 0.0}) {
          RandomProblem p;
          ProblemOptions options;
          options.values = ordinary();
          options.with_bias = with_bias;
          options.per_channel = per_channel;
          options.relu = relu;
          options.output_range = range;
          FillRandomProblem(Shape3x3(1, 9, 11, 12, 37, Padding::kSame), options, &random_, &p);
          Check(p);
        }
      }
    }
  }
}

TEST_P(ConvKernelTest, ExtremeCodesAndWeights) {
  // 229 channels is the most that F(4,3) certifies with all weights at +-127 and zero point 0.
  for (int in : {1, 32, 64, 200}) {
    for (int code : {-128, 127}) {
      for (int weight : {-127, 127}) {
        RandomProblem p;
        ProblemOptions options;
        options.values = seven_bits() ? Values::kInt7 : Values::kLargest;
        options.output_range = 100;
        FillRandomProblem(Shape3x3(1, 6, 7, in, 33, Padding::kSame), options, &random_, &p);
        p.problem.quantization.input_zero_point = 0;
        for (int8_t& c : p.input) c = static_cast<int8_t>(seven_bits() ? (code < 0 ? -64 : 63) : code);
        for (int8_t& w : p.filter) w = static_cast<int8_t>(one_dimensional() ? weight / 3 : weight);
        Check(p);
      }
    }
  }
}

TEST_P(ConvKernelTest, RandomExtremes) {
  for (int round = 0; round < 8; ++round) {
    RandomProblem p;
    ProblemOptions options;
    options.values = seven_bits() ? Values::kPlainInt7 : Values::kLargest;
    options.output_range = 2;
    FillRandomProblem(Shape3x3(1, 8, 8, 110, 32, Padding::kSame), options, &random_, &p);
    if (seven_bits()) {
      for (int8_t& c : p.input) c = random_() % 2 ? 63 : -64;
      const int8_t weight = direct_int7() && round % 2 ? 127 : 63;
      for (int8_t& w : p.filter) w = random_() % 2 ? weight : static_cast<int8_t>(-weight);
    }
    Check(p);
  }
}

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

// The line of requantization is shifted the other way on either side of zero where the scale is large.
TEST_P(ConvKernelTest, ScalesOfAHalfAndMore) {
  for (int round = 0; round < 24; ++round) {
    RandomProblem p;
    ProblemOptions options;
    options.values = ordinary();
    FillRandomProblem(depthwise() ? ShapeOf({1, 9, 9, 33, 33, 3, 3, 1, 1, 1, 1}) : Shape3x3(1, 9, 9, 2, 33, Padding::kSame), options,
                      &random_, &p);
    // Sums of few products, so that codes are not all at the ends.
    for (int8_t& w : p.filter) w = static_cast<int8_t>(w / 50 * 2);
    for (int32_t& bias : p.bias) bias /= 200;
    for (size_t k = 0; k < p.shift.size(); ++k) {
      p.multiplier[k] = static_cast<int32_t>((1u << 30) + random_() % (1u << 30));
      p.shift[k] = -static_cast<int>(random_() % 3);
    }
    Check(p);
    if (HasFatalFailure()) return;
  }
}

TEST_P(ConvKernelTest, HugeBiasesAndTinyScalesInSomeChannels) {
  for (int32_t huge : {1 << 30, -(1 << 30), 1 << 25, (1 << 25) - 1, 1 << 28}) {
    RandomProblem p;
    ProblemOptions options;
    options.values = ordinary();
    FillRandomProblem(Shape3x3(1, 9, 9, 20, 70, Padding::kSame), options, &random_, &p);
    for (int k : {3, 40, 69}) {
      p.bias[k] = huge;
      int shift;
      QuantizeMultiplier(40.0 / std::abs(static_cast<double>(huge)), &p.multiplier[k], &shift);
      p.shift[k] = shift;
    }
    Check(p);
  }
}

TEST_P(ConvKernelTest, WeightsBeyondTheBoundOfOneMultiplication) {
  // F(4,3) multiplies these in two to eight parts, some cout blocks only; F(2,3) the largest in two.
  if (seven_bits()) return;
  const bool f23 = GetParam().algorithm == Algorithm::kWinogradF23;
  for (int in : {116, 230, 333, 512, f23 ? 3700 : 700}) {
    for (int zero_point : {0, -128, 127}) {
      for (int code : {-128, 127, 0}) {
        RandomProblem p;
        ProblemOptions options;
        options.output_range = 60;
        FillRandomProblem(Shape3x3(1, 7, in < 300 ? 13 : 6, in, 70, Padding::kSame), options, &random_, &p);
        p.problem.quantization.input_zero_point = zero_point;
        // The middle of the output channels exceeds the bound, up to the last of them or not; others are ordinary.
        const size_t filter = p.problem.shape.filter_size();
        const int last = in % 2 ? 70 : 50;
        for (size_t i = 36 * filter; i < last * filter; ++i) p.filter[i] = static_cast<int8_t>(i / filter % 2 ? 127 : -127);
        if (code != 0) {
          for (int8_t& c : p.input) c = static_cast<int8_t>(code);
        }
        p.bias[40] = 1 << 29;
        p.bias[41] = -(1 << 26);
        p.bias[2] = 1 << 27;
        Check(p, 2);
      }
    }
  }
}

TEST_P(ConvKernelTest, MostNegativeWeight) {
  RandomProblem p;
  ProblemOptions options;
  FillRandomProblem(Shape3x3(1, 6, 6, 20, 32, Padding::kSame), options, &random_, &p);
  for (int8_t& w : p.filter) w = -128;
  Reason reason;
  PreparedConv conv;
  if (!conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 1, &reason)) {
    EXPECT_TRUE(seven_bits()) << reason.text;
    return;
  }
  CheckPrepared(p, conv, 1);
}

TEST_P(ConvKernelTest, ReshapeKeepsTheWeights) {
  RandomProblem p;
  ProblemOptions options;
  options.values = ordinary();
  FillRandomProblem(Shape3x3(1, 8, 8, 24, 40, Padding::kSame), options, &random_, &p);
  PreparedConv conv;
  Reason reason;
  ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 2, &reason)) << reason.text;
  for (int size : {3, 20, 7, 41}) {
    p.problem.shape = Shape3x3(size % 3 + 1, size, size + 2, 24, 40, Padding::kSame);
    const ConvShape& s = p.problem.shape;
    p.input.resize(static_cast<size_t>(s.batch) * s.input_height * s.input_width * s.input_channels);
    for (int8_t& code : p.input) code = static_cast<int8_t>(random_() % 128 - 64);
    conv.Reshape(s);
    CheckPrepared(p, conv, 2);
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

TEST_P(ConvKernelTest, OtherFiltersStridesAndDilations) {
  if (winograd()) {
    RandomProblem p;
    FillRandomProblem(Shape3x3(1, 8, 8, 8, 8, Padding::kSame), ProblemOptions(), &random_, &p);
    p.problem.shape.stride_width = 2;
    ResolvePadding(Padding::kSame, &p.problem.shape);
    PreparedConv conv;
    Reason reason;
    EXPECT_FALSE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 1, &reason));
    EXPECT_STREQ(reason.text, "not a 3x3 convolution with stride 1 and dilation 1");
    return;
  }
  for (int filter_height : {1, 2, 3, 5}) {
    for (int filter_width : {1, 3, 4, 7}) {
      for (int stride : {1, 2, 3}) {
        for (int dilation : {1, 2}) {
          const int in = 1 + static_cast<int>(random_() % 70);
          const int out = 1 + static_cast<int>(random_() % 40);
          ConvShape s = ShapeOf({2, 15, 17, in, out, filter_height, filter_width, stride, random_() % 2 ? stride : 1, dilation, dilation});
          ResolvePadding(random_() % 2 ? Padding::kSame : Padding::kValid, &s);
          RandomProblem p;
          ProblemOptions options;
          options.values = ordinary();
          FillRandomProblem(s, options, &random_, &p);
          Check(p, 2);
        }
      }
    }
  }
}

// What a kernel may take for itself: a fixed amount, and what it reads, writes and holds, padded to whole lines of channels.
void ExpectModestMemory(const ConvShape& s, const PreparedConv& conv, int workers) {
  constexpr size_t kFixed = 5 << 20;
  const size_t lines = static_cast<size_t>(s.filter_height) * s.filter_width * ((s.input_channels + 63) / 64);
  EXPECT_LE(conv.scratch_bytes(), workers * (kFixed + 64 * lines));
}

// Strides, dilations and filters that have little to do with the image: exact, and without memory for what lies outside it.
TEST_P(ConvKernelTest, FiltersFarLargerThanTheImage) {
  if (winograd()) return;
  const Geometry geometries[] = {
      {1, 40, 40, 64, 8, 3, 3, 1, 1, 32767, 1},
      {1, 12, 40, 20, 8, 3, 3, 1, 1, 1, 32767},
      {1, 9, 9, 3, 5, 3, 3, 1, 1, 1 << 29, 1 << 29},
      {1, 9, 9, 3, 5, 2, 2, 1, 1, 2147418000, 2147418000},
      {2, 7, 9, 17, 33, 3, 2, 1 << 30, 1 << 30, 1, 1},
      {1, 12, 12, 5, 3, 3, 3, 5, 7, 1 << 20, 11},
      {1, 1, 1, 1, 1, 1, 1000, 1, 1, 1, 1},
      {1, 1, 1, 1, 3, 1000, 1, 1, 1, 1, 1},
      {1, 1, 1, 3, 3, 999, 5, 1, 1, 2, 1000000},
      {1, 3, 2, 1, 1, 100, 200, 1, 1, 3, 5},
      {1, 1, 3, 1, 1, 1, 10000, 1, 1, 1, 2},
      {1, 300, 1, 4, 2, 200, 1, 100, 1, 1, 1},
      {1, 20, 80, 1, 2, 13, 70, 1, 1, 1, 1},
      {1, 64, 70, 2, 2, 40, 40, 30, 3, 1, 1},
  };
  for (const Geometry& geometry : geometries) {
    for (Padding padding : {Padding::kSame, Padding::kValid}) {
      ConvShape s = ShapeOf(geometry);
      if (!ResolvePadding(padding, &s)) continue;
      SCOPED_TRACE(testing::Message() << "filter " << s.filter_height << "x" << s.filter_width << " stride " << s.stride_height
                                      << "x" << s.stride_width << " dilation " << s.dilation_height << "x" << s.dilation_width);
      RandomProblem p;
      ProblemOptions options;
      options.values = direct_int7() ? Values::kPlainInt7 : Values::kInt8;
      FillRandomProblem(s, options, &random_, &p);
      PreparedConv conv;
      Reason reason;
      ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 2, &reason)) << reason.text;
      ExpectModestMemory(s, conv, 2);
      CheckPrepared(p, conv, 2);
    }
  }
}

TEST_P(ConvKernelTest, RandomGeometries) {
  if (winograd()) return;
  const auto up_to = [this](int most) { return 1 + static_cast<int>(random_() % static_cast<unsigned>(most)); };
  int checked = 0;
  for (int round = 0; round < 300; ++round) {
    const int far = up_to(4) == 1 ? 50 : 6;
    ConvShape s = ShapeOf({up_to(2), up_to(14), up_to(14), up_to(5) == 1 ? up_to(70) : up_to(5), up_to(36), up_to(7), up_to(7), up_to(far),
                           up_to(far), up_to(far), up_to(far)});
    if (!ResolvePadding(random_() % 2 ? Padding::kSame : Padding::kValid, &s)) continue;
    SCOPED_TRACE(testing::Message() << "filter " << s.filter_height << "x" << s.filter_width << " stride " << s.stride_height << "x"
                                    << s.stride_width << " dilation " << s.dilation_height << "x" << s.dilation_width);
    RandomProblem p;
    ProblemOptions options;
    options.values = direct_int7() ? Values::kPlainInt7 : Values::kInt8;
    FillRandomProblem(s, options, &random_, &p);
    Check(p, up_to(3));
    if (HasFatalFailure()) return;
    ++checked;
  }
  EXPECT_GT(checked, 100);
}

// Rows that are computed in segments, and codes that send one of them to the fallback.
TEST_P(ConvKernelTest, RowsTooLongForTheScratch) {
  const int width = GetParam().isa == Isa::kScalar ? 500 : 2503;
  for (int in : {3, 70}) {
    for (Padding padding : {Padding::kSame, Padding::kValid}) {
      RandomProblem p;
      ProblemOptions options;
      options.values = ordinary();
      FillRandomProblem(Shape3x3(1, padding == Padding::kSame ? 2 : 4, width, in, 5, padding), options, &random_, &p);
      PreparedConv conv;
      Reason reason;
      ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 2, &reason)) << reason.text;
      ExpectModestMemory(p.problem.shape, conv, 2);
      CheckPrepared(p, conv, 2);
      if (!seven_bits()) continue;
      p.input[p.input.size() / 2 + random_() % 1000] = -128;
      CheckPrepared(p, conv, 2);
    }
  }
}

// Each dimension may be 0. An empty output takes no work at all; without input channels the biases are left.
TEST_P(ConvKernelTest, EmptyTensors) {
  for (int ConvShape::*dimension : {&ConvShape::batch, &ConvShape::input_height, &ConvShape::input_width, &ConvShape::output_channels,
                                    &ConvShape::input_channels}) {
    for (int workers : {1, 4}) {
      ConvShape s = Shape3x3(2, 5, 6, 20, 34, Padding::kSame);
      s.*dimension = 0;
      if (depthwise() && s.input_channels == 0) s.output_channels = 0;
      ASSERT_TRUE(ResolvePadding(Padding::kSame, &s));
      RandomProblem p;
      ProblemOptions options;
      options.values = ordinary();
      FillRandomProblem(s, options, &random_, &p);
      PreparedConv conv;
      Reason reason;
      ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, workers, &reason)) << reason.text;
      CheckPrepared(p, conv, workers);
      const WorkPlan plan = FindKernel(GetParam().algorithm, GetParam().isa)->plan(s, workers);
      EXPECT_EQ(plan.units == 0, IsEmpty(s));
      if (IsEmpty(s)) {
        EXPECT_EQ(conv.scratch_bytes(), 0u);
        // Not even pointers.
        ShufflingPool pool(workers);
        conv.Run(nullptr, nullptr, nullptr, &pool);
      }
    }
  }
}

// As many images as int32 counts, of which there are none.
TEST_P(ConvKernelTest, MoreImagesThanCanBeCountedWithoutAnything) {
  for (int ConvShape::*dimension : {&ConvShape::input_height, &ConvShape::input_width, &ConvShape::output_channels}) {
    ConvShape s = Shape3x3(1, 5, 6, 20, 34, Padding::kSame);
    RandomProblem p;
    ProblemOptions options;
    options.values = ordinary();
    FillRandomProblem(s, options, &random_, &p);
    s.batch = INT32_MAX;
    s.*dimension = 0;
    if (depthwise() && s.output_channels == 0) s.input_channels = 0;
    ASSERT_TRUE(ResolvePadding(Padding::kSame, &s));
    p.problem.shape = s;
    PreparedConv conv;
    Reason reason;
    ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 2, &reason)) << reason.text;
    EXPECT_EQ(conv.units(), 0);
    EXPECT_EQ(conv.scratch_bytes(), 0u);
  }
}

// What transposed convolutions are made of: outputs of any size, behind any padding.
TEST_P(ConvKernelTest, OutputsThatEndAnywhere) {
  if (GetParam().algorithm != Algorithm::kDirect) return;
  const auto up_to = [this](int most) { return 1 + static_cast<int>(random_() % static_cast<unsigned>(most)); };
  for (int round = 0; round < 150; ++round) {
    ConvShape s = ShapeOf({up_to(2), up_to(9), up_to(9), up_to(40), up_to(40), up_to(3), up_to(3), 1, 1, 1, 1});
    s.output_height = up_to(12);
    s.output_width = up_to(12);
    s.pad_top = up_to(s.filter_height) - 1;
    s.pad_left = up_to(s.filter_width) - 1;
    SCOPED_TRACE(testing::Message() << "filter " << s.filter_height << "x" << s.filter_width << " padding " << s.pad_top << "x"
                                    << s.pad_left << " output " << s.output_height << "x" << s.output_width);
    RandomProblem p;
    FillRandomProblem(s, {}, &random_, &p);
    Check(p, up_to(3));
    if (HasFatalFailure()) return;
  }
}

// A filter without rows or columns, where TFLite's formulas still give an output.
TEST_P(ConvKernelTest, EmptyFilters) {
  if (winograd()) return;
  for (int ConvShape::*dimension : {&ConvShape::filter_height, &ConvShape::filter_width}) {
    ConvShape s = Shape3x3(1, 5, 6, 20, 34, Padding::kSame);
    s.*dimension = 0;
    ASSERT_TRUE(ResolvePadding(Padding::kSame, &s));
    RandomProblem p;
    ProblemOptions options;
    options.values = direct_int7() ? Values::kPlainInt7 : Values::kInt8;
    options.output_range = 100;
    FillRandomProblem(s, options, &random_, &p);
    Check(p, 2);
  }
}

// There and back: plans of one shape leave nothing to the next.
TEST_P(ConvKernelTest, ReshapesToEmptyAndBack) {
  RandomProblem p;
  ProblemOptions options;
  options.values = ordinary();
  FillRandomProblem(Shape3x3(1, 8, 8, 24, 40, Padding::kSame), options, &random_, &p);
  const std::vector<int8_t> input = p.input;
  PreparedConv conv;
  Reason reason;
  ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 2, &reason)) << reason.text;
  for (int batch : {0, 1, 0, 1}) {
    p.problem.shape = Shape3x3(batch, 8, 8, 24, 40, Padding::kSame);
    p.input = batch == 0 ? std::vector<int8_t>() : input;
    conv.Reshape(p.problem.shape);
    CheckPrepared(p, conv, 2);
  }
}

// Every kernel but the reference computes either depthwise convolutions or the others.
TEST_P(ConvKernelTest, RefusesTheOtherKind) {
  if (GetParam().algorithm == Algorithm::kReference) return;
  ConvShape s = Shape3x3(1, 8, 8, 16, 16, Padding::kSame);
  s.depthwise = !s.depthwise;
  RandomProblem p;
  ProblemOptions options;
  options.values = ordinary();
  FillRandomProblem(s, options, &random_, &p);
  PreparedConv conv;
  Reason reason;
  EXPECT_FALSE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 1, &reason));
  EXPECT_STREQ(reason.text, depthwise() ? "not a depthwise convolution" : "a depthwise convolution, which kernel depthwise computes");
}

// Blocks of few channels take columns from several parts of a row, and tiles a few at a time: all remainders of both.
TEST_P(ConvKernelTest, RowsOfEveryLengthAndChannelBlock) {
  if (!depthwise()) return;
  for (int channels : {4, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128}) {
    for (int width = 1; width <= 35; width += width < 18 ? 1 : 3) {
      for (int stride : {1, 2}) {
        for (int filter : {3, 5}) {
          ConvShape s = ShapeOf({1, 4, width, channels, channels, filter, filter, stride, stride, 1, 1});
          ResolvePadding(Padding::kSame, &s);
          RandomProblem p;
          ProblemOptions options;
          options.relu = width % 2 == 0;
          FillRandomProblem(s, options, &random_, &p);
          Check(p);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(ConvKernelTest, DepthMultipliers) {
  if (!depthwise()) return;
  for (int channels : {1, 2, 3, 5, 8, 16, 17, 33}) {
    for (int multiplier : {2, 3, 4, 7, 8, 16, 40}) {
      for (int stride : {1, 2, 3}) {
        ConvShape s = ShapeOf({1, 9, 11, channels, channels * multiplier, 3, 3, stride, stride, 1, 1});
        ResolvePadding(Padding::kSame, &s);
        RandomProblem p;
        FillRandomProblem(s, ProblemOptions(), &random_, &p);
        Check(p, 2);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// How many products are summed in 16 bits depends on codes, row by row, and on weights: every case at its extremes.
TEST_P(ConvKernelTest, DepthwiseSumsInSixteenBits) {
  if (!depthwise()) return;
  struct Window {
    int low, high;
  };
  for (const Window& window : {Window{-64, 63}, Window{0, 127}, Window{-128, 127}, Window{-65, 63}, Window{-64, 64}, Window{-1, 127}}) {
    for (int zero_point : {window.low, 0, window.high}) {
      for (int weight : {-128, -127, 127}) {
        for (int filter : {3, 5, 2}) {
          ConvShape s = ShapeOf({1, 11, 13, 40, 40, filter, filter, 1 + filter % 2, 1, 1, 1});
          ResolvePadding(Padding::kSame, &s);
          RandomProblem p;
          ProblemOptions options;
          options.output_range = 20;
          FillRandomProblem(s, options, &random_, &p);
          p.problem.quantization.input_zero_point = zero_point;
          // The last weight of a channel is not the first to be looked at.
          for (int8_t& w : p.filter) w = static_cast<int8_t>(weight == -128 ? -127 : weight);
          if (weight == -128) std::fill(p.filter.end() - 2 * 40, p.filter.end(), int8_t{-128});
          // Rows at one end of the window, at the other, and in between; what leaves seven bits is in a single row.
          for (size_t i = 0; i < p.input.size(); ++i) {
            const size_t row = i / (13 * 40);
            const int inner = window.low == -1 ? 0 : window.low < -64 && window.high == 63 ? -64 : window.low;
            const int most = window.low == -64 && window.high == 64 ? 63 : window.high;
            p.input[i] = static_cast<int8_t>(row < 4 ? inner : row < 7 ? most : random_() % 2 != 0 ? inner : most);
          }
          p.input[(5 * 13 + 3) * 40 + 7] = static_cast<int8_t>(window.low);
          p.input[(5 * 13 + 4) * 40 + 39] = static_cast<int8_t>(window.high);
          Check(p, 2);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// Dilated rows that one ring holds, and rows so far apart that it holds no others.
TEST_P(ConvKernelTest, DilationsOnTallImages) {
  if (!depthwise()) return;
  for (int dilation : {2, 3, 4, 12, 31, 33, 60, 66}) {
    for (int stride : {1, 2, 3}) {
      ConvShape s = ShapeOf({1, 150, 9, 20, 20, 3, 3, stride, 1, dilation, 1 + dilation % 3});
      ResolvePadding(dilation % 2 ? Padding::kSame : Padding::kValid, &s);
      RandomProblem p;
      FillRandomProblem(s, ProblemOptions(), &random_, &p);
      Check(p, 1 + dilation % 2);
      if (HasFatalFailure()) return;
    }
  }
}

// Rows that cannot be shared out evenly: kernels may divide output channels instead.
TEST_P(ConvKernelTest, SmallImagesWithManyChannelsForSeveralWorkers) {
  for (int workers : {2, 3, 4}) {
    for (int batch : {1, 2}) {
      for (int out : {32, 65, 100, 200}) {
        for (int filter : {1, 3}) {
          if (filter == 1 && winograd()) continue;
          ConvShape s = ShapeOf({batch, 5, 7, depthwise() ? out : 12, out, filter, filter, 1, 1, 1, 1});
          ResolvePadding(Padding::kSame, &s);
          ProblemOptions options;
          options.values = ordinary();
          RandomProblem p;
          FillRandomProblem(s, options, &random_, &p);
          Check(p, workers);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// Accumulators that a line gets wrong (requantize_float.h) come once in some hundred thousand: here every output channel has one, and a
// pixel whose neighbourhood leads to it.
TEST_P(ConvKernelTest, AccumulatorsThatAreExceptions) {
  constexpr int kBlocks = 7;
  constexpr int kSize = 3 * kBlocks;
  for (const int channels : {48, 16}) {  // in blocks, and few enough for kernels that have a way of their own for few
    RandomProblem p;
    const ConvShape s = Shape3x3(1, kSize, kSize, depthwise() ? channels : 8, channels, Padding::kSame);
    ProblemOptions options;
    options.values = ordinary();
    FillRandomProblem(s, options, &random_, &p);
    ConvQuantization& q = p.problem.quantization;
    q.input_zero_point = 0;
    q.output_zero_point = -128;
    q.activation_min = -128;
    q.activation_max = 127;
    // Weights of 2 in the middle of the first input channel, and of 30 to its left and right.
    const int inputs = s.filter_channels();
    for (size_t i = 0; i < p.filter.size(); ++i) {
      const size_t tap = depthwise() ? i / channels : i / inputs % 9;
      p.filter[i] = static_cast<int8_t>(tap % 3 != 1 ? 30 : tap == 4 && (depthwise() || i % inputs == 0) ? 2 : 0);
    }
    std::fill(p.input.begin(), p.input.end(), 0);
    for (int c = 0; c < channels; ++c) {
      bool led = false;
      for (int tries = 0; tries < 20000 && !led; ++tries) {
        int shift;
        QuantizeMultiplier(std::exp2(-8.5 - static_cast<int>(random_() % 2000) / 1000.0), &p.multiplier[c], &shift);
        p.shift[c] = shift;
        p.bias[c] = static_cast<int>(random_() % 2);
        RequantizeLine line;
        if (!FindRequantizeLine(q, c, ChannelRange(p.problem, c), &line) || line.exceptions == 0) continue;
        const int wanted = line.exception[random_() % line.exceptions] - p.bias[c];
        int left = wanted / 30;
        const int middle = wanted - 30 * left;
        if (middle % 2 != 0 || std::abs(left) > 6 * inputs * 60) continue;
        for (int tap = 0; tap < 9; ++tap) {
          const int pixel = (c / kBlocks * 3 + tap / 3) * kSize + c % kBlocks * 3 + tap % 3;
          for (int i = 0; i < inputs; ++i) {
            int code = 0;
            if (tap % 3 != 1) {
              code = std::min(std::max(left, -60), 60);
              left -= code;
            } else if (tap == 4 && i == 0) {
              code = middle / 2;
            }
            p.input[static_cast<size_t>(pixel) * s.input_channels + (depthwise() ? c : i)] = static_cast<int8_t>(code);
          }
        }
        led = true;
      }
      ASSERT_TRUE(led);
    }
    Check(p);
    if (HasFatalFailure()) return;
  }
}

std::vector<Target> Targets() {
  std::vector<Target> targets;
  for (int a = 0; a < kAlgorithmCount; ++a) {
    for (int i = 0; i < kIsaCount; ++i) {
      const Algorithm algorithm = static_cast<Algorithm>(a);
      const Isa isa = static_cast<Isa>(i);
      if (FindKernel(algorithm, isa) == nullptr) continue;
      if (algorithm != Algorithm::kDepthwise) targets.push_back({algorithm, isa, false});
      if (algorithm == Algorithm::kDepthwise || algorithm == Algorithm::kReference) targets.push_back({algorithm, isa, true});
    }
  }
  return targets;
}

INSTANTIATE_TEST_SUITE_P(AllKernels, ConvKernelTest, ::testing::ValuesIn(Targets()),
                         [](const ::testing::TestParamInfo<Target>& info) { return Name(info.param); });

}  // namespace
}  // namespace tflite_eq
