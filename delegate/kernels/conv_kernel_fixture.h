// Every convolution kernel and instruction set this machine has, against the reference. conv_kernel_*_test.cc have the tests, by what they
// vary.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_CONV_KERNEL_FIXTURE_H_
#define TFLITE_EQ_DELEGATE_KERNELS_CONV_KERNEL_FIXTURE_H_

#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "delegate/kernels/cpu_features.h"
#include "delegate/kernels/geometry.h"
#include "delegate/kernels/prepared_conv.h"
#include "delegate/kernels/random_problem.h"
#include "gtest/gtest.h"

namespace tflite_eq {

struct Target {
  Algorithm algorithm;
  Isa isa;
  bool depthwise;  // what it is tested on
};

inline std::string Name(const Target& target) {
  const bool both = target.algorithm == Algorithm::kReference && target.depthwise;
  return std::string(AlgorithmName(target.algorithm)) + (both ? "_depthwise_" : "_") + IsaName(target.isa);
}
inline void PrintTo(const Target& target, std::ostream* stream) { *stream << Name(target); }

// Runs tasks in reverse order and on alternating workers: any dependence of one unit on another shows.
class ShufflingPool final : public ThreadPool {
 public:
  explicit ShufflingPool(int workers) : workers_(workers) {}
  int workers() const override { return workers_; }
  void Run(Task task, void* context, int count) override {
    for (int index = count - 1; index >= 0; --index) task(context, index, index % workers_);
  }

 private:
  int workers_;
};

struct Geometry {
  int batch, height, width, in, out;
  int filter_height, filter_width, stride_height, stride_width, dilation_height, dilation_width;
};

class ConvKernelTest : public ::testing::TestWithParam<Target> {
 protected:
  void SetUp() override {
    if (!CpuSupports(GetParam().isa)) GTEST_SKIP() << "this CPU lacks " << IsaName(GetParam().isa);
  }

  // Compares every code, and that nothing is written outside the output.
  void Check(const RandomProblem& p, int workers = 1);
  // Output pixels lie `gap` bytes apart.
  void CheckPrepared(const RandomProblem& p, const PreparedConv& conv, int workers, int gap = 0);

  // The shape as the kernel takes it. Depthwise convolutions have at least as many output channels as were asked for: for few input
  // channels more than one each.
  ConvShape Fit(ConvShape s) const {
    s.depthwise = depthwise();
    if (!s.depthwise || s.input_channels == 0) return s;
    s.output_channels = (s.output_channels + s.input_channels - 1) / s.input_channels * s.input_channels;
    return s;
  }
  ConvShape Shape3x3(int batch, int height, int width, int in, int out, Padding padding) const;
  ConvShape ShapeOf(const Geometry& geometry) const;

  bool depthwise() const { return GetParam().depthwise; }
  bool winograd() const {
    return one_dimensional() || GetParam().algorithm == Algorithm::kWinogradF43 || GetParam().algorithm == Algorithm::kWinogradF23;
  }
  bool one_dimensional() const { return GetParam().algorithm == Algorithm::kWinograd1d; }
  bool direct_int7() const { return GetParam().algorithm == Algorithm::kDirectInt7; }
  // Fast with 7-bit codes only; one of them refuses some weights.
  bool seven_bits() const { return one_dimensional() || direct_int7(); }
  Values ordinary() const {
    return seven_bits() ? Values::kEvenTriplets : Values::kInt8;
  }
  // What the kernel takes.
  std::vector<Values> every_seven_bits() const {
    return {Values::kInt7, Values::kEvenTriplets, Values::kPlainInt7};
  }

  std::mt19937 random_{12345};
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_CONV_KERNEL_FIXTURE_H_
