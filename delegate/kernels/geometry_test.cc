// Output sizes and padding against TFLite's formulas in wide arithmetic, and what is refused.
#include "delegate/kernels/geometry.h"

#include <climits>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

ConvShape Shape(int batch, int height, int width, int in, int out, int filter_height, int filter_width, int stride = 1,
                int dilation = 1) {
  ConvShape s;
  s.batch = batch;
  s.input_height = height;
  s.input_width = width;
  s.input_channels = in;
  s.output_channels = out;
  s.filter_height = filter_height;
  s.filter_width = filter_width;
  s.stride_height = s.stride_width = stride;
  s.dilation_height = s.dilation_width = dilation;
  return s;
}

struct Case {
  Padding padding;
  int input, filter, stride, dilation;
  int output, pad;
};

// By hand, from TFLite's padding.h: SAME (in + stride - 1) / stride, VALID (in + stride - reach) / stride with a division that
// truncates, and half of (out - 1) * stride + reach - in before the image.
TEST(ResolvePadding, GivesTflitesSizes) {
  const Case cases[] = {
      {Padding::kSame, 8, 3, 1, 1, 8, 1},
      {Padding::kSame, 8, 3, 2, 1, 4, 0},   // one row of padding in all, below
      {Padding::kSame, 9, 3, 2, 1, 5, 1},
      {Padding::kSame, 8, 2, 1, 1, 8, 0},
      {Padding::kSame, 8, 4, 1, 1, 8, 1},
      {Padding::kSame, 40, 3, 1, 32767, 40, 32767},
      {Padding::kSame, 40, 3, 1, 1 << 29, 40, 1 << 29},
      {Padding::kSame, 40, 1, 1 << 30, 1, 1, 0},
      {Padding::kSame, 1, 1000, 1, 1, 1, 499},
      {Padding::kSame, 0, 3, 1, 1, 0, 1},
      {Padding::kValid, 8, 3, 1, 1, 6, 0},
      {Padding::kValid, 8, 3, 4, 1, 2, 0},
      {Padding::kValid, 3, 3, 1, 1, 1, 0},
      {Padding::kValid, 2, 3, 1, 1, 0, 0},   // an image smaller than the filter: empty, or for TFLite a negative size
      {Padding::kValid, 1, 8, 5, 1, 0, 1},
      {Padding::kValid, 5, 1, 1, 1 << 30, 5, 0},
      {Padding::kSame, 7, 0, 1, 3, 7, 0},    // a filter without rows
      {Padding::kValid, 7, 0, 1, 3, 10, 0},
  };
  for (const Case& c : cases) {
    ConvShape s = Shape(1, c.input, 1, 1, 1, c.filter, 1);
    s.stride_height = c.stride;
    s.dilation_height = c.dilation;
    Reason reason;
    ASSERT_TRUE(ResolvePadding(c.padding, &s, &reason)) << reason.text;
    EXPECT_EQ(s.output_height, c.output) << c.input << " " << c.filter << " " << c.stride << " " << c.dilation;
    EXPECT_EQ(s.pad_top, c.pad) << c.input << " " << c.filter << " " << c.stride << " " << c.dilation;
  }
}

// The width as the height, and no axis by the other's numbers.
TEST(ResolvePadding, KeepsTheAxesApart) {
  ConvShape s = Shape(2, 10, 20, 3, 4, 5, 7);
  s.stride_height = 2;
  s.stride_width = 3;
  s.dilation_height = 3;
  s.dilation_width = 2;
  ASSERT_TRUE(ResolvePadding(Padding::kSame, &s));
  EXPECT_EQ(s.output_height, 5);
  EXPECT_EQ(s.pad_top, 5);  // 4 * 2 + 13 - 10 = 11
  EXPECT_EQ(s.output_width, 7);
  EXPECT_EQ(s.pad_left, 5);  // 6 * 3 + 13 - 20 = 11
  s.input_height = 10 - s.stride_height;
  EXPECT_FALSE(ResolvePadding(Padding::kValid, &s));  // 13 rows of filter
  s.input_height = 13;
  ASSERT_TRUE(ResolvePadding(Padding::kValid, &s));
  EXPECT_EQ(s.output_height, 1);
  EXPECT_EQ(s.output_width, 3);
  EXPECT_EQ(s.pad_top, 0);
  EXPECT_EQ(s.pad_left, 0);
}

// Any numbers at all: either refused, or what wide arithmetic gives, and nothing that kernels compute leaves an int.
TEST(ResolvePadding, NeverOverflows) {
  std::mt19937 random(1);
  const auto any = [&random] {
    const int shift = static_cast<int>(random() % 32);
    return static_cast<int>(random() >> shift) - static_cast<int>(random() % 3);
  };
  int accepted = 0;
  for (int round = 0; round < 200000; ++round) {
    const Padding padding = random() % 2 ? Padding::kSame : Padding::kValid;
    ConvShape s = Shape(any() % 3, any(), 1 + static_cast<int>(random() % 4), any() % 5, any() % 5, any(), 1, any(), 1);
    s.dilation_height = any();
    s.stride_width = 1;
    Reason reason;
    if (!ResolvePadding(padding, &s, &reason)) {
      EXPECT_STRNE(reason.text, "");
      continue;
    }
    ++accepted;
    __extension__ using Wide = __int128;
    const Wide in = s.input_height, stride = s.stride_height;
    const Wide reach = (Wide{s.filter_height} - 1) * s.dilation_height + 1;
    const Wide output = (padding == Padding::kSame ? in + stride - 1 : in + stride - reach) / stride;
    const Wide total = (output - 1) * stride + reach - in;
    ASSERT_TRUE(output == s.output_height);
    ASSERT_TRUE((total > 0 ? total / 2 : 0) == s.pad_top);
    ASSERT_TRUE((output - 1) * stride + reach <= INT_MAX && in + reach <= INT_MAX);
    const Wide sizes[] = {Wide{s.batch} * s.input_height * s.input_width * s.input_channels,
                          Wide{s.output_channels} * s.filter_height * s.filter_width * s.input_channels,
                          Wide{s.batch} * s.output_height * s.output_width * s.output_channels,
                          Wide{s.filter_height} * s.filter_width * s.input_channels};
    // Of an empty output's input and output nothing is counted.
    for (Wide size : sizes) ASSERT_TRUE(size >= 0 && (size <= kLargestSize || (IsEmpty(s) && size != sizes[1] && size != sizes[3])));
  }
  EXPECT_GT(accepted, 1000);
}

TEST(ResolvePadding, SaysWhatItRefuses) {
  const int most = static_cast<int>(kLargestSize);
  struct Refused {
    ConvShape shape;
    Padding padding;
    const char* reason;
  };
  std::vector<Refused> cases = {
      {Shape(1, -1, 8, 3, 4, 3, 3), Padding::kSame, "input has a dimension of -1"},
      {Shape(1, 8, 8, 3, -2, 3, 3), Padding::kSame, "filter has a dimension of -2"},
      {Shape(1, 8, 8, 3, 4, 3, 3, 0), Padding::kSame, "height: stride 0 and dilation 1, both of which must be at least 1"},
      {Shape(1, 8, 8, 3, 4, 3, 3, 1, -3), Padding::kSame, "height: stride 1 and dilation -3, both of which must be at least 1"},
      {Shape(1, 2, 8, 3, 4, 4, 3), Padding::kValid, "height: an input of 2 is smaller than a filter that spans 4"},
      {Shape(1, 40, 40, 64, 64, 3, 3, 1, INT_MAX), Padding::kSame,
       "height: input 40, filter 3, stride 1, dilation 2147483647 span more than the 2147418112 rows or columns that kernels take"},
      {Shape(1, 40, 40, 64, 64, 3, 3, INT_MAX), Padding::kSame,
       "height: input 40, filter 3, stride 2147483647, dilation 1 span more than the 2147418112 rows or columns that kernels take"},
      {Shape(65536, 32768, 1, 1, 1, 1, 1), Padding::kSame,
       "input of 65536x32768x1x1 is larger than the 2147418112 values that kernels take"},
      {Shape(1, 1, 1, 65536, 65536, 1, 1), Padding::kSame,
       "filter of 65536x1x1x65536 is larger than the 2147418112 values that kernels take"},
      {Shape(1, 65536, 1, 1, 65536, 1, 1), Padding::kSame,
       "output of 1x65536x1x65536 is larger than the 2147418112 values that kernels take"},
  };
  for (const Refused& c : cases) {
    ConvShape s = c.shape;
    Reason reason;
    EXPECT_FALSE(ResolvePadding(c.padding, &s, &reason));
    EXPECT_STREQ(reason.text, c.reason);
    EXPECT_FALSE(ResolvePadding(c.padding, &s)) << "without a reason";
  }
  // Whatever there is none of.
  ConvShape none = Shape(0, 65536, 65536, 1, 1, 1, 1);
  EXPECT_TRUE(ResolvePadding(Padding::kSame, &none));
  none = Shape(INT_MAX, 0, 5, 3, 4, 3, 3);
  EXPECT_TRUE(ResolvePadding(Padding::kSame, &none));
  EXPECT_EQ(none.output_width, 5);
  // Just inside.
  ConvShape large = Shape(1, most - 2, 1, 1, 1, 1, 1);
  EXPECT_TRUE(ResolvePadding(Padding::kSame, &large));
  EXPECT_EQ(large.output_height, most - 2);
}

TEST(IsEmpty, OnAnyDimensionOfTheOutput) {
  ConvShape s = Shape(1, 8, 8, 3, 4, 3, 3);
  ASSERT_TRUE(ResolvePadding(Padding::kSame, &s));
  EXPECT_FALSE(IsEmpty(s));
  for (int ConvShape::*dimension :
       {&ConvShape::batch, &ConvShape::input_height, &ConvShape::input_width, &ConvShape::output_channels}) {
    ConvShape empty = s;
    empty.*dimension = 0;
    ASSERT_TRUE(ResolvePadding(Padding::kSame, &empty));
    EXPECT_TRUE(IsEmpty(empty));
  }
  s.input_channels = 0;  // the biases alone
  ASSERT_TRUE(ResolvePadding(Padding::kSame, &s));
  EXPECT_FALSE(IsEmpty(s));
}

}  // namespace
}  // namespace tflite_eq
