// bias - zero_point * sum(w): with it kernels may use raw codes, and padding that reads as the zero point.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_FOLDED_BIAS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_FOLDED_BIAS_H_

#include <stdint.h>

#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

// Modulo 2^32, like all accumulators.
static inline int32_t FoldedBias(const ConvProblem& problem, int channel) {
  const int size = problem.shape.filter_size();
  const ChannelFilter filter = FilterOf(problem, channel);
  uint32_t sum = 0;
  for (int i = 0; i < size; ++i) sum += static_cast<uint32_t>(int32_t{filter[i]});
  const uint32_t bias = problem.weights.bias != nullptr ? static_cast<uint32_t>(problem.weights.bias[channel]) : 0;
  return static_cast<int32_t>(bias - static_cast<uint32_t>(problem.quantization.input_zero_point) * sum);
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_FOLDED_BIAS_H_
