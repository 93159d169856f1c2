// Zero points, scales, biases, activations, and codes and weights at the ends of what they may be.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "delegate/kernels/conv_kernel_fixture.h"
#include "delegate/kernels/requantize_float.h"

namespace tflite_eq {
namespace {

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

}  // namespace
}  // namespace tflite_eq
