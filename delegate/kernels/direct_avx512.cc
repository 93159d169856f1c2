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
//
// Where a filter row has few values, they are taken for channels (filter_taps.h): they are neighbours in memory, so that padded copies
// of rows do; and pixels do under a 1x1 filter. The last
// block of output channels may be half a block. Layers of no more than that have tiles of their own (narrow_avx512.h), which read any
// rows of values.
#include "delegate/kernels/dot8_avx512.h"
#include "delegate/kernels/filter_taps.h"
#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/narrow_avx512.h"
#include "delegate/kernels/plane_rows.h"
#include "delegate/kernels/row_units.h"

namespace tflite_eq {
namespace {

constexpr int kMaxPixels = 14;
constexpr size_t kScratchTarget = 512 << 10;

// Filter rows of up to so many values are folded.
constexpr int kLongestFolded = 3 * kLine;

// Weights of narrow tiles are held four times over: so many groups are as much as they may take of a first-level cache.
constexpr int kMostNarrowGroups = 128;

struct Taps : FilterTaps {
  __attribute__((noinline)) explicit Taps(const ConvShape& s) : FilterTaps(s, kLongestFolded) {
    const bool in_rows = folded || (s.filter_width == 1 && s.input_channels > 0);
    narrow = in_rows && s.output_channels <= kNarrow && int64_t{rows} * Groups(channels) <= kMostNarrowGroups;
    folded = folded || narrow;
  }
  // Of a block of output channels.
  size_t packed_bytes() const {
    return static_cast<size_t>(positions()) * Groups(channels) * (narrow ? kNarrowGroupBytes : kGroupBytes);
  }
  size_t offset(int cout, int channel) const { return narrow ? NarrowOffset(cout, channel) : PackedOffset(cout, channel); }

  bool narrow;
};

// The planes of `output_rows` rows of `output_columns` outputs.
struct Planes : PlaneRows {
  Planes(const ConvShape& s, int output_rows, int output_columns)
      : PlaneRows(s, output_rows), taps(s), columns(output_columns), blocks(LineBlocks(taps.channels)) {}

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

  Taps taps;
  int columns;
  int blocks;
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
  const size_t position_bytes = taps.packed_bytes() / (taps.positions() > 0 ? taps.positions() : 1);
  const int copies = taps.narrow ? kQuad : 1;
  for (int k = 0; k < s.output_channels; ++k) {
    const int8_t* filter = problem.weights.filter + static_cast<size_t>(k) * s.filter_size();
    int8_t* block = weights + k / kCoutBlock * taps.packed_bytes();
    uint32_t sum = 0;
    for (int position = 0; position < taps.positions(); ++position) {
      for (int c = 0; c < taps.channels; ++c) {
        const int8_t w = *filter++;
        int8_t* to = block + position * position_bytes + taps.offset(k % kCoutBlock, c);
        for (int copy = 0; copy < copies; ++copy) to[copy * kNarrow] = w;
        sum += static_cast<uint32_t>(int32_t{w});
      }
    }
    bias[k] = static_cast<int32_t>(static_cast<uint32_t>(FoldedBias(problem, k)) - 128u * sum);
  }
}

// Copies of the rows that some output rows look at, padded at both ends, signs flipped. Where narrow tiles read no more than `kNarrow`
// bytes of a row for a pixel, each pixel has a copy of these, so that four pixels are a line.
struct PaddedRows : PlaneRows {
  PaddedRows(const ConvShape& s, int output_rows, int output_columns)
      : PlaneRows(s, output_rows),
        taps(s),
        copied_column(static_cast<size_t>(s.stride_width) * s.input_channels),
        bytes(RowBytes(s, output_columns)),
        copied_pitch(CopiedPitch(s, output_columns)),
        spread(IsSpread(taps)),
        column(spread ? kNarrow : copied_column),
        pitch(Pitch(s, output_columns)) {}

  static size_t RowBytes(const ConvShape& s, int columns) {
    return SaturatingProduct((static_cast<size_t>(columns) - 1) * s.stride_width + s.filter_width, s.input_channels);
  }
  static bool IsSpread(const Taps& taps) { return taps.narrow && taps.channels <= kNarrow; }
  // Groups of four may read past the last tap, and rows are written by whole vectors.
  static size_t CopiedPitch(const ConvShape& s, int columns) { return (RowBytes(s, columns) + 2 * kLine - 1) / kLine * kLine; }
  static size_t Pitch(const ConvShape& s, int columns) {
    return IsSpread(Taps(s)) ? static_cast<size_t>(columns) * kNarrow : CopiedPitch(s, columns);
  }
  // Of all rows, and one as it is copied before it is spread.
  static size_t Bytes(const ConvShape& s, int output_rows, int output_columns) {
    const PlaneRows plane(s, output_rows);
    const size_t rows = SaturatingProduct(Pitch(s, output_columns), static_cast<size_t>(plane.rows) * plane.planes);
    const size_t copied = CopiedPitch(s, output_columns);
    return rows > SIZE_MAX - copied ? SIZE_MAX : rows + copied;
  }

  Taps taps;
  size_t copied_column;  // bytes from what one output column sees to what the next does
  size_t bytes;
  size_t copied_pitch;
  bool spread;
  size_t column;  // the same where it is read
  size_t pitch;
};

// What a tile reads: planes, padded rows, or the input itself.
struct Source {
  explicit Source(const Planes& p)
      : rows(p),
        plane_step(p.phase_bytes()),
        row_step(static_cast<size_t>(p.columns) * kLine),
        filter_rows(p.taps.rows),
        filter_columns(p.taps.columns),
        blocks(p.blocks),
        groups(Groups(p.taps.channels)),
        block_step(p.plane_bytes()),
        column(kLine) {
    Tabulate();
  }
  explicit Source(const PaddedRows& p)
      : rows(p),
        plane_step(p.pitch * p.rows),
        row_step(p.pitch),
        filter_rows(p.taps.rows),
        groups(Groups(p.taps.channels)),
        column(static_cast<ptrdiff_t>(p.column)) {
    Tabulate();
  }
  // Pixels under a 1x1 filter, one after the other.
  explicit Source(const ConvShape& s) : rows(s, 1), groups(Groups(s.input_channels)), column(s.input_channels) {}

  // The first line that filter row ky reads.
  size_t row_offset(int ky) const { return ky < kTabled ? row_offsets[ky] : RowOffset(ky); }
  int groups_of(int block) const { return block + 1 < blocks ? kLine / kGroup : groups - block * (kLine / kGroup); }

  PlaneRows rows;
  size_t plane_step = 0;
  size_t row_step = 0;
  int filter_rows = 1;
  int filter_columns = 1;  // that lie in planes of their own
  int blocks = 1;          // of channels, likewise
  int groups;              // of four channels, in all
  size_t block_step = 0;
  ptrdiff_t column;        // bytes from what one output column sees to what the next does

 private:
  __attribute__((noinline)) size_t RowOffset(int ky) const { return rows.plane_of(ky) * plane_step + static_cast<size_t>(rows.first_row(ky)) * row_step; }
  void Tabulate() {
    for (int ky = 0; ky < kTabled && ky < filter_rows; ++ky) row_offsets[ky] = RowOffset(ky);
  }
  // The divisions in RowOffset would show in the innermost loops.
  static constexpr int kTabled = 8;
  size_t row_offsets[kTabled] = {};
};

// A 1x1 filter with stride 1 sees pixels as they follow each other, across rows: they are copied a chunk at a time.
bool IsPointwise(const ConvShape& s) {
  return s.filter_height == 1 && s.filter_width == 1 && s.stride_height == 1 && s.stride_width == 1 && s.pad_top == 0 &&
         s.pad_left == 0 && s.output_height == s.input_height && s.output_width == s.input_width && s.input_channels > 0;
}

// As many pixels as the first-level cache holds, what is read and what is written, while blocks of output channels take turns.
int ChunkPixels(int64_t pixel_bytes) {
  constexpr int64_t kFirstLevel = 24 << 10;
  const int64_t tiles = kFirstLevel / pixel_bytes / kMaxPixels;
  return static_cast<int>(tiles > 4 ? tiles : 4) * kMaxPixels;
}
int PointwiseChunk(const ConvShape& s) { return ChunkPixels(int64_t{s.input_channels} + s.output_channels); }

size_t ScratchBytes(const ConvShape& s, int rows, int columns) {
  return Taps(s).folded ? PaddedRows::Bytes(s, rows, columns) : Planes::Bytes(s, rows, columns);
}

// Into how many parts workers divide the output channels, each of which gathers all of the input for itself: as many as there are
// workers where rows cannot be shared out evenly, as of small images, else one.
int ChannelParts(const ConvShape& s, int workers) {
  const int blocks = (s.output_channels + kCoutBlock - 1) / kCoutBlock;
  const int64_t rows = int64_t{s.batch} * s.output_height;
  if (workers < 2 || blocks < workers || rows < 1) return 1;
  const auto longest = [workers](int64_t count) {
    return static_cast<double>((count + workers - 1) / workers) / static_cast<double>(count);
  };
  constexpr double kGathering = 1.04;
  return kGathering * longest(blocks) < longest(rows) ? workers : 1;
}

WorkPlan Plan(const ConvShape& shape, int workers) {
  const int parts = ChannelParts(shape, workers);
  if (parts > 1) workers = 1;
  WorkPlan plan;
  if (IsPointwise(shape)) {
    const int64_t row = int64_t{shape.output_width} * shape.input_channels;
    plan = PlanRows(shape, workers, row > 0 ? static_cast<int>(int64_t{kScratchTarget} / row) : 1);
    if (!Taps(shape).narrow) plan.scratch_bytes = static_cast<size_t>(PointwiseChunk(shape)) * shape.input_channels + 2 * kLine;
  } else {
    // As many rows as keep the planes in the second-level cache.
    plan = PlanSegments(shape, workers, shape.output_width, kScratchTarget,
                        [&shape](int rows, int columns) { return ScratchBytes(shape, rows, columns); });
  }
  plan.parts = parts;
  plan.units *= parts;
  return plan;
}

// Output channels that are computed at a time, from whole blocks.
struct Channels {
  int begin;
  int end;
};

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

void CopyFlipped(const int8_t* from, ptrdiff_t bytes, uint8_t* to) {
  ptrdiff_t i = 0;
  for (; i + kLine <= bytes; i += kLine) _mm512_storeu_si512(to + i, Flipped(_mm512_loadu_si512(from + i)));
  if (i == bytes) return;
  const __mmask64 rest = (__mmask64{1} << (bytes - i)) - 1;
  _mm512_mask_storeu_epi8(to + i, rest, Flipped(_mm512_maskz_loadu_epi8(rest, from + i)));
}

// What output columns see of input row y, from the first to the last.
void CopyPaddedRow(const KernelContext& context, const Corner& corner, int y, const PaddedRows& rows, uint8_t* to) {
  const ConvShape& s = context.shape;
  const auto padding = static_cast<uint8_t>(context.input_zero_point ^ 0x80);
  const auto channels = static_cast<ptrdiff_t>(s.input_channels);
  const auto bytes = static_cast<ptrdiff_t>(rows.bytes);
  // Of the row's bytes, those that lie in the image.
  ptrdiff_t begin = corner.x < 0 ? -corner.x * channels : 0;
  ptrdiff_t end = (static_cast<ptrdiff_t>(s.input_width) - corner.x) * channels;
  if (end > bytes) end = bytes;
  if (y < 0 || y >= s.input_height || begin >= end) begin = end = 0;
  if (begin > 0 || end < bytes) memset(to, padding, rows.copied_pitch);
  const int8_t* from = corner.image + (static_cast<ptrdiff_t>(y) * s.input_width + corner.x) * channels;
  CopyFlipped(from + begin, end - begin, to + begin);
}

// What each of the columns sees, one after the other.
void SpreadRow(const uint8_t* row, size_t column, int columns, uint8_t* to) {
  for (int i = 0; i < columns; ++i, row += column, to += kNarrow) {
    _mm_store_si128(reinterpret_cast<__m128i*>(to), _mm_loadu_si128(reinterpret_cast<const __m128i*>(row)));
  }
}

void FillPlanes(const KernelContext& context, const Corner& corner, const Planes& planes, uint8_t* scratch) {
  const size_t row_bytes = static_cast<size_t>(planes.columns) * kLine;
  for (int plane = 0; plane < planes.planes; ++plane) {
    for (int kx = 0; kx < planes.taps.columns; ++kx) {
      uint8_t* lines = scratch + plane * planes.phase_bytes() + static_cast<size_t>(kx) * planes.blocks * planes.plane_bytes();
      for (int row = 0; row < planes.rows; ++row) {
        const int y = corner.y + planes.input_row(plane, row);
        FillRow(context, corner, y, kx, planes, lines + row * row_bytes);
      }
    }
  }
}

template <int pixels, int vectors>
__attribute__((always_inline)) inline void Accumulate(const Source& source, const uint8_t* codes, WeightStream* weights,
                                                      __m512i (&acc)[pixels][vectors]) {
  for (int ky = 0; ky < source.filter_rows; ++ky) {
    const uint8_t* plane = codes + source.row_offset(ky);
    for (int kx = 0; kx < source.filter_columns; ++kx) {
      for (int block = 0; block < source.blocks; ++block, plane += source.block_step) {
        AccumulateColumns<pixels, vectors>(acc, plane, source.groups_of(block), weights, source.column);
      }
    }
  }
}

// `vectors` of 16 output channels of a block.
template <int pixels, int vectors>
void Tile(const Source& source, const uint8_t* codes, WeightStream weights, const int32_t* bias, const StoreTile<vectors>& store,
          size_t pixel, int8_t* out) {
  __m512i acc[pixels][vectors];
  for (auto& sums : acc) {
    for (int v = 0; v < vectors; ++v) sums[v] = _mm512_load_si512(bias + 16 * v);
  }
  Accumulate<pixels, vectors>(source, codes, &weights, acc);
  const NextPixel next = {out, pixel};
  if constexpr (pixels == kMaxPixels && vectors == 2) {
    store.template FromRegisters<pixels>(acc, next);
  } else {
    __m512i sums[(pixels * vectors + 3) / 4 * 4];  // acc itself stays in registers
#pragma GCC unroll 16
    for (int i = 0; i < pixels; ++i) {
      for (int v = 0; v < vectors; ++v) sums[i * vectors + v] = acc[i][v];
    }
    store(sums, pixels, next);
  }
}

template <int vectors>
using TileFunction = void (*)(const Source&, const uint8_t*, WeightStream, const int32_t*, const StoreTile<vectors>&, size_t, int8_t*);

template <int vectors, int... sizes>
struct TilesOf {
  static constexpr int kSizes[sizeof...(sizes)] = {sizes...};
  static constexpr TileFunction<vectors> kBySize[sizeof...(sizes)] = {Tile<sizes, vectors>...};
};
template <int vectors>
struct Tiles : TilesOf<2, 1, 2, 4, 7, 10, 13, kMaxPixels> {};
// Of half a block, which comes behind whole ones: fewer sizes.
template <>
struct Tiles<1> : TilesOf<1, 1, 4, kMaxPixels> {};

// `quads` times four pixels.
template <int quads>
__attribute__((noinline)) void NarrowTile(const Source& source, const NarrowPixels& pixels, const int8_t* weights, const int32_t* bias,
                                          const StoreNarrow& store, int8_t* output) {
  __m512i sums[kQuads][quads];
  for (int q = 0; q < kQuads; ++q) {
    for (auto& sum : sums[q]) sum = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bias + kQuad * q)));
  }
  for (int ky = 0; ky < source.filter_rows; ++ky) {
    AccumulateNarrow<quads>(pixels, pixels.codes + source.row_offset(ky), &weights, sums);
  }
  store(sums, output);
}

// The same for layers with few output channels, from codes whose signs are flipped or not.
void RunNarrow(const KernelContext& context, const Source& source, const uint8_t* codes, bool flipped, int channels, int pixels,
               int8_t* output) {
  const ConvShape& s = context.shape;
  const int8_t* weights = static_cast<const int8_t*>(context.packed);
  const int32_t* bias = reinterpret_cast<const int32_t*>(weights + WeightBytes(s));
  const ptrdiff_t width = s.output_channels, pixel = context.output_pixel();
  const StoreNarrow store(context, s.output_channels, pixels < kQuad ? width : pixel);
  NarrowPixels at = {codes, source.column, channels, flipped ? _mm512_setzero_si512() : _mm512_set1_epi8(static_cast<char>(0x80))};
  if (pixels < kQuad) {
    // Each four times over.
    at.column = 0;
    for (int i = 0; i < pixels; ++i, at.codes += source.column) {
      int8_t same[kLine];
      NarrowTile<1>(source, at, weights, bias, store, same);
      memcpy(output + i * pixel, same, static_cast<size_t>(width));
    }
    return;
  }
  // The last four may begin among those that are done.
  for (int done = 0; done < pixels;) {
    const bool large = pixels - done >= kQuad * kQuad;
    const int first = large || pixels - done >= kQuad ? done : pixels - kQuad;
    at.codes = codes + first * source.column;
    int8_t* to = output + first * pixel;
    large ? NarrowTile<kQuad>(source, at, weights, bias, store, to) : NarrowTile<1>(source, at, weights, bias, store, to);
    done = first + (large ? kQuad * kQuad : kQuad);
  }
}

// `pixels` pixels that follow each other, `stride` bytes apart where they are read.
void RunPixels(const KernelContext& context, const Channels& couts, const Source& source, const uint8_t* codes, size_t stride, int pixels,
               int8_t* output) {
  const ConvShape& s = context.shape;
  const int8_t* weights = static_cast<const int8_t*>(context.packed);
  const int32_t* bias = reinterpret_cast<const int32_t*>(weights + WeightBytes(s));
  const size_t block_bytes = Taps(s).packed_bytes();
  const auto pixel = static_cast<size_t>(context.output_pixel());
  const int chunk = ChunkPixels(static_cast<int64_t>(stride) + s.output_channels);
  if (pixels > chunk) {
    for (int begin = 0; begin < pixels; begin += chunk) {
      const int count = pixels - begin < chunk ? pixels - begin : chunk;
      RunPixels(context, couts, source, codes + static_cast<size_t>(begin) * stride, stride, count,
                output + static_cast<size_t>(begin) * pixel);
    }
    return;
  }
  const int tiles = (pixels + kMaxPixels - 1) / kMaxPixels;
  const size_t prefetched = block_bytes / tiles;
  for (int cout = couts.begin; cout < couts.end; cout += kCoutBlock) {
    const int left = s.output_channels - cout;
    const int8_t* block = weights + cout / kCoutBlock * block_bytes;
    const auto run = [&](const auto& store, const auto& of) {
      WeightStream stream(block, block_bytes, 0, tiles);
      for (int done = 0; done < pixels;) {
        const int size = NextTile(of.kSizes, pixels - done, pixels);
        const int first = pixels - done < of.kSizes[size] ? pixels - of.kSizes[size] : done;
        of.kBySize[size](source, codes + static_cast<size_t>(first) * stride, stream, bias + cout, store, pixel,
                         output + static_cast<size_t>(first) * pixel + cout);
        stream.prefetch += prefetched;
        done = first + of.kSizes[size];
      }
    };
    if (left > kCoutBlock / 2) {
      run(StoreTile<2>(context, cout, left), Tiles<2>());
    } else {
      run(StoreTile<1>(context, cout, left), Tiles<1>());
    }
  }
}

// Whole rows, or a part of one; `output` is where it begins.
void RunBlock(const KernelContext& context, const Channels& couts, const Corner& corner, int rows, int columns, int8_t* output,
              uint8_t* lines) {
  const ConvShape& s = context.shape;
  if (Taps(s).folded) {
    const PaddedRows padded(s, rows, columns);
    uint8_t* const copied = lines + static_cast<size_t>(padded.planes) * padded.rows * padded.pitch;
    for (int plane = 0; plane < padded.planes; ++plane) {
      for (int row = 0; row < padded.rows; ++row) {
        uint8_t* to = lines + (static_cast<size_t>(plane) * padded.rows + row) * padded.pitch;
        CopyPaddedRow(context, corner, corner.y + padded.input_row(plane, row), padded, padded.spread ? copied : to);
        if (padded.spread) SpreadRow(copied, padded.copied_column, columns, to);
      }
    }
    const Source source(padded);
    for (int row = 0; row < rows; ++row) {
      const uint8_t* codes = lines + static_cast<size_t>(row) * padded.pitch;
      int8_t* to = output + static_cast<size_t>(row) * s.output_width * context.output_pixel();
      if (padded.taps.narrow) {
        RunNarrow(context, source, codes, /*flipped=*/true, padded.taps.channels, columns, to);
      } else {
        RunPixels(context, couts, source, codes, padded.column, columns, to);
      }
    }
    return;
  }
  const Planes planes(s, rows, columns);
  FillPlanes(context, corner, planes, lines);
  RunPixels(context, couts, Source(planes), lines, kLine, rows * columns, output);
}

void RunRowsOf(const KernelContext& context, const Channels& couts, int image, int row_begin, int row_end, const int8_t* input,
               int8_t* output, void* scratch) {
  const ConvShape& s = context.shape;
  input += static_cast<size_t>(image) * s.input_height * s.input_width * s.input_channels;
  output += (static_cast<size_t>(image) * s.output_height + row_begin) * s.output_width * context.output_pixel();
  if (IsPointwise(s)) {
    const auto channels = static_cast<ptrdiff_t>(s.input_channels);
    const int8_t* codes = input + static_cast<ptrdiff_t>(row_begin) * s.input_width * channels;
    auto* copy = static_cast<uint8_t*>(scratch);
    const int pixels = (row_end - row_begin) * s.output_width;
    if (Taps(s).narrow) {
      return RunNarrow(context, Source(s), reinterpret_cast<const uint8_t*>(codes), /*flipped=*/false, s.input_channels, pixels, output);
    }
    const int chunk = PointwiseChunk(s);
    for (int begin = 0; begin < pixels; begin += chunk) {
      const int count = pixels - begin < chunk ? pixels - begin : chunk;
      CopyFlipped(codes + begin * channels, count * channels, copy);
      RunPixels(context, couts, Source(s), copy, static_cast<size_t>(channels), count,
                output + static_cast<size_t>(begin) * context.output_pixel());
    }
    return;
  }
  const int y = row_begin * s.stride_height - s.pad_top;
  const int segment = SegmentColumns(s.output_width, kScratchTarget,
                                     [&s](int rows, int columns) { return ScratchBytes(s, rows, columns); });
  for (int column = 0; column < s.output_width; column += segment) {
    const int left = s.output_width - column;
    RunBlock(context, couts, {input, y, column * s.stride_width - s.pad_left}, row_end - row_begin, left < segment ? left : segment,
             output + static_cast<size_t>(column) * context.output_pixel(), static_cast<uint8_t*>(scratch));
  }
}

void RunRows(const KernelContext& context, int image, int row_begin, int row_end, const int8_t* input, int8_t* output, void* scratch) {
  RunRowsOf(context, {0, context.shape.output_channels}, image, row_begin, row_end, input, output, scratch);
}

void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
         void* scratch) {
  WorkPlan whole = plan;
  whole.units /= plan.parts;
  const RowRange rows = UnitRows(context.shape, whole, unit / plan.parts);
  const int blocks = (context.shape.output_channels + kCoutBlock - 1) / kCoutBlock;
  const auto begin = [&](int part) { return static_cast<int>(int64_t{blocks} * part / plan.parts) * kCoutBlock; };
  const int part = unit % plan.parts;
  const int end = part + 1 < plan.parts ? begin(part + 1) : context.shape.output_channels;
  RunRowsOf(context, {begin(part), end}, rows.image, rows.begin, rows.end, input, output, scratch);
}

}  // namespace

const ConvKernel kDirectAvx512 = {Algorithm::kDirect, Isa::kAvx512Vnni, /*needs_fallback=*/false, /*uses_lines=*/true, CertifyDirect,
                                  PackedBytes, Pack, Plan, Run, RunRows, /*places_outputs=*/true};

}  // namespace tflite_eq
