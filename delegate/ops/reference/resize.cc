#include "delegate/ops/reference/resize.h"

#include <math.h>

namespace tflite_eq {
namespace {

// Corners are aligned by steps from the first to the last pixel's centre.
bool StepsBetweenCorners(const ResizeAxis& axis) { return axis.align_corners && axis.output > 1; }

// Input pixels per output pixel, in 1024ths, rounded.
int64_t Step(const ResizeAxis& axis) {
  const int64_t outputs = StepsBetweenCorners(axis) ? axis.output - 1 : axis.output;
  const int64_t inputs = StepsBetweenCorners(axis) ? axis.input - 1 : axis.input;
  return (Interpolation::kOne * inputs + outputs / 2) / outputs;
}

}  // namespace

Interpolation InterpolationOf(const ResizeAxis& axis, int output) {
  const int64_t step = Step(axis);
  const int64_t place = output * step + (axis.half_pixel_centers ? step / 2 - Interpolation::kOne / 2 : 0);
  // Divisions round towards zero, as the oracle's do.
  const int64_t lower = place / Interpolation::kOne;
  const int64_t upper = (place + Interpolation::kOne - 1) / Interpolation::kOne;
  Interpolation result;
  result.lower = static_cast<int>(lower > 0 ? lower : 0);
  result.upper = static_cast<int>(upper < axis.input - 1 ? upper : axis.input - 1);
  result.fraction = static_cast<int>(place - Interpolation::kOne * int64_t{result.lower});
  return result;
}

bool StaysInside(const ResizeAxis& axis) {
  return axis.output < 1 || InterpolationOf(axis, axis.output - 1).lower < axis.input;
}

int NearestNeighbor(const ResizeAxis& axis, int output) {
  const float step = StepsBetweenCorners(axis) ? static_cast<float>(axis.input - 1) / static_cast<float>(axis.output - 1)
                                               : static_cast<float>(axis.input) / static_cast<float>(axis.output);
  const float place = (static_cast<float>(output) + (axis.half_pixel_centers ? 0.5f : 0.0f)) * step;
  const int nearest = static_cast<int>(axis.align_corners ? roundf(place) : floorf(place));
  return nearest < axis.input - 1 ? nearest : axis.input - 1;
}

void ReferenceResizeBilinear(const ResizeAxis& rows, const ResizeAxis& columns, int channels, const int8_t* input, int8_t* output) {
  const auto code = [&](int row, int column, int channel) {
    return int64_t{input[(int64_t{row} * columns.input + column) * channels + channel]};
  };
  for (int row = 0; row < rows.output; ++row) {
    const Interpolation y = InterpolationOf(rows, row);
    for (int column = 0; column < columns.output; ++column) {
      const Interpolation x = InterpolationOf(columns, column);
      for (int channel = 0; channel < channels; ++channel) {
        const int64_t above = code(y.lower, x.lower, channel) * (Interpolation::kOne - x.fraction) +
                              code(y.lower, x.upper, channel) * x.fraction;
        const int64_t below = code(y.upper, x.lower, channel) * (Interpolation::kOne - x.fraction) +
                              code(y.upper, x.upper, channel) * x.fraction;
        const int64_t sum = above * (Interpolation::kOne - y.fraction) + below * y.fraction;
        // Half away from zero.
        constexpr int64_t kUnit = int64_t{Interpolation::kOne} * Interpolation::kOne;
        *output++ = static_cast<int8_t>((sum + (sum > 0 ? kUnit / 2 : -kUnit / 2)) / kUnit);
      }
    }
  }
}

void ReferenceResizeNearest(const ResizeAxis& rows, const ResizeAxis& columns, int channels, const int8_t* input, int8_t* output) {
  for (int row = 0; row < rows.output; ++row) {
    const int64_t from_row = NearestNeighbor(rows, row);
    for (int column = 0; column < columns.output; ++column) {
      const int8_t* from = input + (from_row * columns.input + NearestNeighbor(columns, column)) * channels;
      for (int channel = 0; channel < channels; ++channel) *output++ = from[channel];
    }
  }
}

}  // namespace tflite_eq
