// Direct convolution for NEON, for any filter size, stride and dilation, written once for the ways NEON multiplies bytes.
//
// The input under a unit is first copied into planes, one per filter column and plane of plane_rows.h: it holds what output columns 0,
// 1, 2 ... see through tap kx in some input rows. A filter row is then an offset of whole rows inside a plane, and outputs that are
// neighbours, across rows too, are neighbours in the plane. Filters whose rows are short have one column, and one row where that saves
// vectors (filter_taps.h): a plane then holds all that its outputs see. Where a unit is one row and too long, it is computed in segments of
// columns.
//
// Weights are packed in the order of use: [cout block][filter position][16 channels][cout block * 16]. A tile holds the sums of some
// neighbouring outputs and one cout block, for all filter positions, in registers. An instruction set says how:
//
//   struct Ops {
//     static constexpr Isa kIsa;
//     static constexpr Algorithm kAlgorithm;
//     static constexpr bool kSevenBits;     // codes must lie in [-64, 63] after CodeWindow::Move, no weight may be -128
//     static constexpr int kVectors;        // 4 output channels each, in a cout block
//     static constexpr int kPlaneChannels;  // channels side by side in a plane
//     static constexpr int kStep;           // a tile holds 1 to kMaxSteps times so many outputs
//     static constexpr int kMaxSteps;
//     static constexpr int kStepsWithoutTiles;  // where Tiles does nothing
//     // Whether the weights of an output channel, [row][column][input channel], allow the long way of adding up products.
//     static bool AllowsLongSums(const int8_t* filter, int rows, int columns, int channels);
//     // Byte of the weight for output channel `cout` and input channel `channel` in [0, 16), in kVectors * 4 * 16 bytes.
//     static size_t PackedOffset(int cout, int channel);
//     // Sums of outputs, [output][vector], by whole tiles; row `ky` of a filter begins offset(ky) bytes behind the codes. False, and
//     // nothing is done, where there are no such tiles.
//     template <typename RowOffset> static bool Tiles(const NeonTiles&, RowOffset offset, int32x4_t* values);
//     // Stores 16 channels of a column.
//     static void StoreColumn(int8_t* line, size_t plane_bytes, int8x16_t codes);
//     template <int steps> class Sums {
//       void Clear();
//       // Adds the products of `vectors` times 16 channels, those of a filter row; returns where the weights went on. `long_sums`: as all
//       // output channels allow.
//       const int8_t* Accumulate(const int8_t* codes, size_t plane_bytes, int vectors, const int8_t* weights, bool long_sums);
//       // Four vectors of sums, [output][vector]; `pack` counts such fours.
//       void Get(int pack, int32x4_t (&sums)[4]) const;
//     };
//   };
#ifndef TFLITE_EQ_DELEGATE_KERNELS_DIRECT_NEON_H_
#define TFLITE_EQ_DELEGATE_KERNELS_DIRECT_NEON_H_

#include "delegate/kernels/filter_taps.h"
#include "delegate/kernels/int8_neon.h"
#include "delegate/kernels/plane_rows.h"
#include "delegate/kernels/row_units.h"

namespace tflite_eq {
namespace {

// Outputs that follow each other, at least as many as a tile has, kMaxSteps * kStep, and one block of output channels. The last tile may
// overlap with the one before it.
struct NeonTiles {
  const int8_t* codes;  // of the first output
  size_t step;          // bytes from one vector of channels to the next
  int vectors;          // of a filter row
  int rows;
  const int8_t* weights;
  bool long_sums;
  int outputs;
};

template <typename Ops>
class DirectNeon {
 public:
  static bool Certify(const ConvProblem& problem, Reason* reason) {
    return Ops::kSevenBits ? CertifyDirectInt7(problem, reason) : CertifyDirect(problem, reason);
  }

  static size_t PackedBytes(const ConvProblem& problem) { return Layout(problem.shape).bytes(); }

  __attribute__((cold)) static void Pack(const ConvProblem& problem, void* packed) {
    const ConvShape& s = problem.shape;
    const Layout layout(s);
    int8_t* weights = static_cast<int8_t*>(packed);
    int32_t* bias = reinterpret_cast<int32_t*>(weights + layout.bias());
    memset(weights + layout.long_sums(), 1, layout.blocks);
    for (int k = 0; k < s.output_channels; ++k) {
      const int8_t* filter = problem.weights.filter + static_cast<size_t>(k) * s.filter_size();
      if (!Ops::AllowsLongSums(filter, layout.taps.rows, layout.taps.columns, layout.taps.channels)) {
        weights[layout.long_sums() + k / kCout] = 0;
      }
      int8_t* block = weights + k / kCout * layout.block_bytes;
      for (int position = 0; position < layout.taps.positions(); ++position) {
        for (int c = 0; c < layout.taps.channels; ++c) {
          block[Ops::PackedOffset(k % kCout, c % kVector) + static_cast<size_t>(c / kVector) * kVectorBytes] = *filter++;
        }
        block += layout.position_bytes();
      }
      bias[k] = FoldedBias(problem, k);
      bias[layout.padded_channels() + k] = NonNegativeBias(problem, k);
    }
  }

  static WorkPlan Plan(const ConvShape& shape, int workers) {
    return PlanSegments(shape, workers, shape.output_width, ScratchTarget(shape),
                        [&shape](int rows, int columns) { return Planes::Bytes(shape, rows, columns); });
  }

  static void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
                  void* scratch) {
    const RowRange rows = UnitRows(context.shape, plan, unit);
    RunRows(context, rows.image, rows.begin, rows.end, input, output, scratch);
  }

  static void RunRows(const KernelContext& context, int image, int row_begin, int row_end, const int8_t* input,
                      int8_t* output, void* scratch) {
    const ConvShape& s = context.shape;
    const int rows = row_end - row_begin;
    const int8_t* from = input + static_cast<size_t>(image) * s.input_height * s.input_width * s.input_channels;
    const int top = row_begin * s.stride_height - s.pad_top;
    const bool non_negative = Ops::kSevenBits && IsNonNegative(context, from, top, top + PlaneRows(s, rows).input_rows);
    int8_t* to = output + (static_cast<size_t>(image) * s.output_height + row_begin) * s.output_width * s.output_channels;
    const int segment = SegmentColumns(s.output_width, ScratchTarget(s),
                                       [&s](int rows, int columns) { return Planes::Bytes(s, rows, columns); });
    for (int column = 0; column < s.output_width; column += segment) {
      const int left = s.output_width - column;
      const Corner corner = {from, top, column * s.stride_width - s.pad_left};
      if (!RunBlock(context, corner, non_negative, rows, left < segment ? left : segment,
                    to + static_cast<size_t>(column) * s.output_channels, static_cast<int8_t*>(scratch))) {
        RunFallback(context, image, row_begin, row_end, input, output, scratch);
        return;
      }
    }
  }

  static constexpr ConvKernel Kernel() {
    return {Ops::kAlgorithm, Ops::kIsa, /*needs_fallback=*/Ops::kSevenBits, /*uses_lines=*/false, Certify, PackedBytes, Pack, Plan,
            Run, Ops::kSevenBits ? nullptr : RunRows};
  }

 private:
  static constexpr int kCout = 4 * Ops::kVectors;
  static constexpr size_t kVectorBytes = static_cast<size_t>(kCout) * kVector;
  static constexpr int kLongestFoldedRow = 2 * kVector;
  // What planes take: little more than half of the smallest first-level caches, for they are read once for every block of output channels
  // (three rows of 14x14x384; three quarters drive out what else is read on Cortex-A53, 5 % for 96 channels). Weights that second-level
  // caches do not hold are fetched from memory for all that planes hold. Where every input is multiplied by several of them, that takes
  // longer than reading planes from the second level. It is also what falls back at a time when codes leave the window.
  static size_t ScratchTarget(const ConvShape& s) {
    constexpr size_t kHeldWeights = 384 << 10;
    return s.filter_height > 1 && Layout(s).bytes() > kHeldWeights ? 128 << 10 : 18 << 10;
  }

  struct Layout {
    explicit Layout(const ConvShape& s)
        : taps(s, kLongestFoldedRow, kVector),
          blocks((s.output_channels + kCout - 1) / kCout),
          block_bytes(taps.positions() * position_bytes()) {}
    size_t position_bytes() const { return VectorBlocks(taps.channels) * kVectorBytes; }
    // Weights, then both biases of every channel, then whether blocks of output channels allow long sums.
    size_t bias() const { return blocks * block_bytes; }
    size_t padded_channels() const { return blocks * kCout; }
    size_t long_sums() const { return bias() + 2 * padded_channels() * sizeof(int32_t); }
    size_t bytes() const { return long_sums() + blocks; }
    FilterTaps taps;
    size_t blocks;
    size_t block_bytes;
  };

  // The planes of `output_rows` rows of `output_columns` outputs.
  struct Planes : PlaneRows {
    Planes(const ConvShape& s, int output_rows, int output_columns)
        : Planes(s, FilterTaps(s, kLongestFoldedRow, kVector), output_rows, output_columns) {}
    Planes(const ConvShape& s, const FilterTaps& filter, int output_rows, int output_columns)
        : PlaneRows(RowsOf(s, filter), output_rows),
          taps(filter),
          columns(output_columns),
          vectors(VectorBlocks(taps.channels)),
          plane_bytes(PlaneBytes(static_cast<size_t>(rows) * columns)),
          seen_columns(SeenColumns(s, output_columns)),
          line_bytes(LineBytes(s, output_columns)) {
      for (int ky = 0; ky < kTabled && ky < taps.rows; ++ky) row_offsets[ky] = RowOffset(ky);
    }

    // A filter of one row: what output rows see are rows of a plane, whatever rows of the input that is.
    static ConvShape RowsOf(const ConvShape& s, const FilterTaps& taps) {
      ConvShape rows = s;
      if (taps.whole) rows.filter_height = rows.stride_height = rows.dilation_height = 1;
      return rows;
    }

    // What they take, for any sizes.
    static size_t Bytes(const ConvShape& s, int output_rows, int output_columns) {
      const FilterTaps taps(s, kLongestFoldedRow, kVector);
      const PlaneRows plane(RowsOf(s, taps), output_rows);
      const size_t plane_bytes = PlaneBytes(static_cast<size_t>(plane.rows) * output_columns);
      const size_t blocks = static_cast<size_t>(VectorBlocks(taps.channels)) * (kVector / Ops::kPlaneChannels);
      const size_t planes = SaturatingProduct(SaturatingProduct(plane_bytes, blocks), static_cast<size_t>(taps.columns) * plane.planes);
      const size_t row_copy = RowCopyBytes(s, taps, output_columns);
      return planes > SIZE_MAX - row_copy ? SIZE_MAX : planes + row_copy;
    }

    // An odd number of lines, so that planes do not fall into the same cache sets, with room to read a step that begins inside.
    static size_t PlaneBytes(size_t columns) {
      return (((columns + Ops::kStep - 1) * Ops::kPlaneChannels + kCacheLine - 1) / kCacheLine | 1) * kCacheLine;
    }
    static int SeenColumns(const ConvShape& s, int columns) { return (columns - 1) * s.stride_width + s.filter_width; }
    // Folded taps: a row of the input with its padding, and vectors after it, is copied behind the planes; of filters that are folded as a
    // whole all rows that an output sees, and behind them what some outputs see.
    static size_t RowCopyBytes(const ConvShape& s, const FilterTaps& taps, int columns) {
      if (!taps.folded) return 0;
      const size_t row = LineBytes(s, columns);
      return taps.whole ? s.filter_height * row + kGathered * GatheredBytes(taps) : row;
    }
    static size_t LineBytes(const ConvShape& s, int columns) {
      return static_cast<size_t>(SeenColumns(s, columns)) * s.input_channels + kLongestFoldedRow;
    }
    // The last row is stored with what lies behind it.
    static constexpr int kGathered = 8;
    static size_t GatheredBytes(const FilterTaps& taps) {
      return static_cast<size_t>(VectorBlocks(taps.channels)) * kVector + kLongestFoldedRow;
    }
    size_t position_bytes() const { return plane_bytes * vectors * (kVector / Ops::kPlaneChannels); }
    size_t phase_bytes() const { return position_bytes() * taps.columns; }
    size_t plane_area() const { return phase_bytes() * planes; }
    size_t row_bytes() const { return static_cast<size_t>(columns) * Ops::kPlaneChannels; }
    // Where filter row ky begins to read.
    size_t RowOffset(int ky) const { return plane_of(ky) * phase_bytes() + first_row(ky) * row_bytes(); }
    size_t row_offset(int ky) const { return ky < kTabled ? row_offsets[ky] : RowOffset(ky); }

    FilterTaps taps;
    int columns;
    int vectors;
    size_t plane_bytes;
    int seen_columns;
    size_t line_bytes;  // of a copied row
    // The divisions in RowOffset would show in the innermost loops.
    static constexpr int kTabled = 8;
    size_t row_offsets[kTabled];
  };

  // Where the input begins that some outputs look at: it may be outside the image.
  struct Corner {
    const int8_t* image;
    int y;
    int x;
  };

  // Of output columns, those that see input columns of the image, the first of them input column x0.
  struct Span {
    int begin;
    int end;
  };
  static Span InsideColumns(const ConvShape& s, int x0, int columns) {
    const int begin = x0 < 0 ? (-x0 - 1) / s.stride_width + 1 : 0;
    const int end = x0 < s.input_width ? (s.input_width - x0 - 1) / s.stride_width + 1 : 0;
    const int last = end < columns ? end : columns;
    return {begin < last ? begin : 0, begin < last ? last : 0};
  }

  // One row of the planes of filter column kx: what it sees in input row y. Adds to `outside` as CodeWindow has it.
  static void FillRow(const KernelContext& context, const Corner& corner, int y, int kx, const CodeWindow& window,
                      const Planes& planes, int8_t* line, int8x16_t* outside) {
    const ConvShape& s = context.shape;
    const int8x16_t padding = window.Move(vdupq_n_s8(static_cast<int8_t>(context.input_zero_point)));
    const int x0 = corner.x + kx * s.dilation_width;
    const Span inside = y >= 0 && y < s.input_height ? InsideColumns(s, x0, planes.columns) : Span{0, 0};
    const ptrdiff_t step = static_cast<ptrdiff_t>(s.stride_width) * s.input_channels;
    const size_t plane_bytes = planes.plane_bytes;
    int8x16_t seen = *outside;
    for (int channel = 0; channel < s.input_channels; channel += kVector) {
      const int left = s.input_channels - channel;
      int8_t* to = line;
      int column = 0;
      const auto store = [&](int8x16_t codes) {
        seen = vorrq_s8(seen, CodeWindow::Outside(codes));
        Ops::StoreColumn(to, plane_bytes, codes);
        to += Ops::kPlaneChannels;
        ++column;
      };
      while (column < inside.begin) store(padding);
      const int8_t* from = corner.image + (static_cast<ptrdiff_t>(y) * s.input_width + x0) * s.input_channels + channel;
      from += column * step;
      if (left >= kVector && column < inside.end) {
        seen = vorrq_s8(seen, CopyColumns(from, step, inside.end - column, window, plane_bytes, to));
        to += (inside.end - column) * Ops::kPlaneChannels;
        column = inside.end;
      } else {
        for (; column < inside.end; from += step) store(window.Move(LoadVector(from, left)));
      }
      while (column < planes.columns) store(padding);
      line += plane_bytes * (kVector / Ops::kPlaneChannels);
    }
    *outside = seen;
  }

  // Moves columns that lie `step` bytes apart, 16 channels of each, into the window and a plane; returns what is outside as CodeWindow
  // has it.
  static int8x16_t CopyColumns(const int8_t* from, ptrdiff_t step, int columns, CodeWindow window, size_t plane_bytes, int8_t* to) {
    int8x16_t outside = vdupq_n_s8(0);
    constexpr int kSideBySide = 4;  // cores that issue in order would wait for each
    for (; columns >= kSideBySide; columns -= kSideBySide, from += kSideBySide * step, to += kSideBySide * Ops::kPlaneChannels) {
      int8x16_t codes[kSideBySide];
      for (int i = 0; i < kSideBySide; ++i) codes[i] = vld1q_s8(from + i * step);
      for (int i = 0; i < kSideBySide; ++i) codes[i] = window.Move(codes[i]);
      for (int i = 0; i < kSideBySide; ++i) Ops::StoreColumn(to + i * Ops::kPlaneChannels, plane_bytes, codes[i]);
      for (int i = 0; i < kSideBySide; ++i) outside = vorrq_s8(outside, CodeWindow::Outside(codes[i]));
    }
    for (; columns > 0; --columns, from += step, to += Ops::kPlaneChannels) {
      const int8x16_t codes = window.Move(vld1q_s8(from));
      Ops::StoreColumn(to, plane_bytes, codes);
      outside = vorrq_s8(outside, CodeWindow::Outside(codes));
    }
    return outside;
  }

  // What outputs see of input row y, with its padding.
  static void CopyRow(const KernelContext& context, const Corner& corner, int y, const Planes& planes, int8_t* row) {
    const ConvShape& s = context.shape;
    memset(row, static_cast<int8_t>(context.input_zero_point), planes.line_bytes);
    const int begin = corner.x > 0 ? corner.x : 0;
    const int end = planes.seen_columns < s.input_width - corner.x ? corner.x + planes.seen_columns : s.input_width;
    if (y >= 0 && y < s.input_height && begin < end) {
      memcpy(row + static_cast<size_t>(begin - corner.x) * s.input_channels,
             corner.image + (static_cast<size_t>(y) * s.input_width + begin) * s.input_channels,
             static_cast<size_t>(end - begin) * s.input_channels);
    }
  }

  // As FillRow, with all filter columns in one. Vectors may reach into the taps of the next output, where weights are zero.
  static void FillFoldedRow(const KernelContext& context, const Corner& corner, int y, const CodeWindow& window,
                            const Planes& planes, int8_t* row, int8_t* line, int8x16_t* outside) {
    const ConvShape& s = context.shape;
    CopyRow(context, corner, y, planes, row);
    const size_t step = static_cast<size_t>(s.stride_width) * s.input_channels;
    int8x16_t seen = *outside;
    for (int vector = 0; vector < planes.vectors; ++vector) {
      const int8_t* from = row + vector * kVector;
      seen = vorrq_s8(seen, CopyColumns(from, static_cast<ptrdiff_t>(step), planes.columns, window, planes.plane_bytes, line));
      line += planes.plane_bytes * (kVector / Ops::kPlaneChannels);
    }
    *outside = seen;
  }

  // As FillFoldedRow, with all filter rows in one, from the input row under output row and first filter row on. The rows that some
  // outputs see are first put side by side, each over what was stored too much of the one before.
  static void FillWhole(const KernelContext& context, const Corner& corner, int y, const CodeWindow& window, const Planes& planes,
                        int8_t* copies, int8_t* line, int8x16_t* outside) {
    const ConvShape& s = context.shape;
    for (int ky = 0; ky < s.filter_height; ++ky) {
      CopyRow(context, corner, y + ky * s.dilation_height, planes, copies + ky * planes.line_bytes);
    }
    int8_t* const gathered = copies + s.filter_height * planes.line_bytes;
    const size_t gathered_bytes = Planes::GatheredBytes(planes.taps);
    memset(gathered, static_cast<int8_t>(context.input_zero_point), Planes::kGathered * gathered_bytes);
    const int row = s.filter_width * s.input_channels;
    const size_t step = static_cast<size_t>(s.stride_width) * s.input_channels;
    int8x16_t seen = *outside;
    for (int column = 0; column < planes.columns; column += Planes::kGathered) {
      const int left = planes.columns - column;
      const int count = left < Planes::kGathered ? left : Planes::kGathered;
      for (int i = 0; i < count; ++i) {
        const int8_t* from = copies + (column + i) * step;
        int8_t* to = gathered + i * gathered_bytes;
        for (int ky = 0; ky < s.filter_height; ++ky, from += planes.line_bytes, to += row) {
          vst1q_s8(to, vld1q_s8(from));
          if (row > kVector) vst1q_s8(to + kVector, vld1q_s8(from + kVector));
        }
      }
      int8_t* to = line + column * Ops::kPlaneChannels;
      for (int vector = 0; vector < planes.vectors; ++vector, to += planes.plane_bytes * (kVector / Ops::kPlaneChannels)) {
        const int8_t* from = gathered + vector * kVector;
        seen = vorrq_s8(seen, CopyColumns(from, static_cast<ptrdiff_t>(gathered_bytes), count, window, planes.plane_bytes, to));
      }
    }
    *outside = seen;
  }

  // False when the kernel is for 7-bit codes and met others.
  static bool FillPlanes(const KernelContext& context, const Corner& corner, const CodeWindow& window, const Planes& planes,
                         int8_t* scratch) {
    int8x16_t outside = vdupq_n_s8(0);
    for (int plane = 0; plane < planes.planes; ++plane) {
      for (int kx = 0; kx < planes.taps.columns; ++kx) {
        int8_t* line = scratch + plane * planes.phase_bytes() + kx * planes.position_bytes();
        for (int row = 0; row < planes.rows; ++row, line += planes.row_bytes()) {
          const int y = corner.y + planes.input_row(plane, row);
          if (planes.taps.whole) {
            FillWhole(context, corner, corner.y + row * context.shape.stride_height, window, planes, scratch + planes.plane_area(), line,
                      &outside);
          } else if (planes.taps.folded) {
            FillFoldedRow(context, corner, y, window, planes, scratch + planes.plane_area(), line, &outside);
          } else {
            FillRow(context, corner, y, kx, window, planes, line, &outside);
          }
        }
      }
      if (Ops::kSevenBits && !CodeWindow::Clean(outside)) return false;
    }
    return true;
  }

  // Whole rows, or a part of one; `output` is where it begins. False when the kernel is for 7-bit codes and met others.
  static bool RunBlock(const KernelContext& context, const Corner& corner, bool non_negative, int rows, int columns,
                       int8_t* output, int8_t* lines) {
    const ConvShape& s = context.shape;
    const Planes planes(s, rows, columns);
    if (!FillPlanes(context, corner, CodeWindow(non_negative), planes, lines)) return false;
    const Layout layout(s);
    const int8_t* weights = static_cast<const int8_t*>(context.packed);
    const int32_t* bias = reinterpret_cast<const int32_t*>(weights + layout.bias());
    if (non_negative) bias += layout.padded_channels();
    const size_t pixel = s.output_channels;
    for (int cout = 0; cout < s.output_channels; cout += kCout) {
      const StoreCodesNeon<Ops::kVectors> store(*context.requantization, cout, s.output_channels - cout);
      const bool long_sums = weights[layout.long_sums() + cout / kCout] != 0;
      RunCoutBlock({planes, lines, weights + cout / kCout * layout.block_bytes, bias + cout, long_sums, store, pixel, output + cout},
                   rows * columns);
    }
    return true;
  }

  struct TileArguments {
    const Planes& planes;
    const int8_t* lines;
    const int8_t* weights;
    const int32_t* bias;
    bool long_sums;
    const StoreCodesNeon<Ops::kVectors>& store;
    size_t pixel;  // bytes from one pixel of the output to the next
    int8_t* out;
  };

  // The sums of outputs from `first` on, as many as a tile has.
  template <int steps>
  static void Tile(const TileArguments& t, int first, int32x4_t* values) {
    typename Ops::template Sums<steps> sums;
    sums.Clear();
    const int8_t* lines = t.lines + static_cast<size_t>(first) * Ops::kPlaneChannels;
    const int8_t* weights = t.weights;
    // The planes of a row's filter columns follow each other, as if they were more channels.
    const int vectors = t.planes.taps.columns * t.planes.vectors;
#pragma GCC unroll 1
    for (int ky = 0; ky < t.planes.taps.rows; ++ky) {
      weights = sums.Accumulate(lines + t.planes.row_offset(ky), t.planes.plane_bytes, vectors, weights, t.long_sums);
    }
    constexpr int kValues = steps * Ops::kStep * Ops::kVectors;
#pragma GCC unroll 8
    for (int pack = 0; 4 * pack < kValues; ++pack) {
      int32x4_t four[4];
      sums.Get(pack, four);
#pragma GCC unroll 4
      for (int i = 0; i < 4 && 4 * pack + i < kValues; ++i) values[4 * pack + i] = four[i];
    }
  }

  template <int steps>
  static void RunTile(int wanted, const TileArguments& arguments, int first, int32x4_t* values) {
    if (wanted == steps) {
      Tile<steps>(arguments, first, values);
    } else if constexpr (steps > 1) {
      RunTile<steps - 1>(wanted, arguments, first, values);
    }
  }

  // Sums become codes many at a time, so that constants are read, and the order of instructions is found, once for all of them.
  static void RunCoutBlock(const TileArguments& arguments, int pixels) {
    constexpr int kTile = Ops::kMaxSteps * Ops::kStep;
    constexpr int kHeld = 32 / Ops::kVectors * kTile;
    int32x4_t values[kHeld * Ops::kVectors + 4];
    for (int begin = 0; begin < pixels; begin += kHeld) {
      // What is left over is computed by a whole tile, some outputs twice.
      if (pixels >= kTile && pixels - begin < kTile) begin = pixels - kTile;
      const int count = pixels - begin < kHeld ? pixels - begin : kHeld;
      if (!RunTiles(arguments, begin, count, values)) RunSteps(arguments, begin, count, values);
      arguments.store.StoreRun(values, count, arguments.bias, arguments.out + begin * arguments.pixel,
                               static_cast<ptrdiff_t>(arguments.pixel));
    }
  }

  static bool RunTiles(const TileArguments& arguments, int begin, int count, int32x4_t* values) {
    constexpr int kTile = Ops::kMaxSteps * Ops::kStep;
    const Planes& planes = arguments.planes;
    const auto offset = [&planes](int ky) { return planes.row_offset(ky); };
    // The planes of a row's filter columns follow each other, as if they were more channels.
    const int vectors = planes.taps.columns * planes.vectors;
    if (vectors < 1 || planes.taps.rows < 1 || count < kTile) return false;
    return Ops::Tiles({arguments.lines + static_cast<size_t>(begin) * Ops::kPlaneChannels, planes.plane_bytes, vectors,
                       planes.taps.rows, arguments.weights, arguments.long_sums, count},
                      offset, values);
  }

  static void RunSteps(const TileArguments& arguments, int begin, int count, int32x4_t* values) {
    constexpr int kMost = Ops::kStepsWithoutTiles;
    const int steps = (count + Ops::kStep - 1) / Ops::kStep;
    for (int step = 0, tile; step < steps; step += tile) {
      // The last two are of nearly equal size.
      const int left = steps - step;
      tile = left <= kMost ? left : left < 2 * kMost ? (left + 1) / 2 : kMost;
      RunTile<kMost>(tile, arguments, begin + step * Ops::kStep, values + step * Ops::kStep * Ops::kVectors);
    }
  }
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_DIRECT_NEON_H_
