// Convolution problems for tests and benchmarks, with memory of their own.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_RANDOM_PROBLEM_H_
#define TFLITE_EQ_DELEGATE_KERNELS_RANDOM_PROBLEM_H_

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/requantize.h"

namespace tflite_eq {

// Where codes and weights come from.
enum class Values {
  kInt8,          // the full range, weights in [-127, 127]
  kInt7,          // codes in [-64, 63], weights such that the sums of horizontal triplets fit in int8 (shift 1)
  kEvenTriplets,  // codes in [-64, 63], |w| <= 127 with w0 + w1 + w2 even and |w0 +- w1 + w2| <= 254 (shift 0)
  kPlainInt7,     // codes in [-64, 63], |w| <= 63 (two taps)
  kLargest,       // every code and weight at an extreme of int8
  kPositive,      // codes in the full range, every weight 127: the largest accumulators
};

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

struct ProblemOptions {
  Values values = Values::kInt8;
  bool with_bias = true;
  bool per_channel = true;
  bool relu = false;
  // Multiplies the output scale; small values make outputs saturate, 0 picks multipliers of any magnitude.
  double output_range = 1.0;
};

// `shape` is complete but for the output size and padding when `padding` is given.
inline void FillRandomProblem(const ConvShape& shape, const ProblemOptions& options, std::mt19937* random,
                              RandomProblem* p) {
  const auto uniform = [random](int low, int high) { return std::uniform_int_distribution<int>(low, high)(*random); };
  const bool int7 = options.values == Values::kInt7 || options.values == Values::kEvenTriplets ||
                    options.values == Values::kPlainInt7;
  const bool largest = options.values == Values::kLargest;
  ConvProblem& problem = p->problem;
  problem.shape = shape;

  p->input.resize(static_cast<size_t>(shape.batch) * shape.input_height * shape.input_width * shape.input_channels);
  for (int8_t& code : p->input) {
    code = static_cast<int8_t>(largest ? (uniform(0, 1) ? 127 : -128) : int7 ? uniform(-64, 63) : uniform(-128, 127));
  }

  p->filter.resize(static_cast<size_t>(shape.output_channels) * shape.filter_size());
  const int channels = shape.input_channels;
  for (size_t i = 0; i < p->filter.size(); ++i) {
    p->filter[i] = static_cast<int8_t>(largest ? (uniform(0, 1) ? 127 : -127)
                                       : options.values == Values::kPositive  ? 127
                                       : options.values == Values::kInt7      ? uniform(-42, 42)
                                       : options.values == Values::kPlainInt7 ? uniform(-63, 63)
                                                                              : uniform(-127, 127));
  }
  if (options.values == Values::kEvenTriplets) {
    for (size_t row = 0; row < p->filter.size() / (3 * channels); ++row) {
      for (int c = 0; c < channels; ++c) {
        int8_t* w = &p->filter[row * 3 * channels + c];
        int w0, w1, w2;
        do {
          w0 = uniform(-127, 127);
          w1 = uniform(-127, 127);
          w2 = uniform(-127, 127);
        } while ((w0 + w1 + w2) % 2 != 0 || std::abs(w0 + w1 + w2) > 254 || std::abs(w0 - w1 + w2) > 254);
        w[0] = static_cast<int8_t>(w0);
        w[channels] = static_cast<int8_t>(w1);
        w[2 * channels] = static_cast<int8_t>(w2);
      }
    }
  }

  ConvQuantization& q = problem.quantization;
  q.input_zero_point = int7 ? uniform(-64, 63) : uniform(-128, 127);
  q.output_zero_point = uniform(-128, 127);
  q.activation_min = options.relu ? q.output_zero_point : -128;
  q.activation_max = options.relu ? uniform(q.output_zero_point, 127) : 127;
  p->bias.resize(shape.output_channels);
  p->multiplier.resize(shape.output_channels);
  p->shift.resize(shape.output_channels);
  // Accumulators spread like sqrt(filter size) times the product of two typical codes.
  const double spread = std::sqrt(static_cast<double>(shape.filter_size())) * 74.0 * 74.0;
  double scale = 64.0 / (spread * (options.output_range > 0 ? options.output_range : 1.0));
  for (int k = 0; k < shape.output_channels; ++k) {
    p->bias[k] = uniform(-20000, 20000);
    double channel_scale = scale;
    if (options.per_channel) channel_scale *= std::exp2(uniform(-1000, 1000) / 1000.0);
    if (options.output_range <= 0) channel_scale = std::exp2(uniform(-16000, 1500) / 1000.0);
    int shift_value;
    QuantizeMultiplier(channel_scale, &p->multiplier[k], &shift_value);
    p->shift[k] = shift_value;
  }
  problem.weights.filter = p->filter.data();
  problem.weights.bias = options.with_bias ? p->bias.data() : nullptr;
  q.multiplier = p->multiplier.data();
  q.shift = p->shift.data();
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_RANDOM_PROBLEM_H_
