#include "delegate/kernels/winograd_2d_weights.h"

#include "delegate/kernels/certificate.h"
#include "delegate/kernels/folded_bias.h"

namespace tflite_eq {
namespace {

// One dimension of F(4,3), times 24 but for the last row, which A^T makes up for: 6*(1 0 0), -4*(1 +-1 1), (1 +-2 4),
// 6*(0 0 1).
void TransformF43(const int* w, int stride, int* u) {
  const int a = w[0], b = w[stride], c = w[2 * stride];
  u[0] = 6 * a;
  u[1] = -4 * (a + b + c);
  u[2] = -4 * (a - b + c);
  u[3] = a + 2 * b + 4 * c;
  u[4] = a - 2 * b + 4 * c;
  u[5] = 6 * c;
}

// One dimension of F(2,3), times 2.
void TransformF23(const int* w, int stride, int* u) {
  const int a = w[0], b = w[stride], c = w[2 * stride];
  u[0] = 2 * a;
  u[1] = a + b + c;
  u[2] = a - b + c;
  u[3] = 2 * c;
}

int Blocks(int cout_block, const ConvShape& shape) { return (shape.output_channels + cout_block - 1) / cout_block; }
int Pairs(const ConvShape& shape) { return (shape.input_channels + 1) / 2; }

}  // namespace

void TransformWinograd2dFilter(int output, const int8_t* w, int16_t* u) {
  constexpr int kLargest = 6;
  const int n = output + 2;
  const auto transform = output == 4 ? TransformF43 : TransformF23;
  int taps[9];
  for (int i = 0; i < 9; ++i) taps[i] = w[i];
  int columns[3][kLargest];  // G w, by column of w
  for (int x = 0; x < 3; ++x) transform(taps + x, 3, columns[x]);
  for (int row = 0; row < n; ++row) {
    const int line[3] = {columns[0][row], columns[1][row], columns[2][row]};
    int values[kLargest];
    transform(line, 1, values);
    for (int column = 0; column < n; ++column) u[row * n + column] = static_cast<int16_t>(values[column]);
  }
}

Winograd2dWeights::Winograd2dWeights(const void* packed, int output, int cout_block, const ConvShape& shape)
    : packed_(static_cast<const int16_t*>(packed)),
      cout_block_(cout_block),
      pairs_(Pairs(shape)),
      blocks_(Blocks(cout_block, shape)),
      positions_((output + 2) * (output + 2)),
      bias_position_(output + 3),
      position_size_(static_cast<size_t>(pairs_) * cout_block * 2) {}

size_t Winograd2dPackedBytes(int output, int cout_block, const ConvProblem& problem) {
  const size_t blocks = Blocks(cout_block, problem.shape);
  const size_t positions = (output + 2) * (output + 2);
  return blocks * positions * Pairs(problem.shape) * cout_block * 2 * sizeof(int16_t) +
         (blocks + 1) * cout_block * sizeof(int32_t);
}

void PackWinograd2d(int output, int cout_block, const ConvProblem& problem, void* packed) {
  const ConvShape& shape = problem.shape;
  const int channels = shape.input_channels;
  const int positions = (output + 2) * (output + 2);
  const uint32_t scale = output == 4 ? 576 : 4;
  const Winograd2dWeights layout(packed, output, cout_block, shape);
  for (int k = 0; k < shape.output_channels; ++k) {
    const int block = k / cout_block;
    const int lane = k % cout_block;
    for (int c = 0; c < channels; ++c) {
      int8_t taps[9];
      for (int i = 0; i < 9; ++i) taps[i] = problem.weights.filter[(static_cast<size_t>(k) * 9 + i) * channels + c];
      int16_t u[36];
      TransformWinograd2dFilter(output, taps, u);
      const size_t offset = (static_cast<size_t>(c / 2) * cout_block + lane) * 2 + c % 2;
      for (int p = 0; p < positions; ++p) const_cast<int16_t*>(layout.position(block, p))[offset] = u[p];
    }
    uint32_t start = static_cast<uint32_t>(FoldedBias(problem, k));
    if (problem.weights.bias != nullptr && BiasComesLate(problem, k)) start -= static_cast<uint32_t>(problem.weights.bias[k]);
    start *= scale;
    const_cast<int32_t*>(layout.initial(block, output + 3))[lane] = static_cast<int32_t>(start);
  }
}

}  // namespace tflite_eq
