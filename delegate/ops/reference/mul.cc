#include "delegate/ops/reference/mul.h"

namespace tflite_eq {

bool MakeMulConstants(const Quantization& first, const Quantization& second, const Quantization& output, Activation activation,
                      MulConstants* constants) {
  MulConstants& c = *constants;
  // In single precision, as the oracle forms it.
  const float scale = first.scale * second.scale / output.scale;
  if (!ToFixedPointScale(static_cast<double>(scale), FixedPointScale::kMostLeftShift, &c.scale)) return false;
  c.zero_point[0] = first.zero_point;
  c.zero_point[1] = second.zero_point;
  c.output_zero_point = output.zero_point;
  ActivationRange(activation, output.scale, output.zero_point, &c.activation_min, &c.activation_max);
  return true;
}

void ReferenceMul(const MulConstants& c, const int8_t* first, const int8_t* second, int8_t* output, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t product = (first[i] - c.zero_point[0]) * (second[i] - c.zero_point[1]);
    output[i] = ClampCode(Multiply(product, c.scale) + c.output_zero_point, c.activation_min, c.activation_max);
  }
}

}  // namespace tflite_eq
