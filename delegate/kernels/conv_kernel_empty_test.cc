// Tensors without values, and problems that a kernel refuses.
#include <vector>

#include "delegate/kernels/conv_kernel_fixture.h"

namespace tflite_eq {
namespace {

// Each dimension may be 0. An empty output takes no work at all; without input channels the biases are left.
TEST_P(ConvKernelTest, EmptyTensors) {
  for (int ConvShape::*dimension : {&ConvShape::batch, &ConvShape::input_height, &ConvShape::input_width, &ConvShape::output_channels,
                                    &ConvShape::input_channels}) {
    for (int workers : {1, 4}) {
      ConvShape s = Shape3x3(2, 5, 6, 20, 34, Padding::kSame);
      s.*dimension = 0;
      if (depthwise() && s.input_channels == 0) s.output_channels = 0;
      ASSERT_TRUE(ResolvePadding(Padding::kSame, &s));
      RandomProblem p;
      ProblemOptions options;
      options.values = ordinary();
      FillRandomProblem(s, options, &random_, &p);
      PreparedConv conv;
      Reason reason;
      ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, workers, &reason)) << reason.text;
      CheckPrepared(p, conv, workers);
      const WorkPlan plan = FindKernel(GetParam().algorithm, GetParam().isa)->plan(s, workers);
      EXPECT_EQ(plan.units == 0, IsEmpty(s));
      if (IsEmpty(s)) {
        EXPECT_EQ(conv.scratch_bytes(), 0u);
        // Not even pointers.
        ShufflingPool pool(workers);
        conv.Run(nullptr, nullptr, nullptr, &pool);
      }
    }
  }
}

// As many images as int32 counts, of which there are none.
TEST_P(ConvKernelTest, MoreImagesThanCanBeCountedWithoutAnything) {
  for (int ConvShape::*dimension : {&ConvShape::input_height, &ConvShape::input_width, &ConvShape::output_channels}) {
    ConvShape s = Shape3x3(1, 5, 6, 20, 34, Padding::kSame);
    RandomProblem p;
    ProblemOptions options;
    options.values = ordinary();
    FillRandomProblem(s, options, &random_, &p);
    s.batch = INT32_MAX;
    s.*dimension = 0;
    if (depthwise() && s.output_channels == 0) s.input_channels = 0;
    ASSERT_TRUE(ResolvePadding(Padding::kSame, &s));
    p.problem.shape = s;
    PreparedConv conv;
    Reason reason;
    ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 2, &reason)) << reason.text;
    EXPECT_EQ(conv.units(), 0);
    EXPECT_EQ(conv.scratch_bytes(), 0u);
  }
}

// A filter without rows or columns, where TFLite's formulas still give an output.
TEST_P(ConvKernelTest, EmptyFilters) {
  if (winograd()) return;
  for (int ConvShape::*dimension : {&ConvShape::filter_height, &ConvShape::filter_width}) {
    ConvShape s = Shape3x3(1, 5, 6, 20, 34, Padding::kSame);
    s.*dimension = 0;
    ASSERT_TRUE(ResolvePadding(Padding::kSame, &s));
    RandomProblem p;
    ProblemOptions options;
    options.values = direct_int7() ? Values::kPlainInt7 : Values::kInt8;
    options.output_range = 100;
    FillRandomProblem(s, options, &random_, &p);
    Check(p, 2);
  }
}

// There and back: plans of one shape leave nothing to the next.
TEST_P(ConvKernelTest, ReshapesToEmptyAndBack) {
  RandomProblem p;
  ProblemOptions options;
  options.values = ordinary();
  FillRandomProblem(Shape3x3(1, 8, 8, 24, 40, Padding::kSame), options, &random_, &p);
  const std::vector<int8_t> input = p.input;
  PreparedConv conv;
  Reason reason;
  ASSERT_TRUE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 2, &reason)) << reason.text;
  for (int batch : {0, 1, 0, 1}) {
    p.problem.shape = Shape3x3(batch, 8, 8, 24, 40, Padding::kSame);
    p.input = batch == 0 ? std::vector<int8_t>() : input;
    conv.Reshape(p.problem.shape);
    CheckPrepared(p, conv, 2);
  }
}

// Every kernel but the reference computes either depthwise convolutions or the others.
TEST_P(ConvKernelTest, RefusesTheOtherKind) {
  if (GetParam().algorithm == Algorithm::kReference) return;
  ConvShape s = Shape3x3(1, 8, 8, 16, 16, Padding::kSame);
  s.depthwise = !s.depthwise;
  RandomProblem p;
  ProblemOptions options;
  options.values = ordinary();
  FillRandomProblem(s, options, &random_, &p);
  PreparedConv conv;
  Reason reason;
  EXPECT_FALSE(conv.Prepare(p.problem, GetParam().algorithm, GetParam().isa, 1, &reason));
  EXPECT_STREQ(reason.text, depthwise() ? "not a depthwise convolution" : "a depthwise convolution, which kernel depthwise computes");
}

}  // namespace
}  // namespace tflite_eq
