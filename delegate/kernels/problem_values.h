// Values for convolution problems, for tests and benchmarks: into memory of the caller, from random numbers of the caller.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_PROBLEM_VALUES_H_
#define TFLITE_EQ_DELEGATE_KERNELS_PROBLEM_VALUES_H_

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

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

struct ProblemOptions {
  Values values = Values::kInt8;
  bool with_bias = true;
  bool per_channel = true;
  bool relu = false;
  // Multiplies the output scale; small values make outputs saturate, 0 picks multipliers of any magnitude.
  double output_range = 1.0;
};

// The arrays of a problem.
struct ProblemArrays {
  int8_t* input;        // ProblemInputSize
  int8_t* filter;       // filter_size of the shape for each output channel
  int32_t* bias;        // the rest: one for each output channel
  int32_t* multiplier;
  int32_t* shift;
};

inline size_t ProblemInputSize(const ConvShape& s) {
  return static_cast<size_t>(s.batch) * s.input_height * s.input_width * s.input_channels;
}

inline bool HasInt7Codes(Values values) {
  return values == Values::kInt7 || values == Values::kEvenTriplets || values == Values::kPlainInt7;
}

// `uniform(low, high)` draws an integer from [low, high].
template <typename Uniform>
void FillProblemCodes(const ConvShape& shape, Values values, Uniform&& uniform, int8_t* codes) {
  const bool largest = values == Values::kLargest;
  const bool int7 = HasInt7Codes(values);
  for (size_t i = 0; i < ProblemInputSize(shape); ++i) {
    codes[i] = static_cast<int8_t>(largest ? (uniform(0, 1) ? 127 : -128) : int7 ? uniform(-64, 63) : uniform(-128, 127));
  }
}

// OHWI.
template <typename Uniform>
void FillProblemFilter(const ConvShape& shape, Values values, Uniform&& uniform, int8_t* filter) {
  const size_t size = static_cast<size_t>(shape.output_channels) * shape.filter_size();
  const int channels = shape.input_channels;
  for (size_t i = 0; i < size; ++i) {
    filter[i] = static_cast<int8_t>(values == Values::kLargest     ? (uniform(0, 1) ? 127 : -127)
                                    : values == Values::kPositive  ? 127
                                    : values == Values::kInt7      ? uniform(-42, 42)
                                    : values == Values::kPlainInt7 ? uniform(-63, 63)
                                                                   : uniform(-127, 127));
  }
  // Triplets are horizontal and of filters that are three wide.
  if (values != Values::kEvenTriplets || channels == 0) return;
  for (size_t row = 0; row < size / (3 * static_cast<size_t>(channels)); ++row) {
    for (int c = 0; c < channels; ++c) {
      int8_t* w = &filter[row * 3 * channels + c];
      int w0, w1, w2;
      do {
        w0 = uniform(-127, 127);
        w1 = uniform(-127, 127);
        w2 = uniform(-127, 127);
      } while ((w0 + w1 + w2) % 2 != 0 || abs(w0 + w1 + w2) > 254 || abs(w0 - w1 + w2) > 254);
      w[0] = static_cast<int8_t>(w0);
      w[channels] = static_cast<int8_t>(w1);
      w[2 * channels] = static_cast<int8_t>(w2);
    }
  }
}

template <typename Uniform>
void FillProblemQuantization(const ConvShape& shape, const ProblemOptions& options, Uniform&& uniform,
                             const ProblemArrays& arrays, ConvQuantization* q) {
  q->input_zero_point = HasInt7Codes(options.values) ? uniform(-64, 63) : uniform(-128, 127);
  q->output_zero_point = uniform(-128, 127);
  q->activation_min = options.relu ? q->output_zero_point : -128;
  q->activation_max = options.relu ? uniform(q->output_zero_point, 127) : 127;
  // Accumulators spread like sqrt(filter size) times the product of two typical codes.
  const double spread = sqrt(static_cast<double>(shape.filter_size() > 0 ? shape.filter_size() : 1)) * 74.0 * 74.0;
  const double scale = 64.0 / (spread * (options.output_range > 0 ? options.output_range : 1.0));
  for (int k = 0; k < shape.output_channels; ++k) {
    arrays.bias[k] = uniform(-20000, 20000);
    double channel_scale = scale;
    if (options.per_channel) channel_scale *= exp2(uniform(-1000, 1000) / 1000.0);
    if (options.output_range <= 0) channel_scale = exp2(uniform(-16000, 1500) / 1000.0);
    int shift;
    QuantizeMultiplier(channel_scale, &arrays.multiplier[k], &shift);
    arrays.shift[k] = shift;
  }
  q->multiplier = arrays.multiplier;
  q->shift = arrays.shift;
}

// A complete problem; `shape` is complete already.
template <typename Uniform>
void FillProblem(const ConvShape& shape, const ProblemOptions& options, Uniform&& uniform, const ProblemArrays& arrays,
                 ConvProblem* problem) {
  problem->shape = shape;
  FillProblemCodes(shape, options.values, uniform, arrays.input);
  FillProblemFilter(shape, options.values, uniform, arrays.filter);
  FillProblemQuantization(shape, options, uniform, arrays, &problem->quantization);
  problem->weights.filter = arrays.filter;
  problem->weights.bias = options.with_bias ? arrays.bias : nullptr;
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_PROBLEM_VALUES_H_
