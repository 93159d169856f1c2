// Images, filters, strides and dilations of every size, in units and rows of every length.
#include <algorithm>

#include "delegate/kernels/conv_kernel_fixture.h"
#include "delegate/kernels/reference.h"

namespace tflite_eq {
namespace {

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

// As many rows and columns of padding on either side as a PAD in front may have added: twice what SAME adds, and more outputs than inputs.
TEST_P(ConvKernelTest, AsMuchPaddingOnEitherSideAsFiltersReach) {
  for (int filter : {3, 5}) {
    for (int stride : {1, 2}) {
      for (int dilation : {1, 2}) {
        if (winograd() && (filter != 3 || stride != 1 || dilation != 1)) continue;
        const int reach = (filter - 1) * dilation;
        for (int sides = 1; sides < 16; ++sides) {
          const int top = sides & 1 ? reach : 0, bottom = sides & 2 ? reach : 0;
          const int left = sides & 4 ? reach : 0, right = sides & 8 ? reach : 0;
          for (int size : {1, 2, 9}) {
            const int in = 1 + static_cast<int>(random_() % 40), out = 1 + static_cast<int>(random_() % 40);
            ConvShape s = ShapeOf({1 + size % 2, size, size % 5 + 1, in, out, filter, filter, stride, stride, dilation, dilation});
            if (s.input_height + top + bottom <= reach || s.input_width + left + right <= reach) continue;
            s.output_height = (s.input_height + top + bottom - reach - 1) / stride + 1;
            s.output_width = (s.input_width + left + right - reach - 1) / stride + 1;
            s.pad_top = top;
            s.pad_left = left;
            RandomProblem p;
            ProblemOptions options;
            options.values = ordinary();
            FillRandomProblem(s, options, &random_, &p);
            Check(p, 1 + size % 2);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

// As parts of another's pixels; codes outside the window among them.
TEST_P(ConvKernelTest, OutputsWithinLargerPixels) {
  if (!FindKernel(GetParam().algorithm, GetParam().isa)->places_outputs) GTEST_SKIP() << "pixels follow each other";
  for (int filter : {1, 3}) {
    if (filter == 1 && winograd()) continue;
    for (int in : {3, 16, 40}) {
      for (int out : {5, 16, 20, 64}) {
        for (int width : {1, 3, 18}) {
          ConvShape s = ShapeOf({2, 6, width, in, out, filter, filter, 1, 1, 1, 1});
          ResolvePadding(Padding::kSame, &s);
          RandomProblem p;
          ProblemOptions options;
          options.values = ordinary();
          FillRandomProblem(s, options, &random_, &p);
          if (seven_bits()) p.input[p.input.size() / 2] = 127;
          const int workers = 1 + width % 2;
          PreparedConv conv;
          Reason reason;
          ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, workers, &reason)) << reason.text;
          for (int gap : {1, 64}) {
            conv.PlaceOutputs(out + gap);
            CheckPrepared(p, conv, workers, gap);
          }
          conv.PlaceOutputs(0);
          CheckPrepared(p, conv, workers);
        }
      }
    }
  }
}

// Some rows at a time, and of the input those under them alone (Conv2d::SetRowWork): what lies around may be anything.
TEST_P(ConvKernelTest, RowsOneByOne) {
  if (FindKernel(GetParam().algorithm, GetParam().isa)->run_rows == nullptr) GTEST_SKIP() << "computes whole images";
  constexpr int kGuard = 64;
  for (int filter : {1, 2, 3, 5}) {
    for (int stride : {1, 2, 3}) {
      for (int dilation : {1, 2}) {
        for (int width : {1, 5, 8, 20}) {
          const int in = 1 + static_cast<int>(random_() % 44), out = depthwise() ? in : 1 + static_cast<int>(random_() % 40);
          ConvShape s = ShapeOf({1, 9, width, in, out, filter, filter, stride, random_() % 2 ? stride : 1, dilation, 1});
          if (!ResolvePadding(random_() % 2 || width < filter ? Padding::kSame : Padding::kValid, &s) || IsEmpty(s)) continue;
          RandomProblem p;
          ProblemOptions options;
          options.values = ordinary();
          FillRandomProblem(s, options, &random_, &p);
          PreparedConv conv;
          Reason reason;
          ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 1, &reason)) << reason.text;
          conv.Reshape(s);
          const size_t pixels = static_cast<size_t>(s.output_height) * s.output_width;
          std::vector<int8_t> expected(pixels * s.output_channels), output(expected.size());
          ReferenceConv(p.problem, p.input.data(), expected.data());
          Buffer scratch;
          ASSERT_TRUE(scratch.Allocate(conv.worker_scratch_bytes() + kGuard));
          memset(scratch.as<char>() + conv.worker_scratch_bytes(), 0x5a, kGuard);
          const size_t row_bytes = static_cast<size_t>(s.input_width) * s.input_channels;
          for (int rows : {1, 2, 4}) {
            std::fill(output.begin(), output.end(), int8_t{99});
            for (int row = 0; row < s.output_height; row += rows) {
              const int end = std::min(row + rows, s.output_height);
              const int first = row * s.stride_height - s.pad_top;
              const int last = (end - 1) * s.stride_height - s.pad_top + (filter - 1) * dilation + s.stride_height;
              std::vector<int8_t> input(p.input.size() + 128);
              for (int8_t& code : input) code = static_cast<int8_t>(random_());
              for (int y = std::max(first, 0); y < std::min(last, s.input_height); ++y) {
                std::copy_n(p.input.data() + y * row_bytes, row_bytes, input.data() + y * row_bytes);
              }
              conv.RunRows(row, end, input.data(), output.data(), scratch.as<void>());
              for (int i = 0; i < kGuard; ++i) {
                ASSERT_EQ(scratch.as<char>()[conv.worker_scratch_bytes() + i], 0x5a) << "wrote past the scratch";
              }
              memset(scratch.as<void>(), static_cast<int>(random_() % 256), conv.worker_scratch_bytes());
            }
            ASSERT_EQ(output, expected) << filter << 'x' << filter << '/' << s.stride_height << ',' << s.stride_width << " dilation " << dilation
                                        << " width " << width << ' ' << in << "->" << out << " rows " << rows;
          }
        }
      }
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

}  // namespace
}  // namespace tflite_eq
