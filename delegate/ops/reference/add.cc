#include "delegate/ops/reference/add.h"

namespace tflite_eq {
namespace {

// Bits that both sides get beyond those of their codes.
constexpr int kExtraBits = 20;

bool BelowOne(double real, FixedPointScale* scale) {
  return real > 0 && real < 1 && ToFixedPointScale(real, 0, scale);
}

}  // namespace

bool MakeAddConstants(const Quantization& first, const Quantization& second, const Quantization& output, Activation activation,
                      bool subtract, AddConstants* constants) {
  AddConstants& c = *constants;
  const double common = 2 * static_cast<double>(first.scale > second.scale ? first.scale : second.scale);
  const float widened_output = (1 << kExtraBits) * output.scale;
  if (!BelowOne(static_cast<double>(first.scale) / common, &c.scale[0]) ||
      !BelowOne(static_cast<double>(second.scale) / common, &c.scale[1]) ||
      !BelowOne(common / static_cast<double>(widened_output), &c.output_scale)) {
    return false;
  }
  // Before rounding, so that halves of a difference are rounded as those of a sum.
  if (subtract) c.scale[1].multiplier = -c.scale[1].multiplier;
  c.zero_point[0] = first.zero_point;
  c.zero_point[1] = second.zero_point;
  c.output_zero_point = output.zero_point;
  ActivationRange(activation, output.scale, output.zero_point, &c.activation_min, &c.activation_max);
  return true;
}

void ReferenceAdd(const AddConstants& c, const int8_t* first, const int8_t* second, int8_t* output, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t sum = Multiply((first[i] - c.zero_point[0]) * (1 << kExtraBits), c.scale[0]) +
                        Multiply((second[i] - c.zero_point[1]) * (1 << kExtraBits), c.scale[1]);
    output[i] = ClampCode(Multiply(sum, c.output_scale) + c.output_zero_point, c.activation_min, c.activation_max);
  }
}

}  // namespace tflite_eq
