// Direct int8 convolution for AVX-512 with VNNI, for any filter size, stride and dilation.
//
// Register tile, up to 14 output pixels x 32 output channels:
//
//                    zmm28: couts 0-15   zmm29: couts 16-31      weights of four input channels
//   zmm30 (pixel 0)  acc 0,0             acc 0,1
//   ...              ...                 ...                     zmm30: four channels of a pixel in all lanes
//   zmm30 (pixel 13) acc 13,0            acc 13,1                28 accumulators
//
// The input under a unit is first copied into planes (dot8_avx512.h), one per filter column and plane of plane_rows.h: it holds what
// output columns 0, 1, 2 ... see through tap kx in some input rows. A filter row is then an offset of whole rows inside a plane.
// Where a unit is one row and too long, it is computed in segments of columns.
#include "delegate/kernels/dot8_avx512.h"
#include "delegate/kernels/filter_taps.h"
#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/plane_rows.h"
#include "delegate/kernels/row_units.h"

namespace tflite_eq {
namespace {

constexpr int kMaxPixels = 14;
constexpr size_t kScratchTarget = 512 << 10;

struct Taps : FilterTaps {
  explicit Taps(const ConvShape& s) : FilterTaps(s, kLine) {}
  size_t packed_bytes() const { return static_cast<size_t>(positions()) * Groups(channels) * kGroupBytes; }
};

// The planes of `output_rows` rows of `output_columns` outputs.
struct Planes : PlaneRows {
  Planes(const ConvShape& s, int output_rows, int output_columns)
      : PlaneRows(s, output_rows), taps(s), columns(output_columns), blocks(LineBlocks(taps.channels)) {
    for (int ky = 0; ky < kTabled && ky < taps.rows; ++ky) row_offsets[ky] = RowOffset(ky);
  }

  // What they take, for any sizes.
  static size_t Bytes(const ConvShape& s, int output_rows, int output_columns) {
    const PlaneRows plane(s, output_rows);
    const Taps taps(s);
    const size_t lines = (static_cast<size_t>(plane.rows) * output_columns | 1) * LineBlocks(taps.channels);
    return SaturatingProduct(SaturatingProduct(lines, static_cast<size_t>(taps.columns) * plane.planes), kLine);
  }

  // An odd number of lines, so that planes do not fall into the same cache sets.
  size_t plane_bytes() const { return (static_cast<size_t>(rows) * columns | 1) * kLine; }
  size_t phase_bytes() const { return plane_bytes() * blocks * taps.columns; }
  // The first line that filter row ky reads.
  size_t RowOffset(int ky) const {
    return plane_of(ky) * phase_bytes() + static_cast<size_t>(first_row(ky)) * columns * kLine;
  }
  size_t row_offset(int ky) const { return ky < kTabled ? row_offsets[ky] : RowOffset(ky); }

  Taps taps;
  int columns;
  int blocks;
  // The divisions in RowOffset would show in the innermost loops.
  static constexpr int kTabled = 8;
  size_t row_offsets[kTabled];
};

size_t WeightBytes(const ConvShape& s) {
  const size_t cout_blocks = (s.output_channels + kCoutBlock - 1) / kCoutBlock;
  return cout_blocks * Taps(s).packed_bytes();
}

// Packed: weights, then folded biases, the 128s of the unsigned operand included.
size_t PackedBytes(const ConvProblem& problem) {
  return WeightBytes(problem.shape) + (static_cast<size_t>(problem.shape.output_channels) + kCoutBlock) * sizeof(int32_t);
}

void Pack(const ConvProblem& problem, void* packed) {
  const ConvShape& s = problem.shape;
  const Taps taps(s);
  int8_t* weights = static_cast<int8_t*>(packed);
  int32_t* bias = reinterpret_cast<int32_t*>(weights + WeightBytes(s));
  const size_t position_bytes = static_cast<size_t>(Groups(taps.channels)) * kGroupBytes;
  for (int k = 0; k < s.output_channels; ++k) {
    const int8_t* filter = problem.weights.filter + static_cast<size_t>(k) * s.filter_size();
    int8_t* block = weights + k / kCoutBlock * taps.packed_bytes();
    uint32_t sum = 0;
    for (int position = 0; position < taps.positions(); ++position) {
      for (int c = 0; c < taps.channels; ++c) {
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
  return PlanSegments(shape, workers, shape.output_width, kScratchTarget,
                      [&shape](int rows, int columns) { return Planes::Bytes(shape, rows, columns); });
}

// Where the input begins that some outputs look at: it may be outside the image.
struct Corner {
  const int8_t* image;
  int y;
  int x;
};

__m512i Flipped(__m512i codes) { return _mm512_xor_si512(codes, _mm512_set1_epi8(static_cast<char>(0x80))); }

// One row of the planes of filter column kx: what it sees in input row y, for every channel block.
void FillRow(const KernelContext& context, const Corner& corner, int y, int kx, const Planes& planes, uint8_t* line) {
  const ConvShape& s = context.shape;
  const __m512i padding = Flipped(_mm512_set1_epi8(static_cast<char>(context.input_zero_point)));
  const bool row_inside = y >= 0 && y < s.input_height;
  const int x0 = corner.x + kx * s.dilation_width;
  for (int block = 0; block < planes.blocks; ++block, line += planes.plane_bytes()) {
    const int channel = block * kLine;
    const int left = s.input_channels - channel;
    for (int column = 0; column < planes.columns; ++column) {
      const int x = x0 + column * s.stride_width;
      __m512i codes = padding;
      if (row_inside && x >= 0 && x < s.input_width) {
        const int8_t* from = corner.image + (static_cast<size_t>(y) * s.input_width + x) * s.input_channels + channel;
        codes = Flipped(LoadLine(from, left));
      }
      _mm512_store_si512(line + static_cast<size_t>(column) * kLine, codes);
    }
  }
}

// The same with all filter columns in one line.
void FillFoldedRow(const KernelContext& context, const Corner& corner, int y, const Planes& planes, uint8_t* line) {
  const ConvShape& s = context.shape;
  const __m512i padding = _mm512_set1_epi8(static_cast<char>(context.input_zero_point));
  const bool row_inside = y >= 0 && y < s.input_height;
  for (int column = 0; column < planes.columns; ++column, line += kLine) {
    const int x = corner.x + column * s.stride_width;
    __m512i codes = padding;
    if (row_inside) {
      // The taps inside the image are neighbours in memory; they are loaded to where they belong in the line.
      const int first = x < 0 ? -x : 0;
      const int end = x + s.filter_width > s.input_width ? s.input_width - x : s.filter_width;
      if (first < end) {
        const int bytes = end * s.input_channels;
        const __mmask64 to_end = bytes == kLine ? ~__mmask64{0} : (__mmask64{1} << bytes) - 1;
        const __mmask64 before = (__mmask64{1} << first * s.input_channels) - 1;
        const int8_t* from = corner.image + (static_cast<ptrdiff_t>(y) * s.input_width + x) * s.input_channels;
        codes = _mm512_mask_loadu_epi8(padding, to_end & ~before, from);
      }
    }
    _mm512_store_si512(line, Flipped(codes));
  }
}

void FillPlanes(const KernelContext& context, const Corner& corner, const Planes& planes, uint8_t* scratch) {
  const size_t row_bytes = static_cast<size_t>(planes.columns) * kLine;
  for (int plane = 0; plane < planes.planes; ++plane) {
    for (int kx = 0; kx < planes.taps.columns; ++kx) {
      uint8_t* lines = scratch + plane * planes.phase_bytes() + static_cast<size_t>(kx) * planes.blocks * planes.plane_bytes();
      for (int row = 0; row < planes.rows; ++row) {
        const int y = corner.y + planes.input_row(plane, row);
        if (planes.taps.folded) {
          FillFoldedRow(context, corner, y, planes, lines + row * row_bytes);
        } else {
          FillRow(context, corner, y, kx, planes, lines + row * row_bytes);
        }
      }
    }
  }
}

template <int pixels>
void Tile(const Planes& planes, const uint8_t* lines, WeightStream weights, const int32_t* bias,
          const StoreCodes& store, size_t pixel, int8_t* out) {
  __m512i acc[pixels][2];
  for (int i = 0; i < pixels; ++i) {
    acc[i][0] = _mm512_load_si512(bias);
    acc[i][1] = _mm512_load_si512(bias + 16);
  }
  const size_t plane_bytes = planes.plane_bytes();
  for (int ky = 0; ky < planes.taps.rows; ++ky) {
    const uint8_t* plane = lines + planes.row_offset(ky);
    for (int kx = 0; kx < planes.taps.columns; ++kx) {
      for (int block = 0; block < planes.blocks; ++block, plane += plane_bytes) {
        AccumulateColumns<pixels>(acc, plane, GroupsInBlock(planes.taps.channels, block), &weights);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < pixels; i += 2) {
    const bool last = i + 1 == pixels;
    const int next = last ? i : i + 1;
    store.Pair(acc[i][0], acc[i][1], acc[next][0], acc[next][1], out + i * pixel, last ? nullptr : out + next * pixel);
  }
}

using TileFunction = void (*)(const Planes&, const uint8_t*, WeightStream, const int32_t*, const StoreCodes&, size_t,
                              int8_t*);
constexpr TileFunction kTiles[kMaxPixels + 1] = {nullptr,  Tile<1>,  Tile<2>,  Tile<3>,  Tile<4>,
                                                 Tile<5>,  Tile<6>,  Tile<7>,  Tile<8>,  Tile<9>,
                                                 Tile<10>, Tile<11>, Tile<12>, Tile<13>, Tile<14>};

// Whole rows, or a part of one; `output` is where it begins.
void RunBlock(const KernelContext& context, const Corner& corner, int rows, int columns, int8_t* output, uint8_t* lines) {
  const ConvShape& s = context.shape;
  const Planes planes(s, rows, columns);
  FillPlanes(context, corner, planes, lines);
  const int8_t* weights = static_cast<const int8_t*>(context.packed);
  const int32_t* bias = reinterpret_cast<const int32_t*>(weights + WeightBytes(s));
  const size_t block_bytes = planes.taps.packed_bytes();
  const int pixels = rows * columns;
  const int tiles = (pixels + kMaxPixels - 1) / kMaxPixels;
  for (int cout = 0; cout < s.output_channels; cout += kCoutBlock) {
    const StoreCodes store(*context.requantization, cout, s.output_channels - cout);
    int pixel = 0;
    for (int tile = 0; tile < tiles; ++tile) {
      const int end = static_cast<int>(static_cast<int64_t>(pixels) * (tile + 1) / tiles);
      kTiles[end - pixel](planes, lines + static_cast<size_t>(pixel) * kLine,
                          WeightStream(weights + cout / kCoutBlock * block_bytes, block_bytes, tile, tiles), bias + cout,
                          store, s.output_channels, output + static_cast<size_t>(pixel) * s.output_channels + cout);
      pixel = end;
    }
  }
}

void RunRows(const KernelContext& context, int image, int row_begin, int row_end, const int8_t* input, int8_t* output,
             void* scratch) {
  const ConvShape& s = context.shape;
  input += static_cast<size_t>(image) * s.input_height * s.input_width * s.input_channels;
  output += (static_cast<size_t>(image) * s.output_height + row_begin) * s.output_width * s.output_channels;
  const int y = row_begin * s.stride_height - s.pad_top;
  const int segment = SegmentColumns(s.output_width, kScratchTarget,
                                     [&s](int rows, int columns) { return Planes::Bytes(s, rows, columns); });
  for (int column = 0; column < s.output_width; column += segment) {
    const int left = s.output_width - column;
    RunBlock(context, {input, y, column * s.stride_width - s.pad_left}, row_end - row_begin, left < segment ? left : segment,
             output + static_cast<size_t>(column) * s.output_channels, static_cast<uint8_t*>(scratch));
  }
}

void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
         void* scratch) {
  const RowRange rows = UnitRows(context.shape, plan, unit);
  RunRows(context, rows.image, rows.begin, rows.end, input, output, scratch);
}

}  // namespace

const ConvKernel kDirectAvx512 = {Algorithm::kDirect, Isa::kAvx512Vnni, /*needs_fallback=*/false, /*uses_lines=*/false, CertifyDirect,
                                  PackedBytes, Pack, Plan, Run, RunRows};

}  // namespace tflite_eq
