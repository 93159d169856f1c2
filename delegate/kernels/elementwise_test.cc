// Every table of kernels that this machine runs against the specifications in ops/reference/.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "delegate/kernels/cpu_features.h"
#include "delegate/kernels/elementwise_kernels.h"
#include "delegate/ops/reference/add.h"
#include "delegate/ops/reference/mul.h"
#include "delegate/ops/reference/pool.h"
#include "delegate/ops/reference/prelu.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

using Codes = std::vector<int8_t>;

struct NamedKernels {
  std::string name;
  ElementwiseKernels kernels;
};

std::vector<NamedKernels> AllKernels() {
  std::vector<NamedKernels> all;
  for (int i = 0; i < kIsaCount; ++i) {
    const Isa isa = static_cast<Isa>(i);
    const ElementwiseKernels kernels = FindElementwise(isa);
    if (kernels.isa == isa && CpuSupports(isa)) all.push_back({IsaName(isa), kernels});
  }
#if defined(__x86_64__)
  // What CPUs run that lack a part of what this one has.
  if (CpuSupports(Isa::kAvx512Vnni) && CpuPermutesBytes()) all.push_back({"avx512_without_vbmi", kElementwiseAvx512});
#endif
  return all;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int Integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  float Scale(double low, double high) {
    return static_cast<float>(std::exp2(std::uniform_real_distribution<double>(low, high)(engine_)));
  }
  // Often at the ends.
  int Code() {
    const int kind = Integer(0, 7);
    return kind == 0 ? -128 : kind == 1 ? 127 : kind == 2 ? 0 : Integer(-128, 127);
  }
  Codes Fill(size_t count) {
    Codes codes(count);
    for (int8_t& code : codes) code = static_cast<int8_t>(Integer(-128, 127));
    return codes;
  }
  template <typename T>
  T Pick(std::initializer_list<T> choices) {
    return choices.begin()[Integer(0, static_cast<int>(choices.size()) - 1)];
  }

 private:
  std::mt19937 engine_;
};

// Memory that ends where the codes end, beginning at any address, and room before it that must not change.
class Placed {
 public:
  Placed(const Codes& codes, size_t offset) : bytes_(offset + codes.size(), kGuard), offset_(offset) {
    std::copy(codes.begin(), codes.end(), bytes_.begin() + static_cast<ptrdiff_t>(offset));
  }
  int8_t* data() { return bytes_.data() + offset_; }
  Codes codes() const { return {bytes_.begin() + static_cast<ptrdiff_t>(offset_), bytes_.end()}; }
  bool is_untouched_before() const {
    return std::all_of(bytes_.begin(), bytes_.begin() + static_cast<ptrdiff_t>(offset_), [](int8_t b) { return b == kGuard; });
  }

 private:
  static constexpr int8_t kGuard = 77;
  Codes bytes_;
  size_t offset_;
};

class Elementwise : public testing::TestWithParam<NamedKernels> {
 protected:
  const ElementwiseKernels& kernels() const { return GetParam().kernels; }
};

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

// Every code in every channel, slopes of either sign, scales up to those where nothing or everything saturates.
TEST_P(Elementwise, PreluOfAnyScales) {
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
  for (const auto& zero_points : {std::pair<int, int>{-128, 127}, {127, -128}, {-128, 126}, {-127, 127}}) {
    PreluConstants c;
    ASSERT_TRUE(MakePreluConstants({0.5f, zero_points.first}, 0.01f, {0.5f, zero_points.second}, &c));
    Codes input;
    for (int code = -128; code < 128; ++code) input.push_back(static_cast<int8_t>(code));
    ASSERT_NO_FATAL_FAILURE(ExpectPrelu(kernels(), c, {-100}, input, std::to_string(zero_points.first)));
  }
}

PoolAxis Axis(int input, int filter, int stride, bool same) {
  PoolAxis axis;
  axis.input = input;
  axis.filter = filter;
  axis.stride = stride;
  axis.output = same ? (input + stride - 1) / stride : (input - filter) / stride + 1;
  axis.pad = std::max(0, (axis.output - 1) * stride + filter - input) / 2;
  if (!same) axis.pad = 0;
  return axis;
}

std::string Text(const PoolShape& s) {
  const auto axis = [](const PoolAxis& a) {
    return std::to_string(a.input) + "->" + std::to_string(a.output) + " by " + std::to_string(a.filter) + "/" +
           std::to_string(a.stride) + " pad " + std::to_string(a.pad) + ", ";
  };
  return axis(s.rows) + axis(s.columns) + std::to_string(s.channels) + " channels";
}

// Both pools, all rows at once and some of them.
void ExpectPools(const ElementwiseKernels& kernels, const PoolShape& shape, Random* random, int lowest, int highest) {
  Codes input(static_cast<size_t>(shape.rows.input) * shape.columns.input * shape.channels);
  for (int8_t& code : input) code = static_cast<int8_t>(random->Integer(lowest, highest));
  const size_t row_bytes = static_cast<size_t>(shape.columns.output) * shape.channels;
  for (bool average : {false, true}) {
    Codes expected(row_bytes * shape.rows.output);
    (average ? ReferenceAveragePool : ReferenceMaxPool)(shape, input.data(), expected.data());
    const auto pool = average ? kernels.average_pool : kernels.max_pool;
    Placed from(input, 1), to(Codes(expected.size()), 5);
    pool(shape, from.data(), 0, shape.rows.output, to.data());
    ASSERT_EQ(to.codes(), expected) << Text(shape) << (average ? ", average" : ", maximum");
    ASSERT_TRUE(to.is_untouched_before()) << Text(shape);
    const int begin = random->Integer(0, shape.rows.output), end = random->Integer(begin, shape.rows.output);
    Codes some(expected.size(), 99), expected_some(expected.size(), 99);
    std::copy(expected.begin() + static_cast<ptrdiff_t>(begin * row_bytes), expected.begin() + static_cast<ptrdiff_t>(end * row_bytes),
              expected_some.begin() + static_cast<ptrdiff_t>(begin * row_bytes));
    pool(shape, input.data(), begin, end, some.data());
    ASSERT_EQ(some, expected_some) << Text(shape) << ", rows " << begin << " to " << end;
  }
}

TEST_P(Elementwise, PoolsOfAnyShape) {
  Random random(7);
  for (int i = 0; i < 400; ++i) {
    const bool same = random.Integer(0, 1) == 1;
    PoolShape shape;
    const int height = random.Integer(1, 14), width = random.Integer(1, 40);
    shape.rows = Axis(height, random.Integer(1, same ? 9 : std::min(height, 9)), random.Integer(1, 4), same);
    shape.columns = Axis(width, random.Integer(1, same ? 9 : std::min(width, 9)), random.Integer(1, 4), same);
    shape.channels = random.Pick({1, 2, 3, 7, 8, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65, 100, 130, random.Integer(1, 200)});
    if (random.Integer(0, 2) == 0) {
      shape.activation_min = random.Integer(-128, 0);
      shape.activation_max = random.Integer(0, 127);
    }
    ASSERT_NO_FATAL_FAILURE(ExpectPools(kernels(), shape, &random, -128, 127));
  }
}

// Rows that are longer than what is held at once, and windows that are.
TEST_P(Elementwise, PoolsOfLongRowsAndLargeWindows) {
  Random random(8);
  for (int channels : {1, 3, 8, 16, 33, 64, 96}) {
    for (int width : {300, 1500}) {
      for (int stride : {1, 2, 5}) {
        PoolShape shape;
        shape.channels = channels;
        shape.rows = Axis(3, 3, 2, true);
        shape.columns = Axis(width, random.Pick({2, 3, 5, 13}), stride, true);
        ASSERT_NO_FATAL_FAILURE(ExpectPools(kernels(), shape, &random, -128, 127));
      }
    }
    PoolShape shape;
    shape.channels = channels;
    shape.rows = Axis(5, 5, 1, true);
    shape.columns = Axis(700, 690, 3, false);
    ASSERT_NO_FATAL_FAILURE(ExpectPools(kernels(), shape, &random, -128, 127));
  }
}

// Averages over whole images, with sums as large as they get, and halves, which are rounded away from zero.
TEST_P(Elementwise, AveragesOfWholeImages) {
  Random random(9);
  for (const auto& size : {std::pair<int, int>{1, 1}, {1, 2}, {2, 2}, {7, 7}, {8, 8}, {16, 16}, {17, 15}, {23, 11}, {90, 91}, {91, 91}, {128, 129}}) {
    for (int channels : {1, 5, 16, 40, 70, 1024}) {
      if (size.first * size.second * channels > 400000) continue;
      PoolShape shape;
      shape.channels = channels;
      shape.rows = Axis(size.first, size.first, 1, false);
      shape.columns = Axis(size.second, size.second, 1, false);
      for (const auto& range : {std::pair<int, int>{-128, 127}, {-128, -128}, {127, 127}, {-1, 0}, {0, 1}, {-128, -127}}) {
        ASSERT_NO_FATAL_FAILURE(ExpectPools(kernels(), shape, &random, range.first, range.second));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Elementwise, testing::ValuesIn(AllKernels()),
                         [](const testing::TestParamInfo<NamedKernels>& info) { return info.param.name; });

// Every sum that a window of up to 81 pixels can have: where truncation and rounding could part.
TEST(AveragePool, EverySum) {
  for (const NamedKernels& named : AllKernels()) {
    for (int pixels : {2, 3, 5, 6, 7, 9, 25, 49, 64, 81}) {
      const int channels = 255 * pixels + 1;
      PoolShape shape;
      shape.channels = channels;
      shape.rows = Axis(1, 1, 1, false);
      shape.columns = Axis(pixels, pixels, 1, false);
      Codes input(static_cast<size_t>(pixels) * channels);
      for (int channel = 0; channel < channels; ++channel) {
        // The sum is channel - 128 * pixels.
        int left = channel;
        for (int pixel = 0; pixel < pixels; ++pixel) {
          const int part = std::min(left, 255);
          input[static_cast<size_t>(pixel) * channels + channel] = static_cast<int8_t>(part - 128);
          left -= part;
        }
      }
      Codes expected(static_cast<size_t>(channels)), output(static_cast<size_t>(channels));
      ReferenceAveragePool(shape, input.data(), expected.data());
      named.kernels.average_pool(shape, input.data(), 0, 1, output.data());
      ASSERT_EQ(output, expected) << named.name << ", " << pixels << " pixels";
    }
  }
}

// What is asked for is the most that may run.
TEST(FindElementwise, BestUpToAnInstructionSet) {
  for (int i = 0; i < kIsaCount; ++i) {
    const Isa isa = static_cast<Isa>(i);
    const ElementwiseKernels kernels = FindElementwise(isa);
    EXPECT_LE(static_cast<int>(kernels.isa), i) << IsaName(isa);
    EXPECT_NE(kernels.look_up, nullptr);
    EXPECT_NE(kernels.add, nullptr);
    EXPECT_NE(kernels.mul, nullptr);
    EXPECT_NE(kernels.prelu, nullptr);
    EXPECT_NE(kernels.max_pool, nullptr);
    EXPECT_NE(kernels.average_pool, nullptr);
    if (isa != Isa::kScalar && CpuSupports(isa)) EXPECT_NE(kernels.isa, Isa::kScalar) << IsaName(isa);
  }
}

}  // namespace
}  // namespace tflite_eq
