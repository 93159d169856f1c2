#include "delegate/ops/reference/pool.h"

#include "delegate/ops/reference/quantization.h"

namespace tflite_eq {
namespace {

struct Window {
  int begin;
  int end;
};

Window WindowOf(const PoolAxis& axis, int output) {
  const int begin = output * axis.stride - axis.pad;
  const int end = begin + axis.filter;
  return {begin < 0 ? 0 : begin, end > axis.input ? axis.input : end};
}

// Calls `code` with each code of one channel in a window.
template <typename Function>
void ForEachCode(const PoolShape& shape, const int8_t* input, int row, int column, int channel, Function code) {
  const Window rows = WindowOf(shape.rows, row);
  const Window columns = WindowOf(shape.columns, column);
  for (int y = rows.begin; y < rows.end; ++y) {
    for (int x = columns.begin; x < columns.end; ++x) {
      code(input[(int64_t{y} * shape.columns.input + x) * shape.channels + channel]);
    }
  }
}

template <typename Function>
void ForEachOutput(const PoolShape& shape, int8_t* output, Function result) {
  for (int row = 0; row < shape.rows.output; ++row) {
    for (int column = 0; column < shape.columns.output; ++column) {
      for (int channel = 0; channel < shape.channels; ++channel) {
        *output++ = ClampCode(result(row, column, channel), shape.activation_min, shape.activation_max);
      }
    }
  }
}

}  // namespace

void ReferenceMaxPool(const PoolShape& shape, const int8_t* input, int8_t* output) {
  ForEachOutput(shape, output, [&](int row, int column, int channel) {
    int largest = -128;
    ForEachCode(shape, input, row, column, channel, [&](int8_t code) { largest = code > largest ? code : largest; });
    return largest;
  });
}

void ReferenceAveragePool(const PoolShape& shape, const int8_t* input, int8_t* output) {
  ForEachOutput(shape, output, [&](int row, int column, int channel) {
    int32_t sum = 0;
    int32_t count = 0;
    ForEachCode(shape, input, row, column, channel, [&](int8_t code) {
      sum += code;
      ++count;
    });
    // Half away from zero.
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
  });
}

}  // namespace tflite_eq
