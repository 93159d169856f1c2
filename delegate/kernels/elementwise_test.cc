// Tables, sums, products and functions of a code and its channel.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "delegate/kernels/code_lines.h"
#include "delegate/kernels/elementwise_fixture.h"
#include "delegate/ops/reference/add.h"
#include "delegate/ops/reference/mul.h"
#include "delegate/ops/reference/prelu.h"

namespace tflite_eq {
namespace {

// All pairs of codes, in two tensors.
void AllPairs(Codes* first, Codes* second) {
  for (int a = -128; a < 128; ++a) {
    for (int b = -128; b < 128; ++b) {
      first->push_back(static_cast<int8_t>(a));
      second->push_back(static_cast<int8_t>(b));
    }
  }
}

Activation AnyActivation(Random* random) {
  return random->Pick({Activation::kNone, Activation::kNone, Activation::kRelu, Activation::kRelu6, Activation::kReluN1To1});
}

TEST_P(Elementwise, LooksUpEveryCode) {
  Random random(1);
  for (size_t count = 0; count < 400; count += count < 200 ? 1 : 37) {
    const Codes table = random.Fill(256);
    Codes input = random.Fill(count);
    for (size_t i = 0; i < count && i < 256; ++i) input[i] = static_cast<int8_t>(i + count);
    Codes expected;
    for (int8_t code : input) expected.push_back(table[static_cast<size_t>(code + 128)]);
    Placed from(input, count % 5), to(Codes(count), count % 7);
    kernels().look_up(table.data(), from.data(), to.data(), count);
    ASSERT_EQ(to.codes(), expected) << count;
    ASSERT_TRUE(to.is_untouched_before());
    kernels().look_up(table.data(), from.data(), from.data(), count);
    ASSERT_EQ(from.codes(), expected) << count << " in place";
  }
}

TEST_P(Elementwise, AddsAnyScales) {
  Random random(2);
  Codes first, second;
  AllPairs(&first, &second);
  int runs = 0;
  for (int i = 0; i < 120; ++i) {
    const float scale = random.Scale(-10, 2);
    // Equal scales, half of each other, and all kinds, to where one side is nothing.
    const float other = scale * random.Pick({1.0f, 0.5f, 2.0f, random.Scale(-3, 3), random.Scale(-30, 30)});
    const float larger = std::max(scale, other);
    const float result = larger * random.Pick({1.0f, 2.0f, random.Scale(-2, 3), random.Scale(-18, 14)});
    AddConstants c;
    if (!MakeAddConstants({scale, random.Code()}, {other, random.Code()}, {result, random.Code()}, AnyActivation(&random),
                          i % 3 == 0, &c)) {
      continue;
    }
    Codes expected(first.size());
    ReferenceAdd(c, first.data(), second.data(), expected.data(), first.size());
    Codes output(first.size());
    kernels().add(c, first.data(), second.data(), output.data(), first.size());
    ASSERT_EQ(output, expected) << "scales " << scale << ' ' << other << ' ' << result;
    ++runs;
  }
  EXPECT_GE(runs, 100);
}

TEST_P(Elementwise, MultipliesAnyScales) {
  Random random(3);
  Codes first, second;
  AllPairs(&first, &second);
  int runs = 0;
  for (int i = 0; i < 120; ++i) {
    const float scale = random.Scale(-10, 2), other = random.Scale(-10, 2);
    const float result = scale * other * random.Pick({1.0f, 32.5f, 128.0f, random.Scale(3, 9), random.Scale(-5, 36)});
    MulConstants c;
    if (!MakeMulConstants({scale, random.Code()}, {other, random.Code()}, {result, random.Code()}, AnyActivation(&random), &c)) {
      continue;
    }
    Codes expected(first.size());
    ReferenceMul(c, first.data(), second.data(), expected.data(), first.size());
    Codes output(first.size());
    kernels().mul(c, first.data(), second.data(), output.data(), first.size());
    ASSERT_EQ(output, expected) << "scales " << scale << ' ' << other << ' ' << result;
    ++runs;
  }
  EXPECT_GE(runs, 100);
}

std::vector<int16_t> Slopes(Random* random, int channels) {
  std::vector<int16_t> slopes(static_cast<size_t>(channels));
  const int zero_point = random->Pick({0, 0, -128, 127});
  for (int16_t& slope : slopes) slope = static_cast<int16_t>(random->Code() - zero_point);
  return slopes;
}

void ExpectPrelu(const ElementwiseKernels& kernels, const PreluConstants& c, const std::vector<int16_t>& slopes,
                 const Codes& input, const std::string& what) {
  const int channels = static_cast<int>(slopes.size());
  const size_t pixels = input.size() / slopes.size();
  Codes expected(input.size());
  ReferencePrelu(c, slopes.data(), input.data(), expected.data(), pixels, channels);
  Placed from(input, pixels % 5), to(Codes(input.size()), 3);
  kernels.prelu(c, slopes.data(), from.data(), to.data(), pixels, channels);
  ASSERT_EQ(to.codes(), expected) << what;
  ASSERT_TRUE(to.is_untouched_before());
  kernels.prelu(c, slopes.data(), from.data(), from.data(), pixels, channels);
  ASSERT_EQ(from.codes(), expected) << what << " in place";
}

// Every shift there is, in every place where a scale stands, with the largest and the smallest multiplier.
TEST_P(Elementwise, EveryShift) {
  Random random(10);
  // Every code of one side at the least, with many of the other.
  Codes first, second;
  for (int i = 0; i < 256 * 24; ++i) {
    first.push_back(static_cast<int8_t>(i));
    second.push_back(static_cast<int8_t>(i < 256 ? -128 : i < 512 ? 127 : random.Code()));
  }
  Codes expected(first.size()), output(first.size());
  for (int shift = -31; shift <= FixedPointScale::kMostLeftShift; ++shift) {
    for (int32_t multiplier : {1 << 30, 0x7fffff80}) {
      const FixedPointScale scale = {multiplier, shift};
      MulConstants mul;
      mul.zero_point[0] = random.Code();
      mul.zero_point[1] = random.Code();
      mul.output_zero_point = random.Code();
      mul.scale = scale;
      ReferenceMul(mul, first.data(), second.data(), expected.data(), first.size());
      kernels().mul(mul, first.data(), second.data(), output.data(), first.size());
      ASSERT_EQ(output, expected) << "product " << multiplier << " shift " << shift;
      PreluConstants prelu;
      prelu.input_zero_point = mul.zero_point[0];
      prelu.output_zero_point = mul.zero_point[1];
      for (bool positive : {false, true}) {
        if (kernels().prelu == nullptr) break;
        prelu.positive = positive ? scale : FixedPointScale{1 << 30, 1};
        prelu.negative = positive ? FixedPointScale{1 << 30, -7} : scale;
        ASSERT_NO_FATAL_FAILURE(ExpectPrelu(kernels(), prelu, {255, -255, 1, -1}, first, std::to_string(shift)));
      }
      if (shift > 0) continue;
      for (bool of_output : {false, true}) {
        for (int half : {0, 1}) {
          AddConstants add;
          add.zero_point[0] = mul.zero_point[0];
          add.zero_point[1] = mul.zero_point[1];
          add.output_zero_point = mul.output_zero_point;
          add.scale[half] = {half == 1 && of_output ? -(1 << 30) : 1 << 30, 0};
          add.scale[1 - half] = of_output || shift == 0 ? FixedPointScale{1500000000, -1} : scale;
          add.output_scale = of_output ? scale : FixedPointScale{1500000000, -19};
          ReferenceAdd(add, first.data(), second.data(), expected.data(), first.size());
          kernels().add(add, first.data(), second.data(), output.data(), first.size());
          ASSERT_EQ(output, expected) << (of_output ? "sum " : "side ") << multiplier << " shift " << shift;
        }
      }
    }
  }
}

TEST_P(Elementwise, PairsOfAnySizeAndAlignmentInPlace) {
  Random random(4);
  AddConstants add;
  MulConstants mul;
  ASSERT_TRUE(MakeAddConstants({0.043f, -7}, {0.11f, 20}, {0.13f, 3}, Activation::kRelu, false, &add));
  ASSERT_TRUE(MakeMulConstants({0.043f, -7}, {0.11f, 20}, {0.63f, 3}, Activation::kNone, &mul));
  for (size_t count = 0; count < 200; ++count) {
    const Codes first = random.Fill(count), second = random.Fill(count);
    Codes sum(count), product(count);
    ReferenceAdd(add, first.data(), second.data(), sum.data(), count);
    ReferenceMul(mul, first.data(), second.data(), product.data(), count);
    Placed a(first, count % 3), b(second, count % 11), to(Codes(count), count % 7);
    kernels().add(add, a.data(), b.data(), to.data(), count);
    ASSERT_EQ(to.codes(), sum) << count;
    kernels().mul(mul, a.data(), b.data(), to.data(), count);
    ASSERT_EQ(to.codes(), product) << count;
    ASSERT_TRUE(to.is_untouched_before());
    Placed over_second(second, 1);
    kernels().mul(mul, a.data(), over_second.data(), over_second.data(), count);
    ASSERT_EQ(over_second.codes(), product) << count << " in place";
    kernels().add(add, a.data(), b.data(), a.data(), count);
    ASSERT_EQ(a.codes(), sum) << count << " in place";
  }
}

// Every code in every channel, slopes of either sign, scales up to those where nothing or everything saturates.
TEST_P(Elementwise, PreluOfAnyScales) {
  if (kernels().prelu == nullptr) GTEST_SKIP() << "channel_function_test does: " << GetParam().name << " follows lines or looks up";
  Random random(5);
  int runs = 0, identities = 0;
  for (int i = 0; i < 400; ++i) {
    const float scale = random.Scale(-8, 0);
    const float result = scale * random.Pick({1.0f, 1.0f, 0.5f, random.Scale(-2, 2), random.Scale(-5, 30)});
    const float slope_scale = random.Scale(-12, 1);
    PreluConstants c;
    const int zero_point = random.Code();
    const int output_zero_point = random.Integer(0, 3) == 0 ? zero_point : random.Code();
    if (!MakePreluConstants({scale, zero_point}, slope_scale, {result, output_zero_point}, &c)) continue;
    const int channels = random.Integer(1, 40);
    Codes input;
    for (int code = -128; code < 128; ++code) input.insert(input.end(), static_cast<size_t>(channels), static_cast<int8_t>(code));
    ASSERT_NO_FATAL_FAILURE(ExpectPrelu(kernels(), c, Slopes(&random, channels), input, std::to_string(i)));
    ++runs;
    identities += c.positive.shift == 1 && c.positive.multiplier == 1 << 30;
  }
  EXPECT_GE(runs, 300);
  EXPECT_GE(identities, 50);
}

TEST_P(Elementwise, PreluOfAnyShape) {
  if (kernels().prelu == nullptr) GTEST_SKIP() << "channel_function_test does: " << GetParam().name << " follows lines or looks up";
  Random random(6);
  PreluConstants identity, scaled;
  ASSERT_TRUE(MakePreluConstants({0.043f, -7}, 0.003f, {0.043f, -90}, &identity));
  ASSERT_TRUE(MakePreluConstants({0.043f, -7}, 0.003f, {0.037f, -90}, &scaled));
  // Channels whose slopes repeat soon, late, and beyond what is arranged at once.
  for (int channels : {1, 2, 3, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 129, 257, 1023, 1024, 4096, 4099, 8200}) {
    for (int pixels : {0, 1, 2, 3, 7, 50}) {
      if (pixels * channels > 50000) continue;
      const Codes input = random.Fill(static_cast<size_t>(pixels * channels));
      const std::string what = std::to_string(pixels) + " x " + std::to_string(channels);
      const std::vector<int16_t> slopes = Slopes(&random, channels);
      ASSERT_NO_FATAL_FAILURE(ExpectPrelu(kernels(), identity, slopes, input, what));
      ASSERT_NO_FATAL_FAILURE(ExpectPrelu(kernels(), scaled, slopes, input, what));
    }
  }
}

// The one difference of zero points that is not the sum of two codes.
TEST_P(Elementwise, PreluBetweenTheZeroPointsFurthestApart) {
  if (kernels().prelu == nullptr) GTEST_SKIP() << "channel_function_test does: " << GetParam().name << " follows lines or looks up";
  for (const auto& zero_points : {std::pair<int, int>{-128, 127}, {127, -128}, {-128, 126}, {-127, 127}}) {
    PreluConstants c;
    ASSERT_TRUE(MakePreluConstants({0.5f, zero_points.first}, 0.01f, {0.5f, zero_points.second}, &c));
    Codes input;
    for (int code = -128; code < 128; ++code) input.push_back(static_cast<int8_t>(code));
    ASSERT_NO_FATAL_FAILURE(ExpectPrelu(kernels(), c, {-100}, input, std::to_string(zero_points.first)));
  }
}

// Sums of all pairs on lines, and of any size and alignment.
TEST_P(Elementwise, AddsOnLines) {
  if (kernels().add_on_line == nullptr) GTEST_SKIP() << "not written for " << GetParam().name;
  Random random(20);
  Codes first, second;
  AllPairs(&first, &second);
  int runs = 0;
  for (int i = 0; i < 60; ++i) {
    const float scale = random.Scale(-7, -3), other = scale * random.Scale(-3, 3);
    AddConstants c;
    AddLine line;
    if (!MakeAddConstants({scale, random.Code()}, {other, random.Code()}, {std::max(scale, other) * random.Scale(-1, 1), random.Code()},
                          AnyActivation(&random), i % 3 == 0, &c) ||
        !FitAddLine(c, &line)) {
      continue;
    }
    Codes expected(first.size()), output(first.size());
    ReferenceAdd(c, first.data(), second.data(), expected.data(), first.size());
    kernels().add_on_line(line, first.data(), second.data(), output.data(), first.size());
    ASSERT_EQ(output, expected) << i;
    ++runs;
    for (size_t count : {size_t{0}, size_t{1}, size_t{31}, size_t{65}, static_cast<size_t>(random.Integer(0, 300))}) {
      const Codes left = random.Fill(count), right = random.Fill(count);
      Codes sum(count);
      ReferenceAdd(c, left.data(), right.data(), sum.data(), count);
      Placed a(left, count % 3), b(right, count % 11), to(Codes(count), count % 7);
      kernels().add_on_line(line, a.data(), b.data(), to.data(), count);
      ASSERT_EQ(to.codes(), sum) << count;
      ASSERT_TRUE(to.is_untouched_before());
      kernels().add_on_line(line, a.data(), b.data(), a.data(), count);
      ASSERT_EQ(a.codes(), sum) << count << " in place";
    }
  }
  EXPECT_GE(runs, 40);
}

// Tables of two lines, for channels that repeat soon, late and beyond what runs on over pixels.
TEST_P(Elementwise, FollowsChannelLines) {
  if (kernels().follow_channel_lines == nullptr) GTEST_SKIP() << "not written for " << GetParam().name;
  Random random(21);
  for (int channels : {1, 2, 3, 15, 16, 17, 31, 32, 33, 48, 64, 65, 96, 127, 128, 129, 257, 1024, 4099}) {
    const int kink = random.Code();
    std::vector<int8_t> tables(static_cast<size_t>(channels) * kCodes);
    for (int channel = 0; channel < channels; ++channel) {
      int8_t* table = tables.data() + static_cast<ptrdiff_t>(channel) * kCodes;
      const double up = random.Integer(0, 400) * .01, down = random.Integer(-200, 200) * .01, offset = random.Integer(-60, 60) + .003;
      for (int code = -128; code < 128; ++code) {
        const double value = std::round((code - kink) * (code < kink ? down : up) + offset);
        table[code + 128] = static_cast<int8_t>(std::min(127.0, std::max(-128.0, value)));
      }
    }
    ChannelLines lines;
    ASSERT_TRUE(lines.Fit(tables.data(), channels, kink)) << channels << " channels";
    for (int pixels : {0, 1, 2, 3, 7, 50}) {
      if (pixels * channels > 20000) continue;
      const size_t count = static_cast<size_t>(pixels) * static_cast<size_t>(channels);
      const Codes input = random.Fill(count);
      Codes expected(count);
      for (size_t i = 0; i < count; ++i) {
        expected[i] = tables[i % static_cast<size_t>(channels) * kCodes + static_cast<size_t>(input[i] + 128)];
      }
      Placed from(input, static_cast<size_t>(pixels % 5)), to(Codes(count), 3);
      kernels().follow_channel_lines(lines, from.data(), to.data(), static_cast<size_t>(pixels));
      ASSERT_EQ(to.codes(), expected) << pixels << " x " << channels;
      ASSERT_TRUE(to.is_untouched_before());
      kernels().follow_channel_lines(lines, from.data(), from.data(), static_cast<size_t>(pixels));
      ASSERT_EQ(from.codes(), expected) << pixels << " x " << channels << " in place";
    }
  }
}

// What is asked for is the most that may run.
TEST(FindElementwise, BestUpToAnInstructionSet) {
  for (Isa isa : kIsas) {
    const ElementwiseKernels kernels = FindElementwise(isa);
    EXPECT_TRUE(Includes(isa, kernels.isa)) << IsaName(isa);
    EXPECT_NE(kernels.look_up, nullptr);
    EXPECT_NE(kernels.add, nullptr);
    EXPECT_NE(kernels.mul, nullptr);
    EXPECT_EQ(kernels.prelu == nullptr, kernels.isa == Isa::kScalar || kernels.follow_channel_lines != nullptr);
    EXPECT_EQ(kernels.add_on_line == nullptr, kernels.follow_channel_lines == nullptr);
    EXPECT_NE(kernels.max_pool, nullptr);
    EXPECT_NE(kernels.average_pool, nullptr);
    EXPECT_NE(kernels.mean, nullptr);
    EXPECT_NE(kernels.resize_bilinear, nullptr);
    if (isa != Isa::kScalar && CpuSupports(isa)) EXPECT_NE(kernels.isa, Isa::kScalar) << IsaName(isa);
  }
}

#if defined(__x86_64__)
// A capability that no name stands for, function by function.
TEST(FindElementwise, PermutesBytesWhereTheCpuDoes) {
  EXPECT_EQ(FindElementwise(Isa::kAvx512Vnni).look_up, kElementwiseAvx512.look_up);
  const ElementwiseKernels kernels = FindElementwise(Isa::kAvx512Vbmi);
  EXPECT_EQ(kernels.look_up, kElementwiseAvx512Vbmi.look_up);
  EXPECT_EQ(kernels.add, kElementwiseAvx512.add);
  // Without dot products of 512 bits, as one generation has them, there is nothing to add to.
  EXPECT_EQ(FindElementwise(With(Isa::kAvx2, kHasAvx512Vbmi, true)).look_up, kElementwiseAvx2.look_up);
}
#endif

}  // namespace
}  // namespace tflite_eq
