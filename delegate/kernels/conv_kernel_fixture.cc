#include "delegate/kernels/conv_kernel_fixture.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "delegate/kernels/reference.h"

namespace tflite_eq {

void ConvKernelTest::Check(const RandomProblem& p, int workers) {
  Reason reason;
  PreparedConv conv;
  ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, workers, &reason)) << reason.text;
  CheckPrepared(p, conv, workers);
}

void ConvKernelTest::CheckPrepared(const RandomProblem& p, const PreparedConv& conv, int workers, int gap) {
  constexpr int kGuard = 64;
  const ConvShape& s = p.problem.shape;
  const auto channels = static_cast<size_t>(s.output_channels), stride = channels + static_cast<size_t>(gap);
  std::vector<int8_t> expected(p.output_size());
  ReferenceConv(p.problem, p.input.data(), expected.data());
  const size_t pixels = channels > 0 ? expected.size() / channels : 0;
  std::vector<int8_t> actual(pixels * stride + 2 * kGuard, 99);
  // The input at the very end of an allocation, so that a sanitizer sees reads past it.
  std::unique_ptr<int8_t[]> input(new int8_t[p.input.size()]);
  std::copy(p.input.begin(), p.input.end(), input.get());
  Buffer scratch;
  ASSERT_TRUE(scratch.Allocate(conv.scratch_bytes()));
  if (scratch.size() > 0) memset(scratch.as<void>(), 0x5a, scratch.size());
  ShufflingPool pool(workers);
  conv.Run(input.get(), actual.data() + kGuard, scratch.as<void>(), &pool);
  for (int i = 0; i < kGuard; ++i) {
    ASSERT_EQ(actual[i], 99) << "wrote before the output";
    ASSERT_EQ(actual[actual.size() - 1 - i], 99) << "wrote past the output";
  }
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    const int8_t* to = &actual[kGuard + pixel * stride];
    for (size_t c = 0; c < channels; ++c) {
      ASSERT_EQ(int{to[c]}, int{expected[pixel * channels + c]})
          << "channel " << c << " column " << pixel % s.output_width << " row " << pixel / s.output_width % s.output_height << " of "
          << s.input_height << "x" << s.input_width << "x" << s.input_channels << "->" << s.output_channels << " batch " << s.batch;
    }
    for (size_t c = channels; c < stride; ++c) ASSERT_EQ(int{to[c]}, 99) << "wrote between pixels";
  }
}

ConvShape ConvKernelTest::ShapeOf(const Geometry& g) const {
  ConvShape s;
  s.batch = g.batch;
  s.input_height = g.height;
  s.input_width = g.width;
  s.input_channels = g.in;
  s.output_channels = g.out;
  s.filter_height = g.filter_height;
  s.filter_width = g.filter_width;
  s.stride_height = g.stride_height;
  s.stride_width = g.stride_width;
  s.dilation_height = g.dilation_height;
  s.dilation_width = g.dilation_width;
  return Fit(s);
}

ConvShape ConvKernelTest::Shape3x3(int batch, int height, int width, int in, int out, Padding padding) const {
  ConvShape s = ShapeOf({batch, height, width, in, out, 3, 3, 1, 1, 1, 1});
  ResolvePadding(padding, &s);
  return s;
}

namespace {

std::vector<Target> Targets() {
  std::vector<Target> targets;
  for (int a = 0; a < kAlgorithmCount; ++a) {
    for (Isa isa : kIsas) {
      const Algorithm algorithm = static_cast<Algorithm>(a);
      if (FindKernel(algorithm, isa) == nullptr) continue;
      if (algorithm != Algorithm::kDepthwise) targets.push_back({algorithm, isa, false});
      if (algorithm == Algorithm::kDepthwise || algorithm == Algorithm::kReference) targets.push_back({algorithm, isa, true});
    }
  }
  return targets;
}

INSTANTIATE_TEST_SUITE_P(AllKernels, ConvKernelTest, ::testing::ValuesIn(Targets()),
                         [](const ::testing::TestParamInfo<Target>& info) { return Name(info.param); });

}  // namespace
}  // namespace tflite_eq
