// Certificates hold exactly where the arithmetic does: bounds are tight, and each kind of offending weight is caught in its
// channel.
#include "delegate/kernels/certificate.h"

#include <vector>

#include "delegate/kernels/geometry.h"
#include "delegate/kernels/reference.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

struct Filter {
  Filter(int channels_in, int channels_out, int8_t value) : weights(static_cast<size_t>(9) * channels_in * channels_out, value) {
    problem.shape.input_height = problem.shape.input_width = 8;
    problem.shape.input_channels = channels_in;
    problem.shape.output_channels = channels_out;
    problem.shape.filter_height = problem.shape.filter_width = 3;
    ResolvePadding(Padding::kSame, &problem.shape);
    problem.weights.filter = weights.data();
  }
  int8_t& at(int k, int position, int c) {
    return weights[(static_cast<size_t>(k) * 9 + position) * problem.shape.input_channels + c];
  }
  std::vector<int8_t> weights;
  ConvProblem problem;
};

TEST(ChannelRange, IsReachedByTheExtremeCodes) {
  Filter f(3, 2, 5);
  f.at(1, 4, 2) = -7;
  f.problem.quantization.input_zero_point = 13;
  const std::vector<int32_t> bias = {100, -1000};
  f.problem.weights.bias = bias.data();
  for (int k = 0; k < 2; ++k) {
    int64_t low = bias[k], high = bias[k];
    for (int i = 0; i < 27; ++i) {
      const int w = f.weights[27 * k + i];
      low += w > 0 ? w * (-128 - 13) : w * (127 - 13);
      high += w > 0 ? w * (127 - 13) : w * (-128 - 13);
    }
    const AccumulatorRange range = ChannelRange(f.problem, k);
    EXPECT_EQ(range.min, low);
    EXPECT_EQ(range.max, high);
  }
}

int Parts(const ConvProblem& problem, int bits, int first = 0, int count = 1 << 20) {
  Reason reason;
  return WinogradParts(problem, bits, first, count, &reason);
}

TEST(WinogradParts, OneUpToTheLastChannelTheBoundAllows) {
  // 128 * 9 * 127 * C < 2^25 up to C = 229.
  EXPECT_EQ(Parts(Filter(229, 3, 127).problem, kWinogradF43Bits), 1);
  EXPECT_EQ(Parts(Filter(230, 3, 127).problem, kWinogradF43Bits), 2);
  EXPECT_EQ(Parts(Filter(3669, 1, 127).problem, kWinogradF23Bits), 1);
  EXPECT_EQ(Parts(Filter(3670, 1, 127).problem, kWinogradF23Bits), 2);
}

TEST(WinogradParts, OnlyTheOutputChannelsAskedAbout) {
  Filter f(230, 5, 20);
  for (int i = 0; i < 9; ++i) {
    for (int c = 0; c < 230; ++c) f.at(3, i, c) = -127;
  }
  EXPECT_EQ(Parts(f.problem, kWinogradF43Bits), 2);
  EXPECT_EQ(Parts(f.problem, kWinogradF43Bits, 0, 3), 1);
  EXPECT_EQ(Parts(f.problem, kWinogradF43Bits, 3, 2), 2);
  EXPECT_EQ(Parts(f.problem, kWinogradF43Bits, 4, 1), 1);
}

TEST(WinogradParts, EveryPartSatisfiesTheBound) {
  // All weight in the first 256 of 512 channels: halves would not do.
  Filter f(512, 1, 0);
  for (int i = 0; i < 9; ++i) {
    for (int c = 0; c < 256; ++c) f.at(0, i, c) = 127;
  }
  const int parts = Parts(f.problem, kWinogradF43Bits);
  EXPECT_EQ(parts, 3);
  int covered = 0;
  for (int part = 0; part < parts; ++part) {
    const int begin = WinogradPartBegin(512, parts, part);
    const int end = WinogradPartBegin(512, parts, part + 1);
    EXPECT_EQ(begin, covered);
    EXPECT_EQ(begin % kWinogradPartChannels, 0);
    const int heavy = (end < 256 ? end : 256) - (begin < 256 ? begin : 256);
    EXPECT_LT(128 * 9 * 127 * heavy, 1 << kWinogradF43Bits);
    covered = end;
  }
  EXPECT_EQ(covered, 512);
}

TEST(WinogradParts, ReachTheExtremesOfTheZeroPoint) {
  Filter f(1000, 1, 127);
  f.problem.quantization.input_zero_point = 127;
  // 255 * 9 * 127 * C < 2^25 up to C = 115, three blocks.
  const int parts = Parts(f.problem, kWinogradF43Bits);
  EXPECT_GE(parts, 11);
  EXPECT_LE(parts, 16);
}

TEST(CertifyWinogradF43, AccumulatorsMustStayInInt32) {
  // 128 * 9 * 127 * C < 2^31 up to C = 14678.
  Filter f(14679, 2, 1);
  for (int i = 0; i < 9; ++i) {
    for (int c = 0; c < 14679; ++c) f.at(1, i, c) = -127;
  }
  Reason reason;
  EXPECT_FALSE(CertifyWinogradF43(f.problem, &reason));
  EXPECT_STREQ(reason.text, "bound |accumulator| <= 2147596416 is not below 2^31 in channel 1");
  EXPECT_FALSE(CertifyWinogradF23(f.problem, &reason));
  EXPECT_TRUE(CertifyWinogradF43(Filter(14678, 1, 127).problem, &reason));
}

TEST(CertifyWinogradF43, LargeBiasesComeLateAndDoNotCount) {
  // Channels that training left near zero have such biases.
  Filter f(1, 2, 1);
  const std::vector<int32_t> bias = {-(1 << 30), 1000};
  f.problem.weights.bias = bias.data();
  Reason reason;
  EXPECT_TRUE(CertifyWinogradF43(f.problem, &reason)) << reason.text;
  EXPECT_TRUE(BiasComesLate(f.problem, 0));
  EXPECT_FALSE(BiasComesLate(f.problem, 1));
}

TEST(Certificates, RefuseOtherShapes) {
  Filter f(4, 4, 1);
  f.problem.shape.dilation_width = 2;
  Reason reason;
  bool two_taps;
  EXPECT_FALSE(CertifyWinogradF43(f.problem, &reason));
  EXPECT_FALSE(CertifyWinogradF23(f.problem, &reason));
  EXPECT_FALSE(CertifyWinograd1d(f.problem, &two_taps, &reason));
}

// Classifies a filter that is zero but for one triplet, in every row and channel it can be in.
Winograd1dForm ClassifyTriplet(int w0, int w1, int w2) {
  Winograd1dForm form = Winograd1dForm::kNone;
  for (int row = 0; row < 3; ++row) {
    for (int c = 0; c < 2; ++c) {
      Filter f(2, 1, 0);
      f.at(0, 3 * row, c) = static_cast<int8_t>(w0);
      f.at(0, 3 * row + 1, c) = static_cast<int8_t>(w1);
      f.at(0, 3 * row + 2, c) = static_cast<int8_t>(w2);
      const Winograd1dForm here = ClassifyWinograd1d(f.weights.data(), 2);
      if (row + c > 0) {
        EXPECT_EQ(here, form);
      }
      form = here;
    }
  }
  return form;
}

TEST(ClassifyWinograd1d, DrawsTheLinesWhereTheSumsLeaveInt8) {
  EXPECT_EQ(ClassifyTriplet(42, 43, 42), Winograd1dForm::kHalveSums);      // sum 127
  EXPECT_EQ(ClassifyTriplet(43, 43, 42), Winograd1dForm::kHalveWeights);   // sum 128, even
  EXPECT_EQ(ClassifyTriplet(43, 43, 43), Winograd1dForm::kTwoTaps);        // sum 129, odd
  EXPECT_EQ(ClassifyTriplet(127, 0, 127), Winograd1dForm::kHalveWeights);  // both sums 254
  EXPECT_EQ(ClassifyTriplet(127, 1, 127), Winograd1dForm::kNone);          // odd, and w0 + w1 = 128
  EXPECT_EQ(ClassifyTriplet(64, 127, 65), Winograd1dForm::kNone);          // even, but 256 / 2 is no int8
  EXPECT_EQ(ClassifyTriplet(63, 63, 63), Winograd1dForm::kTwoTaps);
  EXPECT_EQ(ClassifyTriplet(-63, 63, -63), Winograd1dForm::kTwoTaps);      // w0 - w1 + w2 = -189, odd
  EXPECT_EQ(ClassifyTriplet(-128, 0, -128), Winograd1dForm::kHalveWeights);
  EXPECT_EQ(ClassifyTriplet(-64, 0, -64), Winograd1dForm::kHalveWeights);
  EXPECT_EQ(ClassifyTriplet(-64, -1, -64), Winograd1dForm::kTwoTaps);      // -129
}

TEST(CertifyWinograd1d, NamesTheOffendingChannel) {
  Filter f(4, 6, 1);
  f.at(4, 3, 1) = 127;
  f.at(4, 4, 1) = 127;
  f.at(4, 5, 1) = 127;
  bool two_taps;
  Reason reason;
  EXPECT_FALSE(CertifyWinograd1d(f.problem, &two_taps, &reason));
  EXPECT_STREQ(reason.text, "sums of horizontal taps leave int8 in channel 4");
}

TEST(CertifyWinograd1d, RefusesChannelsWithoutACommonForm) {
  Filter f(1, 3, 0);
  f.at(0, 0, 0) = f.at(0, 1, 0) = f.at(0, 2, 0) = 63;  // two taps only
  f.at(2, 0, 0) = 120;                                   // 120 + 8 leaves int8, halving works
  f.at(2, 1, 0) = 8;
  bool two_taps;
  Reason reason;
  EXPECT_FALSE(CertifyWinograd1d(f.problem, &two_taps, &reason));
  EXPECT_STREQ(reason.text, "channels need different forms of the 1-D kernel, and w0 + w1 leaves int8 in channel 2");
}

TEST(CertifyWinograd1d, TellsTheForm) {
  bool two_taps;
  Reason reason;
  EXPECT_TRUE(CertifyWinograd1d(Filter(4, 4, 2).problem, &two_taps, &reason));
  EXPECT_FALSE(two_taps);
  EXPECT_TRUE(CertifyWinograd1d(Filter(4, 4, 63).problem, &two_taps, &reason));
  EXPECT_TRUE(two_taps);
}

}  // namespace
}  // namespace tflite_eq
