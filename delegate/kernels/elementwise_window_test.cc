// Kernels that make one code of several: pools, means, interpolation.
#include <algorithm>
#include <string>
#include <vector>

#include "delegate/kernels/elementwise_fixture.h"
#include "delegate/ops/reference/mean.h"
#include "delegate/ops/reference/pool.h"
#include "delegate/ops/reference/resize.h"

namespace tflite_eq {
namespace {

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
  for (const auto& size : {std::pair<int, int>{1, 1}, {1, 2}, {2, 2}, {7, 7}, {8, 8}, {16, 16}, {17, 15}, {23, 11}, {90, 91}, {91, 91},
                           {128, 129}}) {
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

// From one pixel to as many as there may be, with sums of either sign as large as they get, and scales from those that leave nothing to
// those that shift to the left.
TEST_P(Elementwise, MeansOfAnyScales) {
  Random random(11);
  int runs = 0;
  for (int pixels : {1, 2, 3, 4, 7, 49, 64, 196, 255, 256, 257, 1000, 3137, 70000, 1 << 22}) {
    for (int i = 0; i < 30; ++i) {
      const int channels = pixels > 100000 ? 1 : pixels > 5000 ? 3 : random.Pick({1, 3, 16, 17, 33, 64, 70, 130});
      if (pixels > 5000 && i >= (pixels > 100000 ? 2 : 8)) continue;
      const float scale = random.Scale(-7, -3);
      const float result = scale * random.Pick({1.0f, 1.0f, random.Scale(-1, 1), random.Scale(-4, 8), random.Scale(-20, 30)});
      MeanConstants c;
      if (!MakeMeanConstants({scale, random.Code()}, {result, random.Code()}, pixels, &c)) continue;
      const int low = random.Pick({-128, -128, 126, -10}), high = random.Pick({127, low + 1, low + 1});
      Codes input(static_cast<size_t>(pixels) * channels);
      for (int8_t& code : input) code = static_cast<int8_t>(random.Integer(low, std::max(low, high)));
      Codes expected(static_cast<size_t>(channels));
      ReferenceMean(c, input.data(), channels, expected.data());
      Placed from(input, 3), to(Codes(expected.size()), 5);
      kernels().mean(c, from.data(), channels, to.data());
      ASSERT_EQ(to.codes(), expected) << pixels << " pixels, " << channels << " channels, scales " << scale << ' ' << result;
      ASSERT_TRUE(to.is_untouched_before());
      ++runs;
    }
  }
  EXPECT_GE(runs, 300);
}

// Two bits more than that are no int32.
TEST_P(Elementwise, MeanOfTheLargestSum) {
  for (const auto& codes : {std::pair<int, int>{127, -128}, {-128, 127}}) {
    MeanConstants c;
    ASSERT_TRUE(MakeMeanConstants({1.0f, codes.second}, {2.0f, 0}, MeanConstants::kMostPixels, &c));
    const Codes input(MeanConstants::kMostPixels, static_cast<int8_t>(codes.first));
    int8_t expected, output;
    ReferenceMean(c, input.data(), 1, &expected);
    kernels().mean(c, input.data(), 1, &output);
    EXPECT_EQ(output, expected) << codes.first;
  }
}

TEST_P(Elementwise, ResizesImagesOfAnySize) {
  Random random(12);
  int runs = 0;
  for (int i = 0; i < 300; ++i) {
    const bool align_corners = i % 3 == 1, half_pixel_centers = i % 3 == 2;
    const auto axis = [&] {
      const int input = random.Integer(1, 12);
      return ResizeAxis{input, random.Pick({input, 2 * input, random.Integer(1, 30)}), align_corners, half_pixel_centers};
    };
    const ResizeAxis rows = axis(), columns = axis();
    if (!StaysInside(rows) || !StaysInside(columns)) continue;
    const int channels = random.Pick({1, 3, 8, 15, 16, 17, 21, 32, 40, 64, 65, 130});
    Codes input(static_cast<size_t>(rows.input) * columns.input * channels);
    for (int8_t& code : input) code = static_cast<int8_t>(random.Code());
    Codes expected(static_cast<size_t>(rows.output) * columns.output * channels);
    ReferenceResizeBilinear(rows, columns, channels, input.data(), expected.data());
    std::vector<Interpolation> places;
    for (int column = 0; column < columns.output; ++column) places.push_back(InterpolationOf(columns, column));
    Placed from(input, 3), to(Codes(expected.size()), 5);
    for (int y = rows.output - 1; y >= 0; --y) {
      const Interpolation place = InterpolationOf(rows, y);
      const ptrdiff_t pitch = static_cast<ptrdiff_t>(columns.input) * channels;
      const ResizeRow row = {from.data() + place.lower * pitch, from.data() + place.upper * pitch, place.fraction, columns.input,
                             places.data(), columns.output, channels};
      kernels().resize_bilinear(row, to.data() + static_cast<ptrdiff_t>(y) * columns.output * channels);
    }
    // Rows were written from the last to the first: each by itself.
    ASSERT_EQ(to.codes(), expected) << rows.input << "x" << columns.input << " to " << rows.output << "x" << columns.output << ", "
                                    << channels << " channels, option " << i % 3;
    ASSERT_TRUE(to.is_untouched_before());
    ++runs;
  }
  EXPECT_GE(runs, 200);
}

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

// Windows so large that single precision no longer tells halves from what lies beside them.
TEST(AveragePool, HalvesOfManyPixels) {
  constexpr int kHeight = 431, kWidth = 433, kPixels = kHeight * kWidth, kChannels = 16;
  PoolShape shape;
  shape.channels = kChannels;
  shape.rows = Axis(kHeight, kHeight, 1, false);
  shape.columns = Axis(kWidth, kWidth, 1, false);
  Codes input(static_cast<size_t>(kPixels) * kChannels);
  for (int channel = 0; channel < kChannels; ++channel) {
    const int larger = kPixels / 2 + channel % 3;
    for (int pixel = 0; pixel < kPixels; ++pixel) {
      const int magnitude = 126 - channel / 3 + (pixel < larger);
      input[static_cast<size_t>(pixel) * kChannels + channel] = static_cast<int8_t>(channel % 2 == 0 ? magnitude : -magnitude);
    }
  }
  Codes expected(kChannels), output(kChannels);
  ReferenceAveragePool(shape, input.data(), expected.data());
  for (const NamedKernels& named : AllKernels()) {
    named.kernels.average_pool(shape, input.data(), 0, 1, output.data());
    EXPECT_EQ(output, expected) << named.name;
  }
}

}  // namespace
}  // namespace tflite_eq
