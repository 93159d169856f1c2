// The oracle's arithmetic, spelled out as TFLite's reference code does, against the closed forms used here; and the vector forms
// against the scalar one on the values where roundings meet.
#include "delegate/kernels/requantize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "delegate/kernels/requantize_float.h"
#include "delegate/kernels/requantize_vectors_for_test.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

// gemmlowp's definitions, kept apart from the implementation on purpose: division truncates, the nudge depends on the sign.
int32_t OracleDoublingHighMul(int32_t a, int32_t b) {
  if (a == b && a == std::numeric_limits<int32_t>::min()) return std::numeric_limits<int32_t>::max();
  const int64_t product = static_cast<int64_t>(a) * b;
  const int64_t nudge = product >= 0 ? (int64_t{1} << 30) : 1 - (int64_t{1} << 30);
  return static_cast<int32_t>((product + nudge) / (int64_t{1} << 31));
}

int32_t OracleDivideByPot(int32_t x, int exponent) {
  const double exact = static_cast<double>(x) / std::exp2(exponent);
  return static_cast<int32_t>(std::round(exact));  // half away from zero
}

int32_t Oracle(int32_t x, int32_t multiplier, int shift) {
  const int32_t shifted = static_cast<int32_t>(static_cast<uint32_t>(x) << (shift > 0 ? shift : 0));
  return OracleDivideByPot(OracleDoublingHighMul(shifted, multiplier), shift > 0 ? 0 : -shift);
}

const std::vector<int32_t>& InterestingMultipliers() {
  static const std::vector<int32_t> values = {1 << 30, (1 << 30) + 1, 1518500250, 1431655765, 2147483647, 2147483646};
  return values;
}

TEST(MultiplyByQuantizedMultiplier, MatchesTheOracleEverywhere) {
  std::mt19937 random(1);
  for (int32_t multiplier : InterestingMultipliers()) {
    for (int shift = -31; shift <= 8; ++shift) {
      for (int i = 0; i < 2000; ++i) {
        const int32_t x = static_cast<int32_t>(random()) >> (random() % 32);
        ASSERT_EQ(MultiplyByQuantizedMultiplier(x, multiplier, shift), Oracle(x, multiplier, shift))
            << x << " " << multiplier << " " << shift;
      }
      for (int32_t x : {0, 1, -1, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()}) {
        ASSERT_EQ(MultiplyByQuantizedMultiplier(x, multiplier, shift), Oracle(x, multiplier, shift));
      }
    }
  }
}

// One channel: the oracle's code of every accumulator that the magnitude allows.
struct OneChannel {
  ConvQuantization quantization;
  int32_t multiplier;
  int32_t shift;

  int Code(int32_t acc) const {
    const int code = Oracle(acc, multiplier, shift) + quantization.output_zero_point;
    return std::min(std::max(code, int{quantization.activation_min}), int{quantization.activation_max});
  }
};

// As vectors compute it.
int CodeByLine(const RequantizeLine& line, const ConvQuantization& q, int32_t acc) {
  for (int i = 0; i < RequantizeLine::kMostExceptions; ++i) {
    if (acc == line.exception[i]) {
      acc = line.substitute[i];
      break;
    }
  }
  const float half = acc < 0 ? -line.half : line.half;
  const float v = std::fma(static_cast<float>(acc), line.scale, line.offset + half);
  // Vectors saturate before they clamp.
  const int code = static_cast<int>(std::lrint(std::min(std::max(v, -1000.0f), 1000.0f)));
  return std::min(std::max(code, int{q.activation_min}), int{q.activation_max});
}

TEST(RequantizeLine, IsExactForEveryAccumulatorWhereItIsFound) {
  std::mt19937 random(1);
  int found = 0, left_shifts = 0;
  int with_exceptions[RequantizeLine::kMostExceptions + 1] = {};
  constexpr int kRounds = 400;
  for (int round = 0; round < kRounds; ++round) {
    OneChannel channel;
    int shift;
    QuantizeMultiplier(std::exp2(2.0 - static_cast<int>(random() % 1200) / 100.0), &channel.multiplier, &shift);
    if (round % 5 == 0) channel.multiplier = InterestingMultipliers()[random() % InterestingMultipliers().size()];
    channel.shift = shift;
    ConvQuantization& q = channel.quantization;
    q.multiplier = &channel.multiplier;
    q.shift = &channel.shift;
    q.output_zero_point = static_cast<int>(random() % 256) - 128;
    q.activation_min = round % 3 == 0 ? -128 : q.output_zero_point;
    q.activation_max = round % 2 == 0 ? 127 : std::min(127, q.activation_min + 200);
    AccumulatorRange range = {-(1 << (6 + random() % 12)), 1 << (6 + random() % 12)};
    if (round % 4 == 0) {  // where lines begin to have exceptions
      QuantizeMultiplier(std::exp2(-8.5 - static_cast<int>(random() % 150) / 100.0), &channel.multiplier, &channel.shift);
      range = {-(1 << 18), 1 << 18};
      q.activation_min = -128;
      q.activation_max = 127;
    }
    RequantizeLine line;
    if (!FindRequantizeLine(q, 0, range, &line)) continue;
    ++found;
    ++with_exceptions[line.exceptions];
    left_shifts += channel.shift > 0 && line.scale > 0;
    for (int64_t acc = range.min; acc <= range.max; ++acc) {
      ASSERT_EQ(CodeByLine(line, q, static_cast<int32_t>(acc)), channel.Code(static_cast<int32_t>(acc)))
          << acc << " * " << channel.multiplier << " * 2^" << channel.shift << " zero point " << q.output_zero_point;
    }
  }
  EXPECT_GT(found, kRounds * 9 / 10) << "kernels are as fast as lines are found";
  EXPECT_GT(with_exceptions[1], 5);
  EXPECT_GT(with_exceptions[2], 0);
  EXPECT_GT(left_shifts, kRounds / 20);
}

// Where a channel is its bias, say: the largest accumulator may lie right before a step that no line was fitted to.
TEST(RequantizeLine, TakesNoStepThatLiesBeyondWhatAccumulatorsReach) {
  std::mt19937 random(2);
  int found = 0;
  for (int round = 0; round < 20000; ++round) {
    OneChannel channel;
    int shift;
    QuantizeMultiplier(std::exp2(-12.0 - static_cast<int>(random() % 1000) / 100.0), &channel.multiplier, &shift);
    channel.shift = shift;
    ConvQuantization& q = channel.quantization;
    q.multiplier = &channel.multiplier;
    q.shift = &channel.shift;
    q.output_zero_point = static_cast<int>(random() % 256) - 128;
    // Half a code beyond a whole number of them, near enough.
    const double scale = std::ldexp(channel.multiplier, channel.shift - 31);
    const double step = (static_cast<int>(random() % 100) + 0.5) / scale;
    const auto magnitude = static_cast<int32_t>(step) + static_cast<int32_t>(random() % 7) - 3;
    RequantizeLine line;
    if (magnitude < 4 || !FindRequantizeLine(q, 0, {-magnitude, magnitude}, &line)) continue;
    ++found;
    for (int i = 0; i < 8; ++i) {
      const int32_t acc = (i % 2 == 0 ? 1 : -1) * (magnitude - i / 2);
      ASSERT_EQ(CodeByLine(line, q, acc), channel.Code(acc))
          << acc << " * " << channel.multiplier << " * 2^" << channel.shift << " zero point " << q.output_zero_point;
    }
  }
  EXPECT_GT(found, 0);
}

// One that training left nearly constant has few steps, far from zero, whose accumulators are hardly further apart than floats.
TEST(RequantizeLine, OfAChannelWithFewStepsIsExact) {
  std::mt19937 random(3);
  int found = 0;
  constexpr int kRounds = 100;
  for (int round = 0; round < kRounds; ++round) {
    OneChannel channel;
    QuantizeMultiplier(std::exp2(-16.5) * (1 + static_cast<int>(random() % 100) / 300.0), &channel.multiplier, &channel.shift);
    ConvQuantization& q = channel.quantization;
    q.multiplier = &channel.multiplier;
    q.shift = &channel.shift;
    q.output_zero_point = -128;
    q.activation_min = -128;
    const int64_t least = 800000 + static_cast<int>(random() % 200000);
    const AccumulatorRange range = {least, least + 400000};
    RequantizeLine line;
    if (!FindRequantizeLine(q, 0, range, &line)) continue;
    ++found;
    for (int64_t acc = range.min; acc <= range.max; ++acc) {
      ASSERT_EQ(CodeByLine(line, q, static_cast<int32_t>(acc)), channel.Code(static_cast<int32_t>(acc)))
          << acc << " * " << channel.multiplier << " * 2^" << channel.shift;
    }
  }
  EXPECT_GT(found, kRounds * 9 / 10);
}

// A channel that training left all but zero has a tiny scale and a large bias, or none of either.
TEST(RequantizeLine, OfAChannelWithOneCodeIsThatCode) {
  OneChannel channel = {{}, 1204481003, -23};
  ConvQuantization& q = channel.quantization;
  q.multiplier = &channel.multiplier;
  q.shift = &channel.shift;
  q.output_zero_point = -100;
  q.activation_min = -100;
  constexpr int64_t kBias = -(int64_t{1} << 30);
  RequantizeLine line;
  ASSERT_TRUE(FindRequantizeLine(q, 0, {kBias - 9000, kBias + 9000}, &line));
  EXPECT_EQ(line.scale, 0);
  EXPECT_EQ(line.offset, -100);
  channel.multiplier = 0;
  ASSERT_TRUE(FindRequantizeLine(q, 0, {-1000, 1000}, &line));
  EXPECT_EQ(line.offset, -100);
}

TEST(RequantizeLine, IsNotFoundWhereTheOracleIsNoLine) {
  OneChannel channel = {{}, 1 << 30, -6};
  channel.quantization.multiplier = &channel.multiplier;
  channel.quantization.shift = &channel.shift;
  RequantizeLine line;
  EXPECT_TRUE(FindRequantizeLine(channel.quantization, 0, {-(1 << 16), 1 << 16}, &line));
  EXPECT_FALSE(FindRequantizeLine(channel.quantization, 0, {-(1 << 24), 1 << 24}, &line)) << "accumulators that are no floats";
  channel.shift = 8;
  EXPECT_TRUE(FindRequantizeLine(channel.quantization, 0, {-1000, 1000}, &line));
  EXPECT_FALSE(FindRequantizeLine(channel.quantization, 0, {-(1 << 23), 1 << 23}, &line)) << "the left shift wraps";
  channel.shift = 9;
  EXPECT_FALSE(FindRequantizeLine(channel.quantization, 0, {-1000, 1000}, &line));
}

TEST(QuantizeMultiplier, RoundTripsAndNormalizes) {
  for (double scale : {1.0, 0.5, 0.25, 0.75, 1.0 / 3, 1e-3, 0.9999999999, 3.7, 1e-12}) {
    int32_t multiplier;
    int shift;
    QuantizeMultiplier(scale, &multiplier, &shift);
    if (multiplier != 0) {
      EXPECT_GE(multiplier, 1 << 30);
      EXPECT_NEAR(std::ldexp(multiplier, shift - 31) / scale, 1.0, 1e-9);
    } else {
      EXPECT_LT(scale, 1e-9);
    }
  }
  int32_t multiplier;
  int shift;
  QuantizeMultiplier(0.0, &multiplier, &shift);
  EXPECT_EQ(multiplier, 0);
  EXPECT_EQ(shift, 0);
}

TEST(EffectiveScale, IsFormedInDoublePrecision) {
  const float a = 0.1f, b = 0.3f, c = 0.7f;
  EXPECT_EQ(EffectiveScale(a, b, c), static_cast<double>(a) * static_cast<double>(b) / static_cast<double>(c));
}

TEST(ActivationRange, FollowsTheFusedActivation) {
  int32_t low, high;
  ActivationRange(Activation::kNone, 0.1f, 5, &low, &high);
  EXPECT_EQ(low, -128);
  EXPECT_EQ(high, 127);
  ActivationRange(Activation::kRelu, 0.1f, 5, &low, &high);
  EXPECT_EQ(low, 5);
  EXPECT_EQ(high, 127);
  ActivationRange(Activation::kRelu6, 0.1f, -20, &low, &high);
  EXPECT_EQ(low, -20);
  EXPECT_EQ(high, 40);
  ActivationRange(Activation::kRelu6, 0.01f, -128, &low, &high);
  EXPECT_EQ(high, 127);
  ActivationRange(Activation::kReluN1To1, 0.02f, 0, &low, &high);
  EXPECT_EQ(low, -50);
  EXPECT_EQ(high, 50);
}

// One problem of 16 channels whose accumulators stay below `magnitude`.
struct Constants {
  std::vector<int32_t> multiplier, shift;
  std::vector<int64_t> magnitudes;
  ConvQuantization quantization;
  Requantization requantization;

  bool Prepare(int32_t m, int s, int32_t zero_point, int64_t magnitude) {
    multiplier.assign(16, m);
    shift.assign(16, s);
    magnitudes.assign(16, magnitude);
    quantization.multiplier = multiplier.data();
    quantization.shift = shift.data();
    quantization.output_zero_point = zero_point;
    return requantization.Prepare(quantization, 16, magnitudes.data(), nullptr);
  }
};

// Accumulators at and around every rounding boundary of small outputs, and at the ends of the range.
std::vector<int32_t> Boundaries(int32_t multiplier, int shift, int32_t magnitude) {
  const double scale = std::ldexp(multiplier, shift - 31);
  std::vector<int32_t> values = {magnitude, -magnitude, magnitude - 1, 1 - magnitude, 0, 1, -1};
  for (int twice = -300; twice <= 300; ++twice) {
    const double at = twice / 2.0 / scale;
    if (std::fabs(at) > magnitude - 4) continue;
    for (int offset = -2; offset <= 2; ++offset) values.push_back(static_cast<int32_t>(std::lround(at)) + offset);
  }
  while (values.size() % 16 != 0) values.push_back(0);
  return values;
}

class VectorRequantize : public ::testing::TestWithParam<VectorRequantizeFunction> {};

TEST_P(VectorRequantize, MatchesScalarAtEveryRoundingBoundary) {
  if (!CpuSupports(GetParam().isa)) GTEST_SKIP();
  std::mt19937 random(2);
  int fast = 0;
  for (int32_t multiplier : InterestingMultipliers()) {
    for (int shift = -20; shift <= 0; ++shift) {
      for (int32_t zero_point : {-128, -1, 0, 1, 127}) {
        for (int bits : {10, 20, 24, 25, 27, 28}) {
          const int32_t magnitude = (1 << bits) - 2;
          Constants constants;
          ASSERT_TRUE(constants.Prepare(multiplier, shift, zero_point, magnitude));
          if (constants.requantization.pre_shift(0) == 0) continue;
          ++fast;
          std::vector<int32_t> acc = Boundaries(multiplier, shift, magnitude);
          for (int i = 0; i < 16; ++i) acc.push_back(static_cast<int32_t>(random() % (2u * magnitude)) - magnitude);
          std::vector<int32_t> z(acc.size());
          GetParam().function(constants.requantization, acc.data(), static_cast<int>(acc.size()), z.data());
          for (size_t i = 0; i < acc.size(); ++i) {
            ASSERT_EQ(z[i], MultiplyByQuantizedMultiplier(acc[i], multiplier, shift) + zero_point)
                << "acc " << acc[i] << " multiplier " << multiplier << " shift " << shift << " zero point " << zero_point;
          }
        }
      }
    }
  }
  EXPECT_GT(fast, 1000) << "the fast form should cover ordinary scales";
}

TEST_P(VectorRequantize, GeneralFormMatchesScalarEverywhere) {
  if (!CpuSupports(GetParam().isa)) GTEST_SKIP();
  std::mt19937 random(3);
  for (int32_t multiplier : InterestingMultipliers()) {
    for (int shift = -31; shift <= 8; ++shift) {
      Constants constants;
      ASSERT_TRUE(constants.Prepare(multiplier, shift, -7, int64_t{1} << 31));
      ASSERT_EQ(constants.requantization.pre_shift(0), 0);
      std::vector<int32_t> acc = Boundaries(multiplier, shift, std::numeric_limits<int32_t>::max());
      for (int32_t extreme : {std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min(), 0, -1}) {
        acc.push_back(extreme);
      }
      while (acc.size() % 64 != 0) acc.push_back(static_cast<int32_t>(random()) >> (random() % 32));
      std::vector<int32_t> z(acc.size());
      GetParam().function(constants.requantization, acc.data(), static_cast<int>(acc.size()), z.data());
      for (size_t i = 0; i < acc.size(); ++i) {
        // Far outside int8 a vector form may clamp.
        const auto near = [](int64_t value) { return std::clamp(value, int64_t{-1000000}, int64_t{1000000}); };
        const int64_t exact = int64_t{MultiplyByQuantizedMultiplier(acc[i], multiplier, shift)} - 7;
        ASSERT_EQ(near(z[i]), near(exact)) << "acc " << acc[i] << " multiplier " << multiplier << " shift " << shift;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, VectorRequantize, ::testing::ValuesIn(VectorRequantizeFunctions()),
                         [](const auto& info) { return std::string(IsaName(info.param.isa)); });

TEST(Requantization, RefusesTheFastFormWhereItWouldOverflow) {
  Constants constants;
  ASSERT_TRUE(constants.Prepare(1 << 30, 1, 0, 1000));
  EXPECT_EQ(constants.requantization.pre_shift(0), 0) << "scales above one need the left shift";
  ASSERT_TRUE(constants.Prepare(1 << 30, -8, 0, int64_t{1} << 30));
  EXPECT_EQ(constants.requantization.pre_shift(0), 0) << "no room for a pre-shift";
  ASSERT_TRUE(constants.Prepare(1 << 30, -30, 127, 1000));
  EXPECT_EQ(constants.requantization.pre_shift(0), 0) << "the zero point would overflow the numerator";
  ASSERT_TRUE(constants.Prepare(1 << 30, -8, 127, (int64_t{1} << 25) - 2));
  EXPECT_EQ(constants.requantization.pre_shift(0), 6);
  ASSERT_TRUE(constants.Prepare(1 << 30, -8, 127, int64_t{1} << 26));
  EXPECT_LT(constants.requantization.pre_shift(0), 6);
}

}  // namespace
}  // namespace tflite_eq
