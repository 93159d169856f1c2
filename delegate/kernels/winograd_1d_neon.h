// One-dimensional F(2,3) along the width in int8, for NEON with dot products: the derivation is in winograd_1d_weights.h, the
// register tile in dot8_neon.h.
//
// No intermediate sums are stored. First a accumulates m1 = V1 U1 and b accumulates m2 = V2 U2; then a, b become (m1 + m2) / 2,
// (m1 - m2) / 2 in registers; then a goes on accumulating m0 = V0 U0 and b m3 = V3 U3, and they are y0 and y1. The two-tap form
// accumulates the shared product d1 (w0+w1) in a, copies it to b, and goes on with the private ones.
//
// Transformed codes lie in planes, one per tap and channel block, a place per pair of columns: "columns" of dot8_neon.h are pairs
// here. Weights are packed [cout block][tap][row][channel block], read strictly in order but for the tap that two-tap outputs share.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_1D_NEON_H_
#define TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_1D_NEON_H_

#include "delegate/kernels/dot8_neon.h"
#include "delegate/kernels/row_units.h"
#include "delegate/kernels/winograd_1d_weights.h"

namespace tflite_eq {
namespace {

template <typename Ops>
class Winograd1dNeon {
 public:
  static bool Certify(const ConvProblem& problem, Reason* reason) {
    bool two_taps;
    return CertifyWinograd1d(problem, &two_taps, reason);
  }

  static size_t PackedBytes(const ConvProblem& problem) { return Layout(problem.shape).bytes(); }

  __attribute__((cold)) static void Pack(const ConvProblem& problem, void* packed) {
    const ConvShape& s = problem.shape;
    const Layout layout(s);
    char* base = static_cast<char*>(packed);
    bool two_taps;
    Reason ignored;
    CertifyWinograd1d(problem, &two_taps, &ignored);
    reinterpret_cast<Header*>(base)->two_taps = two_taps;
    for (int k = 0; k < s.output_channels; ++k) {
      const int8_t* filter = problem.weights.filter + static_cast<size_t>(k) * s.filter_size();
      const Winograd1dForm form = two_taps ? Winograd1dForm::kTwoTaps : ClassifyWinograd1d(filter, s.input_channels);
      PackTaps(s, filter, form, k % kDotCout, base + layout.weights(k / kDotCout));
      ChannelConstants* constants = reinterpret_cast<ChannelConstants*>(base + layout.constants(k / kDotCout));
      const int lane = k % kDotCout;
      constants->bias[lane] = FoldedBias(problem, k);
      constants->non_negative_bias[lane] = NonNegativeBias(problem, k);
      if (form == Winograd1dForm::kHalveSums) {
        constants->shift[lane] = -1;
        constants->any_shift = 1;
      }
    }
  }

  static WorkPlan Plan(const ConvShape& shape, int workers) {
    return PlanSegments(shape, workers, Winograd1dPairs(shape), kScratchTarget,
                        [&shape](int rows, int pairs) { return Planes::Bytes(shape, rows, pairs); });
  }

  static void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
                  void* scratch) {
    const RowRange range = UnitRows(context.shape, plan, unit);
    if (static_cast<const Header*>(context.packed)->two_taps != 0) {
      RunUnit<true>(context, range, input, output, scratch);
    } else {
      RunUnit<false>(context, range, input, output, scratch);
    }
  }

  static constexpr ConvKernel Kernel() {
    return {Algorithm::kWinograd1d, Ops::kIsa, /*needs_fallback=*/true, /*uses_lines=*/false, Certify, PackedBytes, Pack, Plan,
            Run, /*run_rows=*/nullptr};
  }

 private:
  static constexpr int kMaxCouples = 4;
  static constexpr size_t kScratchTarget = 256 << 10;
  static constexpr int kRows = 3;
  static constexpr int kTaps = 4;  // transformed weights of a triplet, in either form
  // The order in which taps are multiplied, and their planes.
  static constexpr int kHalvingOrder[kTaps] = {1, 2, 0, 3};
  static constexpr int kTwoTapOrder[kTaps] = {1, 0, 2, 3};

  struct Header {
    int64_t two_taps;
    int64_t reserved[7];  // keeps the weights aligned to a line
  };

  // Per output channel.
  struct ChannelConstants {
    int32_t bias[kDotCout];
    int32_t non_negative_bias[kDotCout];
    int32_t shift[kDotCout];  // between the phases: -1 to halve, or 0
    int32_t any_shift;
    int32_t reserved[7];
  };

  struct Layout {
    explicit Layout(const ConvShape& s)
        : blocks((s.output_channels + kDotCout - 1) / kDotCout),
          tap_bytes(static_cast<size_t>(kRows) * DotBlocks(s.input_channels) * kDotBlockBytes) {}
    size_t bytes() const { return constants(blocks); }
    size_t weights(size_t block) const { return sizeof(Header) + block * kTaps * tap_bytes; }
    size_t constants(size_t block) const { return weights(blocks) + block * sizeof(ChannelConstants); }
    size_t blocks;
    size_t tap_bytes;
  };

  // The planes of `output_rows` rows of `output_pairs` pairs from `first_pair` on: rows + 2 input rows, a place per pair of output
  // columns.
  struct Planes {
    Planes(const ConvShape& s, int output_rows, int first_pair, int output_pairs, bool two_taps)
        : rows(output_rows + kRows - 1),
          first_column(2 * first_pair),
          pairs(output_pairs),
          blocks(DotBlocks(s.input_channels)),
          count(two_taps ? 5 : 4),
          plane_bytes(DotPlaneBytes(static_cast<size_t>(rows) * pairs)) {}
    // What they take, for any sizes. The form is not known: room for the one with more planes.
    static size_t Bytes(const ConvShape& s, int output_rows, int output_pairs) {
      const Planes planes(s, output_rows, 0, output_pairs, /*two_taps=*/true);
      return SaturatingProduct(planes.plane_bytes, static_cast<size_t>(planes.blocks) * planes.count) + planes.rows;
    }
    // The planes, then a byte for each row that tells whether all its codes are in the window.
    size_t flags() const { return plane_bytes * blocks * count; }
    size_t offset(int plane, int row) const { return plane_bytes * blocks * plane + row_bytes() * row; }
    size_t row_bytes() const { return static_cast<size_t>(pairs) * kDotChannels; }
    int rows;
    int first_column;
    int pairs;
    int blocks;
    int count;
    size_t plane_bytes;
  };

  static void PackTaps(const ConvShape& s, const int8_t* filter, Winograd1dForm form, int lane, char* weights) {
    const int* order = form == Winograd1dForm::kTwoTaps ? kTwoTapOrder : kHalvingOrder;
    const size_t row_bytes = static_cast<size_t>(DotBlocks(s.input_channels)) * kDotBlockBytes;
    for (int row = 0; row < kRows; ++row) {
      const int8_t* w = filter + static_cast<size_t>(row) * 3 * s.input_channels;
      for (int c = 0; c < s.input_channels; ++c) {
        int8_t u[kTaps];
        TransformWinograd1dTaps(form, w[c], w[s.input_channels + c], w[2 * s.input_channels + c], u);
        const size_t offset = row * row_bytes + static_cast<size_t>(c / kDotChannels) * kDotBlockBytes +
                              Ops::PackedOffset(lane, c % kDotChannels);
        for (int turn = 0; turn < kTaps; ++turn) {
          weights[turn * kRows * row_bytes + offset] = static_cast<char>(u[order[turn]]);
        }
      }
    }
  }

  // 16 channels of the four columns under a pair of outputs, into all planes.
  template <bool two_taps>
  static inline __attribute__((always_inline)) void TransformPair(int8x16_t d0, int8x16_t d1, int8x16_t d2, int8x16_t d3,
                                                                  int8_t* line, size_t plane, size_t tap) {
    if (two_taps) {
      StoreDotBlocks(line, plane, vsubq_s8(d0, d1));
      StoreDotBlocks(line + tap, plane, d1);
      StoreDotBlocks(line + 2 * tap, plane, vsubq_s8(d2, d1));
      StoreDotBlocks(line + 3 * tap, plane, d2);
      StoreDotBlocks(line + 4 * tap, plane, d3);
    } else {
      StoreDotBlocks(line, plane, vsubq_s8(d0, d2));
      StoreDotBlocks(line + tap, plane, vaddq_s8(d1, d2));
      StoreDotBlocks(line + 2 * tap, plane, vsubq_s8(d2, d1));
      StoreDotBlocks(line + 3 * tap, plane, vsubq_s8(d3, d1));
    }
  }

  // Transforms one input row into all planes. False when a code lay outside the window.
  template <bool two_taps>
  static bool TransformRow(const KernelContext& context, const int8_t* image, int y, const CodeWindow& window,
                           const Planes& planes, int8_t* lines) {
    const ConvShape& s = context.shape;
    const int8x16_t padding = window.Move(vdupq_n_s8(static_cast<int8_t>(context.input_zero_point)));
    const bool row_inside = y >= 0 && y < s.input_height;
    const size_t plane = planes.plane_bytes;
    const size_t tap = plane * planes.blocks;
    const int left_column = planes.first_column - s.pad_left;
    int8x16_t outside = vdupq_n_s8(0);
    for (int channel = 0; channel < s.input_channels; channel += kVector, lines += 2 * plane) {
      const int left = s.input_channels - channel;
      const int8_t* row = image + static_cast<ptrdiff_t>(y) * s.input_width * s.input_channels + channel;
      const auto load = [&](int x) {
        if (!row_inside || x < 0 || x >= s.input_width) return padding;
        return window.Move(LoadVector(row + static_cast<ptrdiff_t>(x) * s.input_channels, left));
      };
      int8x16_t d0 = load(left_column);
      int8x16_t d1 = load(left_column + 1);
      outside = vorrq_s8(outside, vorrq_s8(CodeWindow::Outside(d0), CodeWindow::Outside(d1)));
      int8_t* line = lines;
      for (int pair = 0; pair < planes.pairs; ++pair, line += kDotChannels) {
        const int8x16_t d2 = load(left_column + 2 * pair + 2);
        const int8x16_t d3 = load(left_column + 2 * pair + 3);
        outside = vorrq_s8(outside, vorrq_s8(CodeWindow::Outside(d2), CodeWindow::Outside(d3)));
        TransformPair<two_taps>(d0, d1, d2, d3, line, plane, tap);
        d0 = d2;
        d1 = d3;
      }
    }
    return CodeWindow::Clean(outside);
  }

  // All rows and channels of one plane with one tap.
  template <int couples, int unrolled>
  static inline __attribute__((always_inline)) const int8_t* AccumulateTap(const Planes& planes, int plane,
                                                                           const int8_t* lines, const int8_t* weights,
                                                                           int32x4_t (&acc)[couples][4]) {
    const int8_t* codes = lines + planes.offset(plane, 0);
#pragma GCC unroll 1
    for (int row = 0; row < kRows; ++row, codes += planes.row_bytes()) {
      weights = AccumulateDots<Ops, couples, unrolled>(acc, codes, planes.plane_bytes, planes.blocks, weights);
    }
    return weights;
  }

  // y0 in a, y1 in b for consecutive couples of pairs starting at `lines`, without bias.
  template <int couples>
  static inline __attribute__((always_inline)) void HalvingForms(const Planes& planes, const int8_t* lines,
                                                                 const int8_t* weights, const ChannelConstants& constants,
                                                                 int32x4_t (&a)[couples][4], int32x4_t (&b)[couples][4]) {
    weights = AccumulateTap<couples, 4>(planes, 1, lines, weights, a);
    weights = AccumulateTap<couples, 4>(planes, 2, lines, weights, b);
    for (int couple = 0; couple < couples; ++couple) {
      for (int i = 0; i < 4; ++i) {
        const int32x4_t m1 = a[couple][i];
        const int32x4_t m2 = b[couple][i];
        a[couple][i] = vaddq_s32(m1, m2);
        b[couple][i] = vsubq_s32(m1, m2);
      }
    }
    if (constants.any_shift != 0) {
      int32x4_t shift[4];
      Ops::Spread(constants.shift, shift);
      for (int couple = 0; couple < couples; ++couple) {
        for (int i = 0; i < 4; ++i) {
          a[couple][i] = vshlq_s32(a[couple][i], shift[i]);
          b[couple][i] = vshlq_s32(b[couple][i], shift[i]);
        }
      }
    }
    weights = AccumulateTap<couples, 4>(planes, 0, lines, weights, a);
    AccumulateTap<couples, 4>(planes, 3, lines, weights, b);
  }

  template <int couples>
  static inline __attribute__((always_inline)) void TwoTaps(const Planes& planes, const int8_t* lines,
                                                            const int8_t* weights, int32x4_t (&a)[couples][4],
                                                            int32x4_t (&b)[couples][4]) {
    weights = AccumulateTap<couples, 2>(planes, 1, lines, weights, a);
    for (int couple = 0; couple < couples; ++couple) {
      for (int i = 0; i < 4; ++i) b[couple][i] = a[couple][i];
    }
    weights = AccumulateTap<couples, 2>(planes, 0, lines, weights, a);
    weights = AccumulateTap<couples, 2>(planes, 2, lines, weights, b);
    AccumulateTap<couples, 2>(planes, 3, lines, weights, a);  // the tap both share
    AccumulateTap<couples, 2>(planes, 4, lines, weights, b);
  }

  // What a tile works on.
  struct TileArguments {
    const Planes& planes;
    const int8_t* lines;
    const int8_t* weights;
    const ChannelConstants& constants;
    const int32_t* bias;
    StoreCodesNeon<2> store;
    size_t pixel;      // bytes from one pixel of the output to the next
    int output_width;
    int8_t* out;       // where the planes' pixels begin
  };

  // Pairs [pair, end), counted from the planes' first row and column.
  template <int couples, bool two_taps>
  static void Tile(const TileArguments& t, int pair, int end) {
    const int8_t* lines = t.lines + static_cast<size_t>(pair) * kDotChannels;
    int32x4_t a[couples][4];
    int32x4_t b[couples][4];
    ClearDots<couples>(a);
    ClearDots<couples>(b);
    if (two_taps) {
      TwoTaps<couples>(t.planes, lines, t.weights, a, b);
    } else {
      HalvingForms<couples>(t.planes, lines, t.weights, t.constants, a, b);
    }
    int32x4_t sums[couples][2][4];
    for (int couple = 0; couple < couples; ++couple) {
      for (int i = 0; i < 4; ++i) {
        sums[couple][0][i] = a[couple][i];
        sums[couple][1][i] = b[couple][i];
      }
    }
    StoreCouples(t, pair, end, sums, couples);
  }

  // Out of the tiles, for they are many: from memory, and in a loop.
  static __attribute__((noinline)) void StoreCouples(const TileArguments& t, int pair, int end,
                                                     const int32x4_t (*unsorted)[2][4], int couples) {
    const int32x4_t bias[2] = {vld1q_s32(t.bias), vld1q_s32(t.bias + 4)};
    int row = pair / t.planes.pairs;
    int column = pair % t.planes.pairs;
    for (int couple = 0; couple < couples; ++couple) {
      int32x4_t y0[4];
      int32x4_t y1[4];
      Ops::Sort(unsorted[couple][0], y0);
      Ops::Sort(unsorted[couple][1], y1);
#pragma GCC unroll 2
      for (int i = 0; i < kCouple; ++i) {
        if (pair + kCouple * couple + i >= end) return;
        const int32x4_t sums[4] = {vaddq_s32(y0[2 * i], bias[0]), vaddq_s32(y0[2 * i + 1], bias[1]),
                                   vaddq_s32(y1[2 * i], bias[0]), vaddq_s32(y1[2 * i + 1], bias[1])};
        int8_t* first = t.out + (static_cast<size_t>(row) * t.output_width + 2 * column) * t.pixel;
        int8_t* const out[2] = {first, 2 * column + 1 < t.output_width - t.planes.first_column ? first + t.pixel : nullptr};
        t.store.Store(sums, out);
        if (++column == t.planes.pairs) {
          column = 0;
          ++row;
        }
      }
    }
  }

  // Output rows [begin, end) of a unit, counted from its first row, whose input rows are all in the window.
  template <bool two_taps>
  static void RunCleanRows(const KernelContext& context, const Planes& planes, const int8_t* lines, bool non_negative,
                           int begin, int end, int8_t* output) {
    using Function = void (*)(const TileArguments&, int, int);
    static constexpr Function kTiles[kMaxCouples + 1] = {nullptr, Tile<1, two_taps>, Tile<2, two_taps>, Tile<3, two_taps>,
                                                         Tile<4, two_taps>};
    const ConvShape& s = context.shape;
    const Layout layout(s);
    const char* packed = static_cast<const char*>(context.packed);
    const int first = begin * planes.pairs;
    const int last = end * planes.pairs;
    const int couples = (last - first + kCouple - 1) / kCouple;
    const int tiles = (couples + kMaxCouples - 1) / kMaxCouples;
    for (int cout = 0; cout < s.output_channels; cout += kDotCout) {
      const int block = cout / kDotCout;
      const ChannelConstants& constants = *reinterpret_cast<const ChannelConstants*>(packed + layout.constants(block));
      const TileArguments arguments = {planes,
                                       lines,
                                       reinterpret_cast<const int8_t*>(packed + layout.weights(block)),
                                       constants,
                                       non_negative ? constants.non_negative_bias : constants.bias,
                                       StoreCodesNeon<2>(*context.requantization, cout, s.output_channels - cout),
                                       static_cast<size_t>(s.output_channels),
                                       s.output_width,
                                       output + cout};
      int couple = 0;
      for (int tile = 0; tile < tiles; ++tile) {
        const int next = static_cast<int>(static_cast<int64_t>(couples) * (tile + 1) / tiles);
        kTiles[next - couple](arguments, first + couple * kCouple, last);
        couple = next;
      }
    }
  }

  // Rows that see a code outside the window go to the fallback, the others stay here.
  template <bool two_taps>
  static void RunUnit(const KernelContext& context, const RowRange& range, const int8_t* input, int8_t* output,
                      void* scratch) {
    const ConvShape& s = context.shape;
    const int rows = range.end - range.begin;
    const int pairs = Winograd1dPairs(s);
    int8_t* lines = static_cast<int8_t*>(scratch);
    const int8_t* image = input + static_cast<size_t>(range.image) * s.input_height * s.input_width * s.input_channels;
    int8_t* unit_output =
        output + (static_cast<size_t>(range.image) * s.output_height + range.begin) * s.output_width * s.output_channels;
    const int first = range.begin - s.pad_top;
    const bool non_negative = IsNonNegative(context, image, first, first + rows + kRows - 1);
    const CodeWindow window(non_negative);
    // All pairs, or, where the unit is one row, some of them.
    const int segment =
        SegmentColumns(pairs, kScratchTarget, [&s](int rows, int pairs) { return Planes::Bytes(s, rows, pairs); });
    for (int pair = 0; pair < pairs; pair += segment) {
      const Planes planes(s, rows, pair, pairs - pair < segment ? pairs - pair : segment, two_taps);
      int8_t* segment_output = unit_output + static_cast<size_t>(planes.first_column) * s.output_channels;
      int8_t* clean = lines + planes.flags();
      for (int row = 0; row < planes.rows; ++row) {
        clean[row] = TransformRow<two_taps>(context, image, first + row, window, planes, lines + planes.offset(0, row));
      }
      // From here on, clean[row] is about output rows: all three input rows are in the window.
      for (int row = 0; row < rows; ++row) clean[row] = clean[row] & clean[row + 1] & clean[row + 2];
      for (int begin = 0, end; begin < rows; begin = end) {
        end = begin + 1;
        while (end < rows && clean[end] == clean[begin]) ++end;
        if (clean[begin]) {
          RunCleanRows<two_taps>(context, planes, lines, non_negative, begin, end, segment_output);
          continue;
        }
        RunFallback(context, range.image, range.begin + begin, range.begin + end, input, output, scratch);
        if (segment < pairs) return;  // it has done the row's other segments as well
      }
    }
  }
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_1D_NEON_H_
