#include "delegate/ops/reference/prelu.h"

namespace tflite_eq {

bool MakePreluConstants(const Quantization& input, float slope_scale, const Quantization& output, PreluConstants* constants) {
  PreluConstants& c = *constants;
  // In single precision, as the oracle forms them.
  const float positive = input.scale / output.scale;
  const float negative = input.scale * slope_scale / output.scale;
  c.input_zero_point = input.zero_point;
  c.output_zero_point = output.zero_point;
  return ToFixedPointScale(static_cast<double>(positive), FixedPointScale::kMostLeftShift, &c.positive) &&
         ToFixedPointScale(static_cast<double>(negative), FixedPointScale::kMostLeftShift, &c.negative);
}

void ReferencePrelu(const PreluConstants& c, const int16_t* slopes, const int8_t* input, int8_t* output, size_t pixels,
                    int channels) {
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (int channel = 0; channel < channels; ++channel) {
      const size_t i = pixel * static_cast<size_t>(channels) + static_cast<size_t>(channel);
      const int32_t value = input[i] - c.input_zero_point;
      const int32_t scaled = value >= 0 ? Multiply(value, c.positive) : Multiply(value * slopes[channel], c.negative);
      output[i] = ClampCode(int64_t{scaled} + c.output_zero_point);
    }
  }
}

}  // namespace tflite_eq
