// Direct int8 convolution for AVX-512 with VNNI, for any filter size, stride and dilation.
//
// Register tile, up to 14 output pixels x 32 output channels:
//
//                    zmm28: couts 0-15   zmm29: couts 16-31      weights of four input channels
//   zmm30 (pixel 0)  acc 0,0             acc 0,1
//   ...              ...                 ...                     zmm30: four channels of a pixel in all lanes
//   zmm30 (pixel 13) acc 13,0            acc 13,1                28 accumulators
//
// The input rows of a unit are first copied into planes (dot8_avx512.h), one per filter column: the plane of column kx holds
// what output column 0, 1, 2 ... sees through that tap. With vertical stride 1 a filter row is an offset of whole rows inside
// the plane; with other strides every filter position has its own plane.
#include "delegate/kernels/dot8_avx512.h"
#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/row_units.h"

namespace tflite_eq {
namespace {

constexpr int kMaxPixels = 14;
constexpr size_t kScratchTarget = 512 << 10;

// The planes of `rows` output rows.
struct Planes {
  Planes(const ConvShape& s, int rows)
      : shared_rows(s.stride_height == 1),
        count(s.filter_width * (shared_rows ? 1 : s.filter_height)),
        rows(shared_rows ? rows + (s.filter_height - 1) * s.dilation_height : rows),
        columns(s.output_width),
        blocks(LineBlocks(s.input_channels)) {}

  // An odd number of lines, so that planes do not fall into the same cache sets.
  size_t plane_bytes() const { return (static_cast<size_t>(rows) * columns | 1) * kLine; }
  size_t bytes() const { return plane_bytes() * blocks * count; }
  // The first line that filter position (ky, kx) reads in a channel block.
  size_t offset(const ConvShape& s, int ky, int kx, int block) const {
    const int plane = shared_rows ? kx : ky * s.filter_width + kx;
    const size_t row = shared_rows ? static_cast<size_t>(ky) * s.dilation_height * columns * kLine : 0;
    return (static_cast<size_t>(plane) * blocks + block) * plane_bytes() + row;
  }

  bool shared_rows;
  int count;
  int rows;
  int columns;
  int blocks;
};

bool Certify(const ConvProblem&, Reason*) { return true; }

size_t WeightBytes(const ConvShape& s) {
  const size_t cout_blocks = (s.output_channels + kCoutBlock - 1) / kCoutBlock;
  return cout_blocks * s.filter_height * s.filter_width * Groups(s.input_channels) * kGroupBytes;
}

// Packed: weights, then folded biases, the 128s of the unsigned operand included.
size_t PackedBytes(const ConvProblem& problem) {
  return WeightBytes(problem.shape) + (problem.shape.output_channels + kCoutBlock) * sizeof(int32_t);
}

void Pack(const ConvProblem& problem, void* packed) {
  const ConvShape& s = problem.shape;
  int8_t* weights = static_cast<int8_t*>(packed);
  int32_t* bias = reinterpret_cast<int32_t*>(weights + WeightBytes(s));
  const int positions = s.filter_height * s.filter_width;
  const size_t position_bytes = static_cast<size_t>(Groups(s.input_channels)) * kGroupBytes;
  for (int k = 0; k < s.output_channels; ++k) {
    const int8_t* filter = problem.weights.filter + static_cast<size_t>(k) * s.filter_size();
    int8_t* block = weights + k / kCoutBlock * positions * position_bytes;
    uint32_t sum = 0;
    for (int position = 0; position < positions; ++position) {
      for (int c = 0; c < s.input_channels; ++c) {
        const int8_t w = *filter++;
        block[position * position_bytes + PackedOffset(k % kCoutBlock, c)] = w;
        sum += static_cast<uint32_t>(int32_t{w});
      }
    }
    bias[k] = static_cast<int32_t>(static_cast<uint32_t>(FoldedBias(problem, k)) - 128u * sum);
  }
}

WorkPlan Plan(const ConvShape& shape, int workers) {
  // As many rows as keep the planes in the second-level cache.
  int most = shape.output_height > 0 ? shape.output_height : 1;
  while (most > 1 && Planes(shape, most).bytes() > kScratchTarget) --most;
  WorkPlan plan = PlanRows(shape, workers, most);
  plan.scratch_bytes = Planes(shape, plan.unit_size).bytes();
  return plan;
}

// Copies one row of one plane: what tap (ky, kx) sees in an output row, for every channel block.
void FillRow(const KernelContext& context, const int8_t* image, int y, int kx, const Planes& planes, uint8_t* line) {
  const ConvShape& s = context.shape;
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  const __m512i padding = _mm512_xor_si512(_mm512_set1_epi8(static_cast<char>(context.input_zero_point)), flip);
  const int x0 = kx * s.dilation_width - s.pad_left;
  for (int block = 0; block < planes.blocks; ++block, line += planes.plane_bytes()) {
    const int channel = block * kLine;
    const int left = s.input_channels - channel;
    for (int column = 0; column < planes.columns; ++column) {
      const int x = x0 + column * s.stride_width;
      __m512i codes = padding;
      if (y >= 0 && y < s.input_height && x >= 0 && x < s.input_width) {
        const int8_t* from = image + (static_cast<size_t>(y) * s.input_width + x) * s.input_channels + channel;
        codes = _mm512_xor_si512(LoadLine(from, left), flip);
      }
      _mm512_store_si512(line + static_cast<size_t>(column) * kLine, codes);
    }
  }
}

void FillPlanes(const KernelContext& context, const int8_t* image, int row_begin, const Planes& planes, uint8_t* scratch) {
  const ConvShape& s = context.shape;
  const size_t row_bytes = static_cast<size_t>(planes.columns) * kLine;
  for (int plane = 0; plane < planes.count; ++plane) {
    const int kx = plane % s.filter_width;
    const int ky = plane / s.filter_width;
    uint8_t* lines = scratch + static_cast<size_t>(plane) * planes.blocks * planes.plane_bytes();
    for (int row = 0; row < planes.rows; ++row) {
      const int y = planes.shared_rows
                        ? row_begin + row - s.pad_top
                        : (row_begin + row) * s.stride_height - s.pad_top + ky * s.dilation_height;
      FillRow(context, image, y, kx, planes, lines + row * row_bytes);
    }
  }
}

template <int pixels>
void Tile(const ConvShape& s, const Planes& planes, const uint8_t* lines, WeightStream weights, const int32_t* bias,
          const StoreCodes& store, int8_t* out) {
  __m512i acc[pixels][2];
  for (int i = 0; i < pixels; ++i) {
    acc[i][0] = _mm512_load_si512(bias);
    acc[i][1] = _mm512_load_si512(bias + 16);
  }
  for (int ky = 0; ky < s.filter_height; ++ky) {
    for (int kx = 0; kx < s.filter_width; ++kx) {
      for (int block = 0; block < planes.blocks; ++block) {
        AccumulateColumns<pixels>(acc, lines + planes.offset(s, ky, kx, block), GroupsInBlock(s.input_channels, block),
                                  &weights);
      }
    }
  }
  const size_t pixel = s.output_channels;
#pragma GCC unroll 16
  for (int i = 0; i < pixels; i += 2) {
    const bool last = i + 1 == pixels;
    store.Pair(acc[i], acc[last ? i : i + 1], out + i * pixel, last ? nullptr : out + (i + 1) * pixel);
  }
}

using TileFunction = void (*)(const ConvShape&, const Planes&, const uint8_t*, WeightStream, const int32_t*,
                              const StoreCodes&, int8_t*);
constexpr TileFunction kTiles[kMaxPixels + 1] = {nullptr,  Tile<1>,  Tile<2>,  Tile<3>,  Tile<4>,
                                                 Tile<5>,  Tile<6>,  Tile<7>,  Tile<8>,  Tile<9>,
                                                 Tile<10>, Tile<11>, Tile<12>, Tile<13>, Tile<14>};

void RunRows(const KernelContext& context, int image, int row_begin, int row_end, const int8_t* input, int8_t* output,
             void* scratch) {
  const ConvShape& s = context.shape;
  uint8_t* lines = static_cast<uint8_t*>(scratch);
  const Planes planes(s, row_end - row_begin);
  FillPlanes(context, input + static_cast<size_t>(image) * s.input_height * s.input_width * s.input_channels, row_begin,
             planes, lines);

  const int8_t* weights = static_cast<const int8_t*>(context.packed);
  const int32_t* bias = reinterpret_cast<const int32_t*>(weights + WeightBytes(s));
  const size_t block_bytes =
      static_cast<size_t>(s.filter_height) * s.filter_width * Groups(s.input_channels) * kGroupBytes;
  const int pixels = (row_end - row_begin) * s.output_width;
  const int tiles = (pixels + kMaxPixels - 1) / kMaxPixels;
  output += (static_cast<size_t>(image) * s.output_height + row_begin) * s.output_width * s.output_channels;
  for (int cout = 0; cout < s.output_channels; cout += kCoutBlock) {
    const StoreCodes store(*context.requantization, cout, s.output_channels - cout);
    int pixel = 0;
    for (int tile = 0; tile < tiles; ++tile) {
      const int end = static_cast<int>(static_cast<int64_t>(pixels) * (tile + 1) / tiles);
      kTiles[end - pixel](s, planes, lines + static_cast<size_t>(pixel) * kLine,
                          WeightStream(weights + cout / kCoutBlock * block_bytes, block_bytes, tile, tiles), bias + cout,
                          store, output + static_cast<size_t>(pixel) * s.output_channels + cout);
      pixel = end;
    }
  }
}

void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
         void* scratch) {
  const RowRange rows = UnitRows(context.shape, plan, unit);
  RunRows(context, rows.image, rows.begin, rows.end, input, output, scratch);
}

}  // namespace

const ConvKernel kDirectAvx512 = {Algorithm::kDirect, Isa::kAvx512Vnni, /*needs_fallback=*/false, Certify, PackedBytes,
                                  Pack, Plan, Run, RunRows};

}  // namespace tflite_eq
