// Functions of codes for each channel with the kernels of every instruction set that this machine runs, against their tables; those of
// PRELU against its specification.
#include "delegate/ops/channel_function.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "delegate/kernels/cpu_features.h"
#include "delegate/ops/reference/prelu.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

using Codes = std::vector<int8_t>;

class ChannelFunctionTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!CpuSupports(GetParam())) GTEST_SKIP() << "this CPU does not support " << IsaName(GetParam());
    kernels_ = FindElementwise(GetParam());
  }

  int Integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  float Scale(double low, double high) {
    return static_cast<float>(std::exp2(std::uniform_real_distribution<double>(low, high)(engine_)));
  }

  // Every code in every channel, and a few more pixels of any.
  Codes AllCodes(int channels) {
    Codes input;
    for (int code = -128; code < 128; ++code) input.insert(input.end(), static_cast<size_t>(channels), static_cast<int8_t>(code));
    for (int i = 0; i < 3 * channels; ++i) input.push_back(static_cast<int8_t>(Integer(-128, 127)));
    return input;
  }

  // Whether it lies on lines.
  bool Expect(const Codes& tables, int channels, int kink, const Codes& input, const Codes& expected, const std::string& what) {
    Buffer buffer;
    EXPECT_TRUE(buffer.Allocate(tables.size()));
    std::copy(tables.begin(), tables.end(), buffer.as<int8_t>());
    ChannelFunction function;
    function.Make(&buffer, channels, kink, kernels_);
    Codes output(input.size());
    function.Run(kernels_, input.data(), output.data(), input.size() / static_cast<size_t>(channels));
    EXPECT_EQ(output, expected) << what;
    output = input;
    function.Run(kernels_, output.data(), output.data(), input.size() / static_cast<size_t>(channels));
    EXPECT_EQ(output, expected) << what << " in place";
    return function.on_lines();
  }

  ElementwiseKernels kernels_ = {};
  std::mt19937 engine_{7};
};

// Slopes of either sign, scales up to those where nothing or everything saturates.
TEST_P(ChannelFunctionTest, IsPreluOfAnyScales) {
  int runs = 0, on_lines = 0;
  for (int i = 0; i < 200; ++i) {
    const float scale = Scale(-8, 0), result = scale * (i % 3 == 0 ? 1 : i % 3 == 1 ? Scale(-2, 2) : Scale(-5, 30));
    const int zero_point = Integer(0, 4) == 0 ? -128 : Integer(-128, 127);
    PreluConstants c;
    if (!MakePreluConstants({scale, zero_point}, Scale(-12, 1), {result, Integer(-128, 127)}, &c)) continue;
    const int channels = Integer(1, 70);
    std::vector<int16_t> slopes(static_cast<size_t>(channels));
    for (int16_t& slope : slopes) slope = static_cast<int16_t>(Integer(-255, 255));
    Codes codes, tables(slopes.size() * kCodes);
    for (int code = -128; code < 128; ++code) codes.push_back(static_cast<int8_t>(code));
    for (size_t k = 0; k < slopes.size(); ++k) ReferencePrelu(c, &slopes[k], codes.data(), &tables[k * kCodes], kCodes, 1);
    const Codes input = AllCodes(channels);
    Codes expected(input.size());
    ReferencePrelu(c, slopes.data(), input.data(), expected.data(), input.size() / slopes.size(), channels);
    on_lines += Expect(tables, channels, zero_point, input, expected, std::to_string(i));
    ++runs;
  }
  EXPECT_GE(runs, 150);
  if (kernels_.follow_channel_lines != nullptr) EXPECT_GE(on_lines, runs * 3 / 4);
}

TEST_P(ChannelFunctionTest, IsWhateverItsTablesSay) {
  for (int channels : {1, 2, 3, 16, 33, 64, 129}) {
    Codes tables(static_cast<size_t>(channels) * kCodes);
    for (int8_t& code : tables) code = static_cast<int8_t>(Integer(-128, 127));
    const Codes input = AllCodes(channels);
    Codes expected;
    for (size_t i = 0; i < input.size(); ++i) {
      expected.push_back(tables[i % static_cast<size_t>(channels) * kCodes + static_cast<size_t>(input[i] + 128)]);
    }
    EXPECT_FALSE(Expect(tables, channels, 3, input, expected, std::to_string(channels)));
  }
}

INSTANTIATE_TEST_SUITE_P(All, ChannelFunctionTest,
                         testing::Values(Isa::kScalar,
#if defined(__x86_64__)
                                         Isa::kAvx2, Isa::kAvx512Vnni
#else
                                         Isa::kNeon
#endif
                                         ),
                         [](const testing::TestParamInfo<Isa>& info) { return std::string(IsaName(info.param)); });

}  // namespace
}  // namespace tflite_eq
