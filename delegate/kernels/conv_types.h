// What a quantized convolution is: its geometry, its arithmetic and its weights. Plain data; geometry.h says which sizes it may have.
//
// Layouts are TFLite's: activations NHWC, filters OHWI ([output channel][row][column][input channel]), those of depthwise
// convolutions [row][column][output channel], one int32 bias per output channel. Codes are int8. Weights are symmetric (zero point 0).
#ifndef TFLITE_EQ_DELEGATE_KERNELS_CONV_TYPES_H_
#define TFLITE_EQ_DELEGATE_KERNELS_CONV_TYPES_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/always_inline.h"
#include "delegate/kernels/isa.h"

namespace tflite_eq {

struct ConvShape {
  int batch = 1;
  int input_height = 0;
  int input_width = 0;
  int input_channels = 0;
  int output_height = 0;
  int output_width = 0;
  int output_channels = 0;
  int filter_height = 0;
  int filter_width = 0;
  int stride_height = 1;
  int stride_width = 1;
  int dilation_height = 1;
  int dilation_width = 1;
  // Rows above and columns left of the input that read as the input zero point. What is missing below and to the right
  // follows from the output size.
  int pad_top = 0;
  int pad_left = 0;
  // Every output channel looks at one input channel, and each input channel serves depth_multiplier() output channels that are
  // neighbours. The numbers of channels say how many.
  bool depthwise = false;

  // Input channels one output channel looks at.
  TFLITE_EQ_ALWAYS_INLINE int filter_channels() const { return depthwise ? 1 : input_channels; }
  // Input codes one output channel looks at, and weights that it has: filter_height * filter_width * filter_channels().
  TFLITE_EQ_ALWAYS_INLINE int filter_size() const { return filter_height * filter_width * filter_channels(); }
  // Of a depthwise convolution: output channel k looks at input channel k / depth_multiplier(). 1 where there are no channels.
  TFLITE_EQ_ALWAYS_INLINE int depth_multiplier() const { return input_channels > 0 ? output_channels / input_channels : 1; }
  // The shape all Winograd kernels here compute: 3x3, stride 1, dilation 1, every input channel in every sum.
  TFLITE_EQ_ALWAYS_INLINE bool is_3x3_stride_1() const {
    return !depthwise && filter_height == 3 && filter_width == 3 && stride_height == 1 && stride_width == 1 && dilation_height == 1 &&
           dilation_width == 1;
  }
};

// How int32 accumulators become int8 codes. The arrays hold one entry per output channel and belong to the caller; they
// are read during preparation only.
struct ConvQuantization {
  int32_t input_zero_point = 0;
  // Codes that the input is known to have, whatever is computed: those that what writes it lets through.
  int32_t input_min = -128;
  int32_t input_max = 127;
  int32_t output_zero_point = 0;
  // The fused activation, in output codes; [-128, 127] when there is none.
  int32_t activation_min = -128;
  int32_t activation_max = 127;
  // The oracle's fixed-point scale, multiplier * 2^(shift - 31); see requantize.h.
  const int32_t* multiplier = nullptr;
  const int32_t* shift = nullptr;
};

struct ConvWeights {
  const int8_t* filter = nullptr;  // OHWI; depthwise: HWO
  const int32_t* bias = nullptr;   // one per output channel, or null
};

// Everything a kernel is prepared from.
struct ConvProblem {
  ConvShape shape;
  ConvQuantization quantization;
  ConvWeights weights;
};

// The weights of one output channel, in the order of rows, columns and input channels, filter_size() of them.
struct ChannelFilter {
  TFLITE_EQ_ALWAYS_INLINE int8_t operator[](int i) const { return first[i * step]; }
  const int8_t* first;
  ptrdiff_t step;
};
static inline ChannelFilter FilterOf(const ConvProblem& problem, int channel) {
  const ConvShape& s = problem.shape;
  // A filter without weights may have no address to count from.
  if (s.depthwise) return {s.filter_size() > 0 ? problem.weights.filter + channel : nullptr, s.output_channels};
  return {problem.weights.filter + static_cast<ptrdiff_t>(channel) * s.filter_size(), 1};
}

// The algorithms, by the names the delegate's `kernel` option takes.
// The reference computes every convolution, kDepthwise those that are, the others those that are not.
enum class Algorithm { kReference, kDirect, kDirectInt7, kDepthwise, kWinogradF43, kWinogradF23, kWinograd1d };
inline constexpr int kAlgorithmCount = 7;

const char* AlgorithmName(Algorithm algorithm);
// The inverse; false when the name is unknown.
bool AlgorithmFromName(const char* name, Algorithm* algorithm);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_CONV_TYPES_H_
