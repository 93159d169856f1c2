#include "delegate/kernels/winograd_2d_weights.h"

#include "delegate/kernels/certificate.h"

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

// int16 values of one position of a cout block.
size_t PositionSize(const Winograd2dFormat& format, const ConvShape& shape) {
  const size_t groups = (shape.input_channels + format.group - 1) / format.group;
  return groups * format.group * format.cout_block;
}

int Parts(const Winograd2dFormat& format, const ConvProblem& problem, int block) {
  Reason unused;  // certified before
  const int bits = format.output == 4 ? kWinogradF43Bits : kWinogradF23Bits;
  return WinogradParts(problem, bits, block * format.cout_block, format.cout_block, &unused);
}

// Whole cache lines, so that the initial values behind the counts are aligned.
size_t PartCountsSize(int blocks) {
  constexpr size_t kLine = 64 / sizeof(int32_t);
  return (static_cast<size_t>(blocks) + 1 + kLine - 1) / kLine * kLine;
}

// scale * (-zero_point * sum of the part's weights, and the bias with the first part), modulo 2^32.
int32_t InitialValue(const ConvProblem& problem, int k, int parts, int part, uint32_t scale) {
  const ConvShape& shape = problem.shape;
  const int begin = WinogradPartBegin(shape.input_channels, parts, part);
  const int end = WinogradPartBegin(shape.input_channels, parts, part + 1);
  uint32_t sum = 0;
  for (int tap = 0; tap < 9; ++tap) {
    const int8_t* w = problem.weights.filter + (static_cast<size_t>(k) * 9 + tap) * shape.input_channels;
    for (int c = begin; c < end; ++c) sum += static_cast<uint32_t>(int32_t{w[c]});
  }
  uint32_t start = 0u - static_cast<uint32_t>(problem.quantization.input_zero_point) * sum;
  if (part == 0 && problem.weights.bias != nullptr && !BiasComesLate(problem, k)) {
    start += static_cast<uint32_t>(problem.weights.bias[k]);
  }
  return static_cast<int32_t>(start * scale);
}

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

Winograd2dWeights::Winograd2dWeights(const void* packed, const Winograd2dFormat& format, const ConvShape& shape)
    : packed_(static_cast<const int16_t*>(packed)),
      cout_block_(format.cout_block),
      blocks_(Blocks(format.cout_block, shape)),
      positions_((format.output + 2) * (format.output + 2)),
      bias_position_(format.output + 3),
      position_size_(PositionSize(format, shape)),
      part_counts_size_(PartCountsSize(static_cast<int>(blocks_))) {}

size_t Winograd2dPackedBytes(const Winograd2dFormat& format, const ConvProblem& problem) {
  const size_t blocks = Blocks(format.cout_block, problem.shape);
  const size_t positions = (format.output + 2) * (format.output + 2);
  size_t most_parts = 1;
  for (size_t block = 0; block < blocks; ++block) {
    const size_t parts = Parts(format, problem, static_cast<int>(block));
    if (parts > most_parts) most_parts = parts;
  }
  return blocks * positions * PositionSize(format, problem.shape) * sizeof(int16_t) +
         (PartCountsSize(static_cast<int>(blocks)) + (blocks * most_parts + 1) * format.cout_block) * sizeof(int32_t);
}

void PackWinograd2d(const Winograd2dFormat& format, const ConvProblem& problem, void* packed) {
  const int output = format.output;
  const int cout_block = format.cout_block;
  const ConvShape& shape = problem.shape;
  const int channels = shape.input_channels;
  const int positions = (output + 2) * (output + 2);
  const int blocks = Blocks(cout_block, shape);
  const uint32_t scale = output == 4 ? 576 : 4;
  const Winograd2dWeights layout(packed, format, shape);
  int32_t* part_counts = const_cast<int32_t*>(layout.part_counts());
  part_counts[blocks] = 1;
  for (int block = 0; block < blocks; ++block) {
    part_counts[block] = Parts(format, problem, block);
    if (part_counts[block] > part_counts[blocks]) part_counts[blocks] = part_counts[block];
  }
  for (int k = 0; k < shape.output_channels; ++k) {
    const int block = k / cout_block;
    const int lane = k % cout_block;
    for (int c = 0; c < channels; ++c) {
      int8_t taps[9];
      for (int i = 0; i < 9; ++i) taps[i] = problem.weights.filter[(static_cast<size_t>(k) * 9 + i) * channels + c];
      int16_t u[36];
      TransformWinograd2dFilter(output, taps, u);
      const int in_group = c % format.group;
      const size_t offset = static_cast<size_t>(c - in_group) * cout_block +
                            (format.interleaved ? lane * format.group + in_group : in_group * cout_block + lane);
      for (int p = 0; p < positions; ++p) const_cast<int16_t*>(layout.position(block, p))[offset] = u[p];
    }
    for (int part = 0; part < layout.parts(block); ++part) {
      const_cast<int32_t*>(layout.initial(block, output + 3, part))[lane] =
          InitialValue(problem, k, layout.parts(block), part, scale);
    }
  }
}

}  // namespace tflite_eq
