// The specification and every kernel this machine runs, on the vectors that the Python reference is tested on too. The
// expected codes are those of TFLite's reference kernels; tests/golden/vectors.py describes the file.
#include <vector>

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/kernels/geometry.h"
#include "delegate/kernels/golden_file.h"
#include "delegate/kernels/prepared_conv.h"
#include "delegate/kernels/reference.h"
#include "delegate/kernels/requantize.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

constexpr const char* kPaths[] = {"tests/golden/integer_conv.txt", "tests/golden/integer_depthwise.txt"};

using Case = GoldenCase;

std::vector<Case> ReadCases() {
  std::vector<Case> cases;
  for (const char* path : kPaths) {
    const std::vector<Case> more = ReadGoldenCases(path);
    cases.insert(cases.end(), more.begin(), more.end());
  }
  return cases;
}

// A case as a problem, with memory of its own.
class GoldenProblem {
 public:
  explicit GoldenProblem(const Case& from)
      : input_(from.Numbers("input").codes()),
        expected_(from.Numbers("expected").codes()),
        filter_(from.Numbers("filter").codes()),
        bias_(from.Numbers("bias").values) {
    ReadShape(from);
    const std::vector<float> scales = from.Scales("filter_scales");
    for (int k = 0; k < problem_.shape.output_channels; ++k) {
      int32_t multiplier;
      int shift;
      QuantizeMultiplier(EffectiveScale(from.Scale("input_scale"), scales[scales.size() == 1 ? 0 : k],
                                        from.Scale("output_scale")),
                         &multiplier, &shift);
      multiplier_.push_back(multiplier);
      shift_.push_back(shift);
    }
    ConvQuantization& q = problem_.quantization;
    q.input_zero_point = from.Integer("input_zero_point");
    q.output_zero_point = from.Integer("output_zero_point");
    ActivationRange(ActivationFromName(from.fields.at("activation")), from.Scale("output_scale"), q.output_zero_point,
                    &q.activation_min, &q.activation_max);
    q.multiplier = multiplier_.data();
    q.shift = shift_.data();
    problem_.weights = {filter_.data(), bias_.data()};
  }

  const ConvProblem& problem() const { return problem_; }
  const int8_t* input() const { return input_.data(); }
  const std::vector<int8_t>& expected() const { return expected_; }

 private:
  void ReadShape(const Case& from) {
    ConvShape& s = problem_.shape;
    const std::vector<int> input = from.Numbers("input").shape;
    const std::vector<int> filter = from.Numbers("filter").shape;
    s.batch = input[0];
    s.input_height = input[1];
    s.input_width = input[2];
    s.input_channels = input[3];
    s.depthwise = from.Has("depth_multiplier");
    s.output_channels = s.depthwise ? filter[3] : filter[0];
    s.filter_height = filter[1];
    s.filter_width = filter[2];
    s.stride_height = from.Integers("stride")[0];
    s.stride_width = from.Integers("stride")[1];
    s.dilation_height = from.Integers("dilation")[0];
    s.dilation_width = from.Integers("dilation")[1];
    ResolvePadding(from.fields.at("padding") == "same" ? Padding::kSame : Padding::kValid, &s);
  }

  ConvProblem problem_;
  std::vector<int8_t> input_;
  std::vector<int8_t> expected_;
  std::vector<int8_t> filter_;
  std::vector<int32_t> bias_;
  std::vector<int32_t> multiplier_;
  std::vector<int32_t> shift_;
};

TEST(Golden, TheFilesAreThere) { EXPECT_GE(ReadCases().size(), 40u); }

TEST(Golden, Reference) {
  for (const Case& c : ReadCases()) {
    const GoldenProblem golden(c);
    std::vector<int8_t> output(golden.expected().size());
    ReferenceConv(golden.problem(), golden.input(), output.data());
    EXPECT_EQ(output, golden.expected()) << c.name;
  }
}

TEST(Golden, EveryKernel) {
  int runs = 0;
  for (const Case& c : ReadCases()) {
    const GoldenProblem golden(c);
    for (int algorithm = 0; algorithm < kAlgorithmCount; ++algorithm) {
      for (Isa isa : kIsas) {
        PreparedConv conv;
        Reason reason;
        if (!conv.Prepare(golden.problem(), static_cast<Algorithm>(algorithm), isa, 1, &reason)) continue;
        Buffer scratch;
        ASSERT_TRUE(scratch.Allocate(conv.scratch_bytes()));
        std::vector<int8_t> output(golden.expected().size());
        SerialThreadPool serial;
        conv.Run(golden.input(), output.data(), scratch.as<void>(), &serial);
        EXPECT_EQ(output, golden.expected()) << c.name << ": " << AlgorithmName(static_cast<Algorithm>(algorithm)) << " on "
                                             << IsaName(isa);
        ++runs;
      }
    }
  }
  EXPECT_GE(runs, 100);  // with scalar kernels alone
}

}  // namespace
}  // namespace tflite_eq
