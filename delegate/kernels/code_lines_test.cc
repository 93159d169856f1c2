// Lines against the specifications in ops/reference/: by a model of what vectors compute, so that every machine tries them.
#include "delegate/kernels/code_lines.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "delegate/ops/reference/add.h"
#include "delegate/ops/reference/prelu.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

int8_t Saturated(float value) {
  const float integer = std::nearbyint(value);
  return static_cast<int8_t>(integer < -128 ? -128 : integer > 127 ? 127 : integer);
}

int8_t OnLine(const AddLine& line, int first, int second) {
  const float inner = std::fma(static_cast<float>(second), line.scale[1], line.offset);
  const int code = Saturated(std::fma(static_cast<float>(first), line.scale[0], inner));
  return static_cast<int8_t>(std::min(std::max(code, line.activation_min), line.activation_max));
}

int8_t OnLines(const ChannelLines& lines, int channel, int code) {
  const ChannelLines::Block& block = *lines.block(channel / ChannelLines::kBlock);
  const int lane = channel % ChannelLines::kBlock;
  const int side = code < lines.kink() ? 1 : 0;
  return Saturated(std::fma(static_cast<float>(code), block.scale[side][lane], block.offset[side][lane]));
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int Integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  float Scale(double low, double high) {
    return static_cast<float>(std::exp2(std::uniform_real_distribution<double>(low, high)(engine_)));
  }

 private:
  std::mt19937 engine_;
};

void ExpectAllSums(const AddConstants& c, const AddLine& line) {
  for (int first = -128; first < 128; ++first) {
    for (int second = -128; second < 128; ++second) {
      const auto a = static_cast<int8_t>(first), b = static_cast<int8_t>(second);
      int8_t expected;
      ReferenceAdd(c, &a, &b, &expected, 1);
      ASSERT_EQ(OnLine(line, first, second), expected) << first << " + " << second;
    }
  }
}

// Scales as residual networks have them, and all kinds.
TEST(AddLine, GivesTheSumOfAllPairsOfCodes) {
  Random random(1);
  int fits = 0, ordinary_fits = 0, ordinary = 0;
  for (int i = 0; i < 160; ++i) {
    const bool is_ordinary = i % 2 == 0;
    const float scale = random.Scale(-7, -3);
    const float other = scale * (is_ordinary ? random.Scale(-2, 2) : random.Scale(-16, 16));
    const float result = std::max(scale, other) * (is_ordinary ? random.Scale(-1, 1) : random.Scale(-10, 10));
    AddConstants c;
    if (!MakeAddConstants({scale, random.Integer(-128, 127)}, {other, random.Integer(-128, 127)}, {result, random.Integer(-128, 127)},
                          i % 3 == 0 ? Activation::kRelu : Activation::kNone, i % 5 == 0, &c)) {
      continue;
    }
    AddLine line;
    ordinary += is_ordinary;
    if (!FitAddLine(c, &line)) continue;
    ++fits;
    ordinary_fits += is_ordinary;
    SCOPED_TRACE(testing::Message() << "scales " << scale << ' ' << other << ' ' << result);
    ASSERT_NO_FATAL_FAILURE(ExpectAllSums(c, line));
  }
  EXPECT_GE(fits, 100);
  EXPECT_GE(ordinary_fits, ordinary * 9 / 10);
}

// Where many sums lie in the middle between two codes, which fixed point rounds away from zero: scales that are powers of two.
TEST(AddLine, GivesSumsBetweenCodes) {
  struct Scales {
    float first, second, result;
  };
  for (const Scales& scales : {Scales{0.5f, 0.5f, 1}, Scales{0.5f, 0.25f, 0.5f}, Scales{0.25f, 0.5f, 2}, Scales{1, 0.125f, 1}}) {
    for (int zero_point : {0, -128, 37}) {
      for (bool subtract : {false, true}) {
        AddConstants c;
        ASSERT_TRUE(MakeAddConstants({scales.first, zero_point}, {scales.second, 20}, {scales.result, -zero_point / 2}, Activation::kNone,
                                     subtract, &c));
        AddLine line;
        ASSERT_TRUE(FitAddLine(c, &line)) << scales.first << ' ' << scales.second << ' ' << zero_point;
        ASSERT_NO_FATAL_FAILURE(ExpectAllSums(c, line));
      }
    }
  }
}

// Scales of two decimals put one sum in 130 so close to the middle that what fixed point lost before decides.
TEST(AddLine, RefusesWhatIsRoundedAtRandom) {
  AddConstants c;
  ASSERT_TRUE(MakeAddConstants({0.11f, -7}, {0.043f, 20}, {0.13f, 3}, Activation::kNone, false, &c));
  AddLine line;
  EXPECT_FALSE(FitAddLine(c, &line));
}

// A side that is nothing beside the other, and results of which nearly all saturate.
TEST(AddLine, RefusesWhatFloatsCannotHold) {
  AddConstants c;
  AddLine line;
  ASSERT_TRUE(MakeAddConstants({0.5f, 0}, {0.5f * 0x1p-20f, 0}, {0.7f, 0}, Activation::kNone, false, &c));
  EXPECT_FALSE(FitAddLine(c, &line));
  ASSERT_TRUE(MakeAddConstants({0.5f, 0}, {0.4f, 0}, {0.7f * 0x1p-16f, 0}, Activation::kNone, false, &c));
  EXPECT_FALSE(FitAddLine(c, &line));
}

std::vector<int8_t> PreluTables(const PreluConstants& c, const std::vector<int16_t>& slopes) {
  std::vector<int8_t> codes, tables(slopes.size() * kCodes);
  for (int code = -128; code < 128; ++code) codes.push_back(static_cast<int8_t>(code));
  for (size_t i = 0; i < slopes.size(); ++i) ReferencePrelu(c, &slopes[i], codes.data(), &tables[i * kCodes], kCodes, 1);
  return tables;
}

TEST(ChannelLines, GiveEveryCodeOfEveryChannel) {
  Random random(2);
  int fits = 0, tries = 0;
  for (int i = 0; i < 150; ++i) {
    const float scale = random.Scale(-8, -2);
    PreluConstants c;
    const int zero_point = random.Integer(-128, 127);
    if (!MakePreluConstants({scale, zero_point}, random.Scale(-9, -7), {scale * (i % 3 == 0 ? 1 : random.Scale(-2, 2)), random.Integer(-128, 127)}, &c)) {
      continue;
    }
    std::vector<int16_t> slopes(static_cast<size_t>(random.Integer(1, 40)));
    for (int16_t& slope : slopes) slope = static_cast<int16_t>(random.Integer(-128, 127));
    const std::vector<int8_t> tables = PreluTables(c, slopes);
    ChannelLines lines;
    ++tries;
    if (!lines.Fit(tables.data(), static_cast<int>(slopes.size()), zero_point)) continue;
    ++fits;
    for (size_t channel = 0; channel < slopes.size(); ++channel) {
      for (int code = -128; code < 128; ++code) {
        ASSERT_EQ(OnLines(lines, static_cast<int>(channel), code), tables[channel * kCodes + static_cast<size_t>(code + 128)])
            << "channel " << channel << " code " << code;
      }
    }
  }
  EXPECT_GE(fits, tries * 9 / 10) << tries;
}

// One code off the lines is refused, and leaves nothing that looks as if it fitted; so does a channel behind one that fits.
TEST(ChannelLines, RefuseWhatIsOffThem) {
  std::vector<int8_t> tables;
  for (int channel = 0; channel < 2; ++channel) {
    for (int code = -128; code < 128; ++code) tables.push_back(static_cast<int8_t>(std::floor(code < 10 ? code * .24 + 2.6 : code * .5 + .2)));
  }
  ChannelLines lines;
  ASSERT_TRUE(lines.Fit(tables.data(), 2, 10));
  EXPECT_TRUE(lines.fits());
  for (size_t at : {size_t{5}, size_t{200}, size_t{256 + 100}, size_t{256 + 255}}) {
    std::vector<int8_t> other = tables;
    other[at] = static_cast<int8_t>(other[at] + 3);
    EXPECT_FALSE(lines.Fit(other.data(), 2, 10)) << at;
    EXPECT_FALSE(lines.fits());
    EXPECT_EQ(lines.memory_bytes(), 0u);
  }
}

// Kinks at either end leave one line for all codes.
TEST(ChannelLines, OneLineForAllCodes) {
  std::vector<int8_t> table;
  for (int code = -128; code < 128; ++code) table.push_back(static_cast<int8_t>(std::floor(code * 0.37 + 3.2)));
  for (int kink : {-128, 127}) {
    ChannelLines lines;
    ASSERT_TRUE(lines.Fit(table.data(), 1, kink)) << kink;
    for (int code = -128; code < 128; ++code) EXPECT_EQ(OnLines(lines, 0, code), table[static_cast<size_t>(code + 128)]) << code;
  }
}

}  // namespace
}  // namespace tflite_eq
