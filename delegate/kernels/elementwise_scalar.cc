// Without vectors: for CPUs that have none of those below, and to be compared with.
#include "delegate/kernels/elementwise_kernels.h"
#include "delegate/kernels/requantize.h"

namespace tflite_eq {
namespace {

int32_t Multiply(int32_t value, const FixedPointScale& scale) {
  return MultiplyByQuantizedMultiplier(value, scale.multiplier, scale.shift);
}

int8_t Clamp(int64_t value, int32_t min, int32_t max) {
  return static_cast<int8_t>(value < min ? min : value > max ? max : value);
}

void LookUp(const int8_t* table, const int8_t* input, int8_t* output, size_t count) {
  for (size_t i = 0; i < count; ++i) output[i] = table[input[i] + 128];
}

void Add(const AddConstants& c, const int8_t* first, const int8_t* second, int8_t* output, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t left = Multiply((first[i] - c.zero_point[0]) * (1 << 20), c.scale[0]);
    const int32_t right = Multiply((second[i] - c.zero_point[1]) * (1 << 20), c.scale[1]);
    output[i] = Clamp(Multiply(left + right, c.output_scale) + c.output_zero_point, c.activation_min, c.activation_max);
  }
}

void Mul(const MulConstants& c, const int8_t* first, const int8_t* second, int8_t* output, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t product = (first[i] - c.zero_point[0]) * (second[i] - c.zero_point[1]);
    output[i] = Clamp(Multiply(product, c.scale) + c.output_zero_point, c.activation_min, c.activation_max);
  }
}

// One result for each channel of each output from what `reduce` makes of its codes: `step` bytes apart in a row.
template <typename Reduce>
void Pool(const PoolShape& s, const int8_t* input, int row_begin, int row_end, int8_t* output, Reduce reduce) {
  const ptrdiff_t step = s.channels;
  const ptrdiff_t pitch = step * s.columns.input;
  output += static_cast<ptrdiff_t>(row_begin) * s.columns.output * step;
  for (int row = row_begin; row < row_end; ++row) {
    const PoolAxis::Window y = s.rows.WindowOf(row);
    for (int column = 0; column < s.columns.output; ++column) {
      const PoolAxis::Window x = s.columns.WindowOf(column);
      const int8_t* corner = input + y.begin * pitch + x.begin * step;
      for (int channel = 0; channel < s.channels; ++channel) {
        const int32_t result = reduce(corner + channel, pitch, step, y.end - y.begin, x.end - x.begin);
        *output++ = Clamp(result, s.activation_min, s.activation_max);
      }
    }
  }
}

void MaxPool(const PoolShape& shape, const int8_t* input, int row_begin, int row_end, int8_t* output) {
  Pool(shape, input, row_begin, row_end, output,
       [](const int8_t* corner, ptrdiff_t pitch, ptrdiff_t step, int rows, int columns) {
         int32_t largest = -128;
         for (int y = 0; y < rows; ++y) {
           for (int x = 0; x < columns; ++x) {
             const int8_t code = corner[y * pitch + x * step];
             if (code > largest) largest = code;
           }
         }
         return largest;
       });
}

void AveragePool(const PoolShape& shape, const int8_t* input, int row_begin, int row_end, int8_t* output) {
  Pool(shape, input, row_begin, row_end, output,
       [](const int8_t* corner, ptrdiff_t pitch, ptrdiff_t step, int rows, int columns) {
         int32_t sum = 0;
         for (int y = 0; y < rows; ++y) {
           for (int x = 0; x < columns; ++x) sum += corner[y * pitch + x * step];
         }
         const int32_t count = rows * columns;
         return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
       });
}

void Mean(const MeanConstants& c, const int8_t* input, int channels, int8_t* output) {
  for (int channel = 0; channel < channels; ++channel) {
    int32_t sum = -c.pixels * c.input_zero_point;
    for (int pixel = 0; pixel < c.pixels; ++pixel) sum += input[static_cast<ptrdiff_t>(pixel) * channels + channel];
    output[channel] = Clamp(int64_t{Multiply(sum, c.scale)} + c.output_zero_point, -128, 127);
  }
}

void ResizeBilinear(const ResizeRow& row, int8_t* output) {
  for (int i = 0; i < row.outputs; ++i) {
    const Interpolation& x = row.columns[i];
    const ptrdiff_t left = static_cast<ptrdiff_t>(x.lower) * row.channels;
    const ptrdiff_t right = static_cast<ptrdiff_t>(x.upper) * row.channels;
    for (int channel = 0; channel < row.channels; ++channel) {
      const int32_t lower = row.lower[left + channel] * Interpolation::kOne +
                            (row.lower[right + channel] - row.lower[left + channel]) * x.fraction;
      const int32_t upper = row.upper[left + channel] * Interpolation::kOne +
                            (row.upper[right + channel] - row.upper[left + channel]) * x.fraction;
      const int32_t sum = lower * Interpolation::kOne + (upper - lower) * row.fraction;
      *output++ = static_cast<int8_t>((sum + (1 << 19) - (sum < 0)) >> 20);
    }
  }
}

}  // namespace

const ElementwiseKernels kElementwiseScalar = {Isa::kScalar, LookUp,      Add,  Mul,           nullptr,
                                               MaxPool,      AveragePool, Mean, ResizeBilinear, nullptr,       nullptr};

}  // namespace tflite_eq
