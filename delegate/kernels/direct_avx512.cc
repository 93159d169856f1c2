// Direct int8 convolution for AVX-512 with VNNI, for any filter size, stride and dilation.
//
// Register tile, up to 14 output pixels x 32 output channels:
//
//                    zmm28: couts 0-15   zmm29: couts 16-31      weights of four input channels
//   zmm30 (pixel 0)  acc 0,0             acc 0,1
//   ...              ...                 ...                     zmm30: four channels of a pixel in all lanes
//   zmm30 (pixel 13) acc 13,0            acc 13,1                28 accumulators
//
// The input rows of a unit are first copied into planes (dot8_avx512.h), one per filter column and vertical phase: the plane of
// (kx, phase) holds what output columns 0, 1, 2 ... see through tap kx in every input row that is `phase` modulo the vertical
// stride. A filter row is then an offset of whole rows inside a plane.
#include "delegate/kernels/dot8_avx512.h"
#include "delegate/kernels/filter_taps.h"
#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/row_units.h"

namespace tflite_eq {
namespace {

constexpr int kMaxPixels = 14;
constexpr size_t kScratchTarget = 512 << 10;

struct Taps : FilterTaps {
  explicit Taps(const ConvShape& s) : FilterTaps(s, kLine) {}
  size_t packed_bytes() const { return static_cast<size_t>(positions()) * Groups(channels) * kGroupBytes; }
};

// The planes of `output_rows` output rows.
struct Planes {
  Planes(const ConvShape& s, int output_rows)
      : taps(s),
        stride(s.stride_height),
        dilation(s.dilation_height),
        phases(stride < taps.rows ? stride : taps.rows),
        rows(output_rows + (taps.rows - 1) * dilation / stride),
        columns(s.output_width),
        blocks(LineBlocks(taps.channels)) {
    for (int ky = 0; ky < kTabled && ky < taps.rows; ++ky) row_offsets[ky] = RowOffset(ky);
  }

  // An odd number of lines, so that planes do not fall into the same cache sets.
  size_t plane_bytes() const { return (static_cast<size_t>(rows) * columns | 1) * kLine; }
  size_t phase_bytes() const { return plane_bytes() * blocks * taps.columns; }
  size_t bytes() const { return phase_bytes() * phases; }
  // Phases are numbered by the first filter row that has them.
  int phase_of(int ky) const {
    for (int first = 0; first < phases; ++first) {
      if (first * dilation % stride == ky * dilation % stride) return first;
    }
    return 0;  // not reached: phases repeat after at most `stride` rows
  }
  // The first line that filter row ky reads.
  size_t RowOffset(int ky) const {
    return phase_of(ky) * phase_bytes() + static_cast<size_t>(ky * dilation / stride) * columns * kLine;
  }
  size_t row_offset(int ky) const { return ky < kTabled ? row_offsets[ky] : RowOffset(ky); }
  // The input row that row `row` of a phase's planes holds, counted from the input row of (output row 0, ky = 0).
  int input_row(int phase, int row) const { return row * stride + phase * dilation % stride; }

  Taps taps;
  int stride;
  int dilation;
  int phases;
  int rows;
  int columns;
  int blocks;
  // The divisions in RowOffset would show in the innermost loops.
  static constexpr int kTabled = 8;
  size_t row_offsets[kTabled];
};

bool Certify(const ConvProblem&, Reason*) { return true; }

size_t WeightBytes(const ConvShape& s) {
  const size_t cout_blocks = (s.output_channels + kCoutBlock - 1) / kCoutBlock;
  return cout_blocks * Taps(s).packed_bytes();
}

// Packed: weights, then folded biases, the 128s of the unsigned operand included.
size_t PackedBytes(const ConvProblem& problem) {
  return WeightBytes(problem.shape) + (problem.shape.output_channels + kCoutBlock) * sizeof(int32_t);
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
  int most = shape.output_height > 0 ? shape.output_height : 1;
  while (most > 1 && Planes(shape, most).bytes() > kScratchTarget) --most;
  WorkPlan plan = PlanRows(shape, workers, most);
  plan.scratch_bytes = Planes(shape, plan.unit_size).bytes();
  return plan;
}

__m512i Flipped(__m512i codes) { return _mm512_xor_si512(codes, _mm512_set1_epi8(static_cast<char>(0x80))); }

// One row of the planes of filter column kx: what it sees in input row y, for every channel block.
void FillRow(const KernelContext& context, const int8_t* image, int y, int kx, const Planes& planes, uint8_t* line) {
  const ConvShape& s = context.shape;
  const __m512i padding = Flipped(_mm512_set1_epi8(static_cast<char>(context.input_zero_point)));
  const bool row_inside = y >= 0 && y < s.input_height;
  const int x0 = kx * s.dilation_width - s.pad_left;
  for (int block = 0; block < planes.blocks; ++block, line += planes.plane_bytes()) {
    const int channel = block * kLine;
    const int left = s.input_channels - channel;
    for (int column = 0; column < planes.columns; ++column) {
      const int x = x0 + column * s.stride_width;
      __m512i codes = padding;
      if (row_inside && x >= 0 && x < s.input_width) {
        const int8_t* from = image + (static_cast<size_t>(y) * s.input_width + x) * s.input_channels + channel;
        codes = Flipped(LoadLine(from, left));
      }
      _mm512_store_si512(line + static_cast<size_t>(column) * kLine, codes);
    }
  }
}

// The same with all filter columns in one line.
void FillFoldedRow(const KernelContext& context, const int8_t* image, int y, const Planes& planes, uint8_t* line) {
  const ConvShape& s = context.shape;
  const __m512i padding = _mm512_set1_epi8(static_cast<char>(context.input_zero_point));
  const bool row_inside = y >= 0 && y < s.input_height;
  for (int column = 0; column < planes.columns; ++column, line += kLine) {
    const int x = column * s.stride_width - s.pad_left;
    __m512i codes = padding;
    if (row_inside) {
      // The taps inside the image are neighbours in memory; they are loaded to where they belong in the line.
      const int first = x < 0 ? -x : 0;
      const int end = x + s.filter_width > s.input_width ? s.input_width - x : s.filter_width;
      if (first < end) {
        const int bytes = end * s.input_channels;
        const __mmask64 to_end = bytes == kLine ? ~__mmask64{0} : (__mmask64{1} << bytes) - 1;
        const __mmask64 before = (__mmask64{1} << first * s.input_channels) - 1;
        const int8_t* from = image + (static_cast<ptrdiff_t>(y) * s.input_width + x) * s.input_channels;
        codes = _mm512_mask_loadu_epi8(padding, to_end & ~before, from);
      }
    }
    _mm512_store_si512(line, Flipped(codes));
  }
}

void FillPlanes(const KernelContext& context, const int8_t* image, int row_begin, const Planes& planes, uint8_t* scratch) {
  const size_t row_bytes = static_cast<size_t>(planes.columns) * kLine;
  const int top = row_begin * planes.stride - context.shape.pad_top;
  for (int phase = 0; phase < planes.phases; ++phase) {
    for (int kx = 0; kx < planes.taps.columns; ++kx) {
      uint8_t* lines = scratch + phase * planes.phase_bytes() + static_cast<size_t>(kx) * planes.blocks * planes.plane_bytes();
      for (int row = 0; row < planes.rows; ++row) {
        const int y = top + planes.input_row(phase, row);
        if (planes.taps.folded) {
          FillFoldedRow(context, image, y, planes, lines + row * row_bytes);
        } else {
          FillRow(context, image, y, kx, planes, lines + row * row_bytes);
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

void RunRows(const KernelContext& context, int image, int row_begin, int row_end, const int8_t* input, int8_t* output,
             void* scratch) {
  const ConvShape& s = context.shape;
  uint8_t* lines = static_cast<uint8_t*>(scratch);
  const Planes planes(s, row_end - row_begin);
  FillPlanes(context, input + static_cast<size_t>(image) * s.input_height * s.input_width * s.input_channels, row_begin,
             planes, lines);

  const int8_t* weights = static_cast<const int8_t*>(context.packed);
  const int32_t* bias = reinterpret_cast<const int32_t*>(weights + WeightBytes(s));
  const size_t block_bytes = planes.taps.packed_bytes();
  const int pixels = (row_end - row_begin) * s.output_width;
  const int tiles = (pixels + kMaxPixels - 1) / kMaxPixels;
  output += (static_cast<size_t>(image) * s.output_height + row_begin) * s.output_width * s.output_channels;
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

void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
         void* scratch) {
  const RowRange rows = UnitRows(context.shape, plan, unit);
  RunRows(context, rows.image, rows.begin, rows.end, input, output, scratch);
}

}  // namespace

const ConvKernel kDirectAvx512 = {Algorithm::kDirect, Isa::kAvx512Vnni, /*needs_fallback=*/false, Certify, PackedBytes,
                                  Pack, Plan, Run, RunRows};

}  // namespace tflite_eq
