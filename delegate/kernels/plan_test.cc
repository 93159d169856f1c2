// The selection table, case by case. No kernel runs and no CPU is asked: policies for other machines are tested on this one.
#include "delegate/kernels/plan.h"

#include <algorithm>
#include <iterator>
#include <random>
#include <string>

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/geometry.h"
#include "delegate/kernels/kernel_list.h"
#include "delegate/kernels/random_problem.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

constexpr CpuProfile kServer = {Isa::kAvx512Vnni, /*two_vnni_units=*/true};
constexpr CpuProfile kOneUnit = {Isa::kAvx512Vnni, /*two_vnni_units=*/false};
constexpr CpuProfile kAmx = {Isa::kAvx512Vnni, /*two_vnni_units=*/true, Peer::kAmx};
constexpr CpuProfile kAvx2 = {Isa::kAvx2};
constexpr CpuProfile kNeon = {Isa::kNeon};
constexpr CpuProfile kInOrder = {Isa::kNeon, false, Peer::kSameInstructions, 1, /*in_order=*/true};
constexpr CpuProfile kDotprod = {Isa::kNeonDotprod};
constexpr CpuProfile kI8mm = {Isa::kNeonI8mm};
constexpr CpuProfile kSme = {Isa::kNeonI8mm, false, Peer::kSme};
constexpr CpuProfile kAvxVnni = {Isa::kAvx2, false, Peer::kAvxVnni};
constexpr CpuProfile kAvx512 = {Isa::kAvx2, false, Peer::kAvx512};
constexpr CpuProfile kScalar = {Isa::kScalar};

// A layer of random weights of the given kind.
void MakeLayer(int size, int in, int out, Values values, RandomProblem* p, int filter = 3, int stride = 1) {
  std::mt19937 random(1);
  ConvShape s;
  s.input_height = s.input_width = size;
  s.input_channels = in;
  s.output_channels = out;
  s.filter_height = s.filter_width = filter;
  s.stride_height = s.stride_width = stride;
  ResolvePadding(Padding::kSame, &s);
  ProblemOptions options;
  options.values = values;
  FillRandomProblem(s, options, &random, p);
}

Plan Choose(int size, int in, int out, Values values, const CpuProfile& cpu, int filter = 3, int stride = 1,
            int zero_point = 0) {
  RandomProblem p;
  MakeLayer(size, in, out, values, &p, filter, stride);
  p.problem.quantization.input_zero_point = zero_point;
  return ChooseKernel(p.problem, cpu);
}

TEST(ChooseKernel, OneDimensionalForInt7WithTwoVnniUnits) {
  for (int size : {7, 14, 28, 56}) {
    const Plan plan = Choose(size, 64, 64, Values::kEvenTriplets, kServer);
    EXPECT_TRUE(plan.claim) << plan.reason.text;
    EXPECT_EQ(plan.algorithm, Algorithm::kWinograd1d);
  }
}

TEST(ChooseKernel, OneVnniUnitKeepsF43WhereItIsFasterThanOneDimensional) {
  const auto chosen = [](int size, int in, int out) {
    return Choose(size, in, out, Values::kEvenTriplets, kOneUnit).algorithm;
  };
  EXPECT_EQ(chosen(56, 64, 64), Algorithm::kWinogradF43);
  EXPECT_EQ(chosen(28, 128, 128), Algorithm::kWinogradF43);
  EXPECT_EQ(chosen(28, 64, 64), Algorithm::kWinograd1d) << "as fast, with a sixth of the weights";
  EXPECT_EQ(chosen(112, 32, 64), Algorithm::kWinogradF43) << ".75 ms, 1-D .78 to .86";
  EXPECT_EQ(chosen(14, 128, 128), Algorithm::kWinograd1d) << "tiles that are not full";
  EXPECT_EQ(chosen(28, 256, 256), Algorithm::kWinogradF43) << "weights that are fetched while as much again is computed";
  EXPECT_EQ(chosen(7, 512, 512), Algorithm::kWinograd1d);
}

TEST(ChooseKernel, PlainInt7TakesF43WhereItFitsAndTwoTapsElsewhere) {
  EXPECT_EQ(Choose(28, 128, 128, Values::kPlainInt7, kOneUnit).algorithm, Algorithm::kWinogradF43);
  EXPECT_EQ(Choose(14, 256, 256, Values::kPlainInt7, kOneUnit).algorithm, Algorithm::kWinograd1d);
}

TEST(ChooseKernel, ZeroPointOutsideTheWindowIsNoInt7) {
  // Padding would send every border row to the fallback.
  EXPECT_NE(Choose(28, 64, 64, Values::kEvenTriplets, kServer, 3, 1, -128).algorithm, Algorithm::kWinograd1d);
}

TEST(ChooseKernel, F43ForInt8WhereFetchingItsWeightsTakesLessThanItSaves) {
  EXPECT_EQ(Choose(56, 64, 64, Values::kInt8, kOneUnit).algorithm, Algorithm::kWinogradF43);
  EXPECT_EQ(Choose(28, 128, 128, Values::kInt8, kServer).algorithm, Algorithm::kWinogradF43);
  const Plan plan = Choose(14, 256, 256, Values::kInt8, kOneUnit);
  EXPECT_FALSE(plan.claim);
  EXPECT_NE(std::string(plan.reason.text).find("F(4x4,3x3) saves less than fetching its 4.3 MB from memory can take"),
            std::string::npos)
      << plan.reason.text;
  EXPECT_EQ(Choose(28, 256, 256, Values::kInt8, kOneUnit).algorithm, Algorithm::kWinogradF43);
  EXPECT_EQ(Choose(7, 512, 512, Values::kInt8, kServer).algorithm, Algorithm::kDirect);
}

// XNNPACK's time over F(4,3)'s on Zen 4 with two threads: 20x20x256 1.24, 14x14x256 .79, 28x28x512 1.73, 14x14x512 .76.
TEST(ChooseKernel, ThreadsShareThePathToWeightsBeyondTheirCaches) {
  const auto claims = [](int size, int channels, int threads) {
    CpuProfile cpu = kOneUnit;
    cpu.threads = threads;
    return Choose(size, channels, channels, Values::kInt8, cpu).claim;
  };
  EXPECT_TRUE(claims(20, 256, 1));
  EXPECT_TRUE(claims(20, 256, 2));
  EXPECT_FALSE(claims(20, 256, 4));
  EXPECT_FALSE(claims(14, 256, 2));
  EXPECT_TRUE(claims(28, 512, 2));
  EXPECT_FALSE(claims(14, 512, 2));
  EXPECT_TRUE(claims(28, 64, 8)) << "what fits into each core's cache";
}

TEST(ChooseKernel, DirectWithTwoVnniUnitsOrFewProductsForAnOutput) {
  EXPECT_EQ(Choose(14, 256, 256, Values::kInt8, kServer).algorithm, Algorithm::kDirect);
  EXPECT_EQ(Choose(28, 128, 256, Values::kInt8, kServer, 3, 2).algorithm, Algorithm::kDirect);
  EXPECT_FALSE(Choose(28, 128, 256, Values::kInt8, kOneUnit, 3, 2).claim);
  EXPECT_EQ(Choose(28, 16, 64, Values::kInt8, kServer, 1, 1).algorithm, Algorithm::kDirect);
  EXPECT_EQ(Choose(56, 16, 64, Values::kInt8, kOneUnit, 1, 1).algorithm, Algorithm::kDirect);
  EXPECT_GT(Choose(112, 24, 48, Values::kInt8, kOneUnit, 1, 1).saved_multiplications, 0);
  EXPECT_FALSE(Choose(14, 384, 384, Values::kInt8, kOneUnit, 1, 1).claim) << "requantization is a small part";
  EXPECT_FALSE(Choose(7, 8, 16, Values::kInt8, kOneUnit, 1, 1).claim) << "setting it up takes longer";
}

TEST(ChooseKernel, DirectForAFirstLayerOnAnyVnni) {
  EXPECT_EQ(Choose(56, 3, 64, Values::kInt8, kOneUnit, 7, 2).algorithm, Algorithm::kDirect);
  EXPECT_STREQ(Choose(56, 3, 64, Values::kInt8, kOneUnit, 3, 2).reason.text,
               "direct on avx512_vnni: XNNPACK pads so few input channels to eight; here filter rows are dense");
  EXPECT_STREQ(Choose(56, 8, 64, Values::kInt8, kServer, 7, 2).reason.text, "direct on avx512_vnni: no sign flips between products");
}

TEST(ChooseKernel, RefusesPoorTileUseAndFewChannels) {
  EXPECT_STREQ(Choose(13, 64, 64, Values::kInt8, kOneUnit).reason.text,
               "XNNPACK is as fast here: AVX-512 VNNI, direct convolution (F(4x4,3x3) would take 1 % more time)");
  EXPECT_FALSE(Choose(16, 16, 16, Values::kInt8, kOneUnit).claim);
}

// XNNPACK's time over the kernels', 56x56x16->64: two taps 1.17, direct 1.10, triplets 1.35, F(4,3) 1.17.
TEST(ChooseKernel, OneVnniUnitTakesFewInputChannels) {
  EXPECT_EQ(Choose(56, 16, 64, Values::kInt8, kOneUnit).algorithm, Algorithm::kWinogradF43);
  EXPECT_EQ(Choose(56, 16, 128, Values::kInt8, kOneUnit).algorithm, Algorithm::kWinogradF43);
  EXPECT_EQ(Choose(112, 16, 32, Values::kInt8, kOneUnit).algorithm, Algorithm::kWinogradF43);
  EXPECT_EQ(Choose(56, 16, 64, Values::kPlainInt7, kOneUnit).algorithm, Algorithm::kWinograd1d);
  EXPECT_EQ(Choose(56, 16, 64, Values::kEvenTriplets, kOneUnit).algorithm, Algorithm::kWinograd1d);
  EXPECT_NE(Choose(56, 16, 64, Values::kEvenTriplets, kServer).algorithm, Algorithm::kWinograd1d) << "not measured";
}

TEST(ChooseKernel, Avx2TakesWhatIsCertified) {
  EXPECT_EQ(Choose(56, 64, 64, Values::kInt8, kAvx2).algorithm, Algorithm::kWinogradF43);
  EXPECT_EQ(Choose(56, 64, 64, Values::kEvenTriplets, kAvx2).algorithm, Algorithm::kWinogradF43);
  EXPECT_EQ(Choose(7, 512, 512, Values::kInt8, kAvx2).algorithm, Algorithm::kWinogradF23);
}

TEST(ChooseKernel, Avx2TakesOtherConvolutionsMoreSoOfInt7) {
  constexpr int kBehindRelu = -128;  // zero point of eight bits; of seven it is 0
  for (int filter : {1, 3}) {
    const Plan eight = Choose(56, 64, 64, Values::kInt8, kAvx2, filter, 2, kBehindRelu);
    const Plan seven = Choose(56, 64, 64, Values::kInt8, kAvx2, filter, 2, 0);
    EXPECT_EQ(eight.algorithm, Algorithm::kDirect) << eight.reason.text;
    EXPECT_EQ(seven.algorithm, Algorithm::kDirectInt7) << seven.reason.text;
    EXPECT_GT(seven.saved_multiplications, 1.3 * eight.saved_multiplications);
  }
  // Where the zero point is that of many signed tensors, the weights have to say so too.
  EXPECT_EQ(Choose(56, 64, 64, Values::kInt8, kAvx2, 1, 1, 7).algorithm, Algorithm::kDirect);
  EXPECT_EQ(Choose(56, 64, 64, Values::kPlainInt7, kAvx2, 1, 1, 7).algorithm, Algorithm::kDirectInt7);
  EXPECT_FALSE(Choose(56, 16, 16, Values::kPlainInt7, kAvx2, 1).claim) << "few products for what is written";
}

TEST(ChooseKernel, WeightsBeyondTheBoundAreMultipliedInParts) {
  for (const CpuProfile& cpu : {kServer, kOneUnit, kAvx2}) {
    const Plan plan = Choose(28, 128, 128, Values::kPositive, cpu, 3, 1, -128);
    EXPECT_EQ(plan.algorithm, Algorithm::kWinogradF43);
    EXPECT_NE(std::string(plan.reason.text).find(", in 2 parts of the input channels"), std::string::npos)
        << plan.reason.text;
  }
}

TEST(ChooseKernel, Armv8TakesInt16Winograd) {
  for (const CpuProfile& cpu : {kNeon, kInOrder}) {
    for (Values values : {Values::kInt8, Values::kEvenTriplets}) {
      EXPECT_EQ(Choose(56, 64, 64, values, cpu).algorithm, Algorithm::kWinogradF43);
      EXPECT_EQ(Choose(14, 256, 256, values, cpu).algorithm, Algorithm::kWinogradF43);
    }
    EXPECT_EQ(Choose(7, 512, 512, Values::kInt8, cpu, 3, 1, 5).algorithm, Algorithm::kWinogradF43);
  }
  EXPECT_FALSE(Choose(2, 64, 64, Values::kInt8, kNeon).claim) << "a quarter of a 4x4 tile";
}

// Estimated cycles (docs/arm64.md): XNNPACK multiplies 7.4 times in a cycle of Cortex-A72, as many as there are, and 2.9 times in one of
// Cortex-A53, whose direct kernel does six.
TEST(ChooseKernel, Armv8TakesOtherConvolutionsWhereItsCoresIssueInOrder) {
  for (int stride : {1, 2}) {
    EXPECT_EQ(Choose(14, 256, 256, Values::kPlainInt7, kInOrder, 1, stride).algorithm, Algorithm::kDirectInt7);
    EXPECT_EQ(Choose(14, 256, 256, Values::kInt8, kInOrder, 1, stride).algorithm, Algorithm::kDirectInt7);
    EXPECT_NE(Choose(14, 256, 256, Values::kInt8, kInOrder, 1, stride, 5).algorithm, Algorithm::kDirectInt7) << "a signed tensor";
    EXPECT_NE(Choose(14, 256, 256, Values::kPlainInt7, kInOrder, 1, stride, -128).algorithm, Algorithm::kDirectInt7);
    EXPECT_FALSE(Choose(14, 256, 256, Values::kPlainInt7, kNeon, 1, stride).claim);
  }
  EXPECT_FALSE(Choose(112, 24, 48, Values::kPlainInt7, kInOrder, 1, 1).claim);
  // A first layer's whole filter is two vectors, which XNNPACK's kernel takes apart.
  for (const CpuProfile& cpu : {kNeon, kInOrder}) {
    EXPECT_EQ(Choose(112, 3, 24, Values::kInt8, cpu, 3, 2).algorithm, Algorithm::kDirect);
    EXPECT_EQ(Choose(112, 3, 16, Values::kInt8, cpu).algorithm, Algorithm::kDirect);
    EXPECT_EQ(Choose(112, 3, 64, Values::kInt8, cpu, 7, 2).algorithm, Algorithm::kDirect);
  }
}

TEST(ChooseKernelBetween, TakesWhatLosesLittleWhereThatIsKnown) {
  RandomProblem p;
  MakeLayer(56, 16, 64, Values::kPlainInt7, &p, 1);
  p.problem.quantization.input_zero_point = 0;
  for (const CpuProfile& cpu : {kNeon, kInOrder}) {
    const Plan plan = ChooseKernelBetween(p.problem, cpu);
    EXPECT_TRUE(plan.claim) << plan.reason.text;
    EXPECT_LT(plan.saved_multiplications, 0);
  }
  EXPECT_FALSE(ChooseKernelBetween(p.problem, kDotprod).claim);
}

TEST(ChooseKernel, ArmDotProductsTakeInt7) {
  for (const CpuProfile& cpu : {kDotprod, kI8mm}) {
    EXPECT_EQ(Choose(56, 64, 64, Values::kEvenTriplets, cpu).algorithm, Algorithm::kWinograd1d);
    EXPECT_EQ(Choose(7, 512, 512, Values::kPlainInt7, cpu).algorithm, Algorithm::kWinograd1d);
    EXPECT_FALSE(Choose(56, 64, 64, Values::kEvenTriplets, cpu, 3, 1, -128).claim);
    EXPECT_FALSE(Choose(28, 128, 256, Values::kPlainInt7, cpu, 3, 2).claim);
    EXPECT_FALSE(Choose(14, 256, 256, Values::kPlainInt7, cpu, 1, 1).claim);
  }
}

TEST(ChooseKernel, ArmDotProductsLeaveInt8ButForFirstLayers) {
  for (const CpuProfile& cpu : {kDotprod, kI8mm}) {
    const Plan plan = Choose(28, 128, 128, Values::kInt8, cpu);
    EXPECT_FALSE(plan.claim);
    EXPECT_NE(std::string(plan.reason.text).find("XNNPACK is as fast here: ARM with dot products, not INT7"), std::string::npos)
        << plan.reason.text;
    EXPECT_EQ(Choose(112, 3, 64, Values::kInt8, cpu, 7, 2).algorithm, Algorithm::kDirect);
    EXPECT_FALSE(Choose(112, 8, 64, Values::kInt8, cpu, 7, 2).claim);
    EXPECT_EQ(Choose(112, 3, 32, Values::kInt8, cpu, 3, 2).algorithm, Algorithm::kDirect);
    // XNNPACK computes 32 output channels, too.
    EXPECT_GT(Choose(112, 3, 24, Values::kInt8, cpu, 3, 2).saved_multiplications,
              Choose(112, 3, 32, Values::kInt8, cpu, 3, 2).saved_multiplications * .75);
  }
}

// Estimated cycles on Cortex-A53, in millions: 11.3 by Winograd's kernel for 16->32 channels of 112x112, 22.5 by XNNPACK's; 7.7 and 14.4
// for Winograd's and the direct kernel with 32->256 of 28x28; 26.5 and, in INT7, 34.8 with 512 of 7x7.
TEST(ChooseKernel, TransformsPayFromSixteenChannelsOnWhereCoresIssueInOrder) {
  for (Values values : {Values::kInt8, Values::kPlainInt7}) {
    EXPECT_EQ(Choose(112, 16, 32, values, kInOrder).algorithm, Algorithm::kWinogradF43);
    EXPECT_EQ(Choose(28, 32, 256, values, kInOrder).algorithm, Algorithm::kWinogradF43);
  }
  EXPECT_EQ(Choose(7, 512, 512, Values::kPlainInt7, kInOrder).algorithm, Algorithm::kWinogradF43);
}

TEST(ChooseKernel, FasterInstructionsAreLeftToXnnpack) {
  for (const CpuProfile& cpu : {kAmx, kSme, kAvxVnni}) {
    for (Values values : {Values::kInt8, Values::kPlainInt7, Values::kEvenTriplets}) {
      for (int size : {7, 14, 28, 56}) EXPECT_FALSE(Choose(size, 128, 128, values, cpu).claim);
      EXPECT_FALSE(Choose(56, 128, 128, values, cpu, 3, 2).claim);
      EXPECT_FALSE(Choose(56, 128, 128, values, cpu, 1, 1).claim);
      EXPECT_EQ(Choose(112, 3, 64, values, cpu, 7, 2).claim, cpu.peer == Peer::kAmx);
    }
  }
  CpuProfile other = kAmx;
  other.isa = Isa::kAvx2;
  EXPECT_STREQ(Choose(112, 3, 64, Values::kInt8, other, 7, 2).reason.text, "XNNPACK is faster here: its int8 kernels use AMX");
  other.isa = Isa::kAvx512Vnni;
  other.two_vnni_units = false;
  EXPECT_FALSE(Choose(112, 3, 64, Values::kInt8, other, 7, 2).claim) << "no AMX was measured beside one unit";
  EXPECT_STREQ(Choose(56, 64, 64, Values::kInt8, kSme).reason.text,
               "XNNPACK is faster here: its int8 kernels use SME");
  // What a process gets that may not use tiles.
  EXPECT_TRUE(Choose(56, 64, 64, Values::kInt8, kServer).claim);
}

// An output pixel costs AMX as much with few channels as with many. Milliseconds of XNNPACK on AMX, on VNNI, and of the direct kernel, as
// measured on an Intel server core with LiteRT 2.3.
TEST(ChooseKernel, AmxIsSlowWhereProductsAreFew) {
  const auto claims = [](int size, int inputs, int outputs, int kernel, int stride) {
    return Choose(size, inputs, outputs, Values::kInt8, kAmx, kernel, stride).claim;
  };
  EXPECT_TRUE(claims(224, 3, 32, 3, 2));     // .424, .191, .077
  EXPECT_TRUE(claims(112, 8, 16, 3, 1));     // .427, .166, .089
  EXPECT_TRUE(claims(56, 16, 32, 3, 1));     // .109, .082, .050
  EXPECT_TRUE(claims(112, 16, 32, 1, 1));    // .181, .079, .059
  EXPECT_FALSE(claims(56, 64, 64, 3, 1));    // .129, .459, .243 (F(4,3))
  EXPECT_FALSE(claims(28, 32, 64, 3, 1));    // .032, .058, .048
  EXPECT_FALSE(claims(56, 64, 128, 1, 1));   // .083, .150, .113
  EXPECT_FALSE(claims(14, 512, 512, 1, 1));  // .054, .190, .141
}

TEST(ChooseKernel, Avx2GainsLessOverAvx512) {
  const Plan wide = Choose(56, 64, 64, Values::kInt8, kAvx512);
  EXPECT_EQ(wide.algorithm, Algorithm::kWinogradF43);
  EXPECT_LT(wide.saved_multiplications, Choose(56, 64, 64, Values::kInt8, kAvx2).saved_multiplications);
  EXPECT_FALSE(Choose(5, 16, 16, Values::kInt8, kAvx512).claim);
}

TEST(PeerInstructions, AreTheFastestThatXnnpackHas) {
  EXPECT_STREQ(PeerInstructions(kOneUnit), "AVX-512 VNNI");
  EXPECT_STREQ(PeerInstructions(kAmx), "AMX");
  EXPECT_STREQ(PeerInstructions(kAvxVnni), "AVX-VNNI");
  EXPECT_STREQ(PeerInstructions(kSme), "SME");
  EXPECT_STREQ(PeerInstructions(kI8mm), "NEON i8mm");
}

// Layers of YOLOv5n at 320x320 pixels, and others that win in a benchmark that repeats them, where all data stay in caches.
TEST(ChooseKernel, LayersTooSmallForWhatF43FetchesAreLeft) {
  for (int size : {10, 20, 40}) {
    const int channels = 1280 / size;
    EXPECT_EQ(Choose(size, channels, channels, Values::kInt8, kOneUnit).claim, size == 40) << size;
    EXPECT_NE(Choose(size, channels, channels, Values::kInt8, kServer).algorithm, Algorithm::kWinogradF43) << size;
  }
  EXPECT_FALSE(Choose(14, 32, 32, Values::kInt8, kOneUnit).claim);
  const Plan plan = Choose(20, 64, 64, Values::kInt8, kOneUnit);
  EXPECT_NE(std::string(plan.reason.text).find("F(4x4,3x3) saves less than fetching its 0.5 MB from memory can take"),
            std::string::npos)
      << plan.reason.text;
}

// XNNPACK's time over the kernels', in chains on Zen 4 against LiteRT 2.3 (benchmark/compare.py --layer).
TEST(ChooseKernel, OneVnniUnitClaimsWhatWasMeasuredToWin) {
  struct Measured {
    int size, in, out;
    double f43, triplets, two_taps;
    double direct = 1;
  };
  constexpr Measured kMeasured[] = {
      {4, 32, 32, .60, 1.44, 1.27},     {5, 32, 32, .57, 1.15, .99},      {7, 32, 32, .94, 1.11, .95},
      {10, 32, 32, .75, 1.32, 1.12},    {14, 32, 32, .95, 1.29, 1.09},    {20, 32, 32, 1.18, 1.32, 1.10},
      {4, 32, 64, .58, 1.58, 1.37},     {5, 32, 64, .61, 1.22, 1.04},     {7, 32, 64, 1.03, 1.18, 1.00},
      {14, 32, 64, 1.05, 1.36, 1.13},   {28, 32, 64, 1.32, 1.37, 1.13},   {5, 64, 64, .69, 1.20, 1.08},
      {7, 64, 64, 1.12, 1.18, 1.02},    {10, 64, 64, 1.08, 1.48, 1.22},   {14, 64, 64, 1.15, 1.42, 1.16},
      {20, 64, 64, 1.55, 1.44, 1.18},   {56, 64, 64, 1.51, 1.40, 1.16},   {4, 128, 128, .77, 1.76, 1.51},
      {5, 128, 128, .75, 1.35, 1.11},   {7, 128, 128, .88, 1.25, 1.05},   {10, 128, 128, .72, 1.52, 1.24},
      {14, 128, 128, 1.33, 1.35, 1.19}, {28, 128, 128, 1.65, 1.35, 1.18}, {7, 256, 256, .48, 1.25, 1.09},
      {56, 8, 32, .94, 1.19, 1.07, 1.16}, {56, 3, 16, .45, .63, .56, 1.70},
      {56, 16, 64, 1.17, 1.35, 1.17, 1.10}, {16, 16, 16, .70, .72, .62, .89}, {56, 16, 128, 1.28, 1.18, 1.02},
      {112, 16, 32, 1.18, 1.11, 1.11}, {112, 32, 64, 1.40, 1.30, 1.08}, {40, 32, 32, 1.07, 1.3, 1.1},
  };
  for (const Measured& m : kMeasured) {
    for (Values values : {Values::kInt8, Values::kEvenTriplets, Values::kPlainInt7}) {
      const Plan plan = Choose(m.size, m.in, m.out, values, kOneUnit);
      if (!plan.claim) continue;
      const double gain = plan.algorithm == Algorithm::kWinogradF43 ? m.f43
                          : plan.algorithm == Algorithm::kDirect    ? m.direct
                          : values == Values::kEvenTriplets         ? m.triplets
                                                                    : m.two_taps;
      EXPECT_GE(gain, 1.05) << m.size << " " << m.in << "->" << m.out << " " << plan.reason.text;
    }
  }
}

Plan ChooseDepthwise(int size, int channels, const CpuProfile& cpu, int filter = 3, int stride = 1) {
  std::mt19937 random(1);
  ConvShape s;
  s.input_height = s.input_width = size;
  s.input_channels = s.output_channels = channels;
  s.filter_height = s.filter_width = filter;
  s.stride_height = s.stride_width = stride;
  s.depthwise = true;
  ResolvePadding(Padding::kSame, &s);
  RandomProblem p;
  FillRandomProblem(s, ProblemOptions(), &random, &p);
  return ChooseKernel(p.problem, cpu);
}

TEST(ChooseKernel, DepthwiseWhereItWasMeasured) {
  for (const CpuProfile& cpu : {kOneUnit, kServer, kAvx2}) {
    for (int stride : {1, 2}) {
      for (int filter : {3, 5}) {
        const Plan plan = ChooseDepthwise(56, 128, cpu, filter, stride);
        // AVX2 gains little where rows are prepared for one output in four.
        if (!plan.claim && cpu.isa == Isa::kAvx2 && stride == 2 && filter == 3) continue;
        EXPECT_TRUE(plan.claim) << plan.reason.text;
        EXPECT_EQ(plan.algorithm, Algorithm::kDepthwise);
        EXPECT_EQ(plan.isa, cpu.isa);
        EXPECT_GT(plan.saved_multiplications, 0);
      }
    }
  }
  for (const CpuProfile& cpu : {kNeon, kDotprod, kI8mm, kSme, kAvx512, kScalar}) {
    const Plan plan = ChooseDepthwise(56, 128, cpu);
    EXPECT_FALSE(plan.claim) << plan.reason.text;
    EXPECT_EQ(plan.saved_multiplications, 0);
  }
}

TEST(ChooseKernel, DepthwiseGainsOnUnitsThatMultiplyMatricesToo) {
  EXPECT_TRUE(ChooseDepthwise(56, 128, kAmx).claim);
  EXPECT_TRUE(ChooseDepthwise(56, 128, kAvxVnni).claim);
}

TEST(ChooseKernel, DepthwiseSavesMoreTheMoreThereIs) {
  const double small = ChooseDepthwise(14, 128, kOneUnit).saved_multiplications;
  const double large = ChooseDepthwise(56, 128, kOneUnit).saved_multiplications;
  EXPECT_GT(large, 10 * small);
  EXPECT_FALSE(ChooseDepthwise(1, 8, kOneUnit).claim) << "setting it up takes longer";
}

TEST(InsistOnKernel, FindsTheDepthwiseKernel) {
  std::mt19937 random(1);
  ConvShape s;
  s.input_height = s.input_width = 8;
  s.input_channels = 4;
  s.output_channels = 8;
  s.filter_height = s.filter_width = 3;
  s.depthwise = true;
  ResolvePadding(Padding::kSame, &s);
  RandomProblem p;
  FillRandomProblem(s, ProblemOptions(), &random, &p);
  for (const CpuProfile& cpu : {kNeon, kDotprod, kI8mm, kSme, kAvx2, kServer, kAmx, kScalar}) {
    const Plan plan = InsistOnKernel(p.problem, cpu);
    EXPECT_TRUE(plan.claim) << plan.reason.text;
    EXPECT_EQ(plan.algorithm, Algorithm::kDepthwise);
    // What later extensions of ARM add does not concern it.
    EXPECT_EQ(plan.isa, Includes(cpu.isa, Isa::kNeon) ? Isa::kNeon : cpu.isa);
  }
  EXPECT_FALSE(ForceKernel(p.problem, Algorithm::kDirect, Isa::kScalar).claim);
  EXPECT_TRUE(ForceKernel(p.problem, Algorithm::kReference, Isa::kScalar).claim);
}

TEST(ChooseKernel, NothingWithoutVectors) {
  const Plan plan = Choose(56, 64, 64, Values::kInt8, kScalar);
  EXPECT_FALSE(plan.claim);
  EXPECT_NE(std::string(plan.reason.text).find("asked for by name"), std::string::npos);
}

TEST(HasKernel, AnswersForThisArchitectureAsItsTableDoes) {
#if defined(__aarch64__)
  constexpr Isa kArchitecture = Isa::kNeonI8mm;
#else
  constexpr Isa kArchitecture = Isa::kAvx512Vbmi;
#endif
  for (Isa isa : kIsas) {
    if (!Includes(kArchitecture, isa)) continue;
    for (int i = 0; i < kAlgorithmCount; ++i) {
      const Algorithm algorithm = static_cast<Algorithm>(i);
      EXPECT_EQ(HasKernel(algorithm, isa), FindKernel(algorithm, isa) != nullptr) << AlgorithmName(algorithm) << IsaName(isa);
    }
  }
}

// A CPU's set may be more than a named one: what nobody asks for changes nothing.
TEST(ChooseKernel, WhatMoreACpuHasChangesNothing) {
  for (const CpuProfile& cpu : {kServer, kOneUnit, kAvx2, kNeon, kInOrder, kDotprod, kI8mm}) {
    CpuProfile more = cpu;
    more.isa = With(cpu.isa, kHasAvx512Vbmi, true);
    for (int filter : {1, 3, 5}) {
      for (int in : {3, 16, 24, 64, 256}) {
        for (Values values : {Values::kInt8, Values::kEvenTriplets}) {
          const Plan plan = Choose(28, in, 64, values, cpu, filter), other = Choose(28, in, 64, values, more, filter);
          EXPECT_EQ(plan.claim, other.claim);
          EXPECT_EQ(plan.algorithm, other.algorithm);
          EXPECT_EQ(plan.isa, other.isa);
          EXPECT_EQ(plan.saved_multiplications, other.saved_multiplications);
          EXPECT_STREQ(plan.reason.text, other.reason.text);
        }
      }
    }
    EXPECT_EQ(&CostsOf(cpu), &CostsOf(more));
    EXPECT_STREQ(PeerInstructions(cpu), PeerInstructions(more));
  }
}

// Tests and the option `isa` go by these.
TEST(KernelList, EverySetHasAName) {
#define TFLITE_EQ_ISA(name, algorithm, isa) Isa::isa,
  for (Isa needed : {TFLITE_EQ_X86_KERNELS(TFLITE_EQ_ISA) TFLITE_EQ_ARM64_KERNELS(TFLITE_EQ_ISA) TFLITE_EQ_SCALAR_KERNELS(TFLITE_EQ_ISA)}) {
    EXPECT_TRUE(std::count(std::begin(kIsas), std::end(kIsas), needed) == 1) << IsaName(needed) << " and more";
  }
#undef TFLITE_EQ_ISA
}

TEST(BestKernel, IsTheBestThatTheCpuRuns) {
  const auto best = [](Algorithm algorithm, Isa has) {
    Isa needed = Isa::kScalar;
    EXPECT_TRUE(BestKernel(algorithm, has, &needed)) << AlgorithmName(algorithm);
    return needed;
  };
  for (int i = 0; i < kAlgorithmCount; ++i) {
    const Algorithm algorithm = static_cast<Algorithm>(i);
    for (Isa isa : kIsas) {
      if (HasKernel(algorithm, isa)) EXPECT_EQ(best(algorithm, isa), isa) << AlgorithmName(algorithm) << " on " << IsaName(isa);
    }
  }
  EXPECT_EQ(best(Algorithm::kDirectInt7, Isa::kAvx512Vbmi), Isa::kAvx2);
  EXPECT_EQ(best(Algorithm::kWinograd1d, Isa::kNeonI8mm), Isa::kNeonI8mm);
  EXPECT_EQ(best(Algorithm::kWinogradF43, Isa::kNeonI8mm), Isa::kNeon);
  EXPECT_EQ(best(Algorithm::kWinograd1d, Isa::kNeon), Isa::kScalar);
  // Sets that no name stands for: a capability more, and one without another that names have below it.
  EXPECT_EQ(best(Algorithm::kDirect, With(Isa::kAvx2, kHasAvx512Vbmi, true)), Isa::kAvx2);
  EXPECT_EQ(best(Algorithm::kDirect, With(Isa::kNeon, kHasI8mm, true)), Isa::kNeon);
  EXPECT_EQ(best(Algorithm::kDirect, With(Isa::kScalar, kHasAvx512Vnni, true)), Isa::kScalar);
  Isa needed;
  EXPECT_FALSE(BestKernel(Algorithm::kDirectInt7, Isa::kScalar, &needed));
}

TEST(InsistOnKernel, StaysOnTheCpusArchitecture) {
  for (const CpuProfile& cpu : {kNeon, kDotprod, kI8mm, kSme, kAvx2, kServer, kAmx}) {
    for (Values values : {Values::kInt8, Values::kEvenTriplets}) {
      RandomProblem p;
      MakeLayer(14, 3, 8, values, &p);
      const Plan plan = InsistOnKernel(p.problem, cpu);
      EXPECT_TRUE(plan.claim);
      EXPECT_TRUE(HasKernel(plan.algorithm, plan.isa)) << plan.reason.text;
      EXPECT_TRUE(Includes(cpu.isa, plan.isa)) << plan.reason.text;
    }
  }
  RandomProblem p;
  MakeLayer(14, 64, 64, Values::kInt8, &p);
  EXPECT_EQ(ForceBestKernel(p.problem, Algorithm::kDirectInt7, Isa::kAvx512Vnni).isa, Isa::kAvx2);
  const Plan missing = ForceBestKernel(p.problem, Algorithm::kDirectInt7, Isa::kScalar);
  EXPECT_FALSE(missing.claim);
  EXPECT_STREQ(missing.reason.text, "there is no direct_int7 kernel for scalar");
}

TEST(ForceKernel, ClaimsWhatIsExactAndNothingElse) {
  std::mt19937 random(1);
  ConvShape s;
  s.input_height = s.input_width = 8;
  s.input_channels = s.output_channels = 8;
  s.filter_height = s.filter_width = 3;
  ResolvePadding(Padding::kSame, &s);
  RandomProblem p;
  FillRandomProblem(s, ProblemOptions(), &random, &p);
  EXPECT_TRUE(ForceKernel(p.problem, Algorithm::kWinogradF43, Isa::kScalar).claim);
  EXPECT_TRUE(ForceKernel(p.problem, Algorithm::kReference, Isa::kScalar).claim);
  EXPECT_FALSE(ForceKernel(p.problem, Algorithm::kWinograd1d, Isa::kScalar).claim);
  const Plan missing = ForceKernel(p.problem, Algorithm::kWinograd1d, Isa::kAvx2);
  EXPECT_FALSE(missing.claim);
  EXPECT_STREQ(missing.reason.text, "there is no winograd_1d kernel for avx2");
}

}  // namespace
}  // namespace tflite_eq
