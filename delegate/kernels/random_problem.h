// Convolution problems for tests, with memory of their own.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_RANDOM_PROBLEM_H_
#define TFLITE_EQ_DELEGATE_KERNELS_RANDOM_PROBLEM_H_

#include <cstdint>
#include <random>
#include <vector>

#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/problem_values.h"

namespace tflite_eq {

struct RandomProblem {
  ConvProblem problem;
  std::vector<int8_t> filter;
  std::vector<int32_t> bias;
  std::vector<int32_t> multiplier;
  std::vector<int32_t> shift;
  std::vector<int8_t> input;

  size_t output_size() const {
    const ConvShape& s = problem.shape;
    return static_cast<size_t>(s.batch) * s.output_height * s.output_width * s.output_channels;
  }
};

// `shape` is complete, output size and padding included.
inline void FillRandomProblem(const ConvShape& shape, const ProblemOptions& options, std::mt19937* random,
                              RandomProblem* p) {
  p->input.resize(ProblemInputSize(shape));
  p->filter.resize(static_cast<size_t>(shape.output_channels) * shape.filter_size());
  p->bias.resize(shape.output_channels);
  p->multiplier.resize(shape.output_channels);
  p->shift.resize(shape.output_channels);
  const auto uniform = [random](int low, int high) { return std::uniform_int_distribution<int>(low, high)(*random); };
  const ProblemArrays arrays = {p->input.data(), p->filter.data(), p->bias.data(), p->multiplier.data(), p->shift.data()};
  FillProblem(shape, options, uniform, arrays, &p->problem);
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_RANDOM_PROBLEM_H_
