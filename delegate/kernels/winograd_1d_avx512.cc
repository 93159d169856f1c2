// One-dimensional F(2,3) along the width in int8, for AVX-512 with VNNI; the derivation is in winograd_1d_weights.h.
//
// Register tile, up to 7 pairs of output pixels x 32 output channels, two accumulators per pair and vector:
//
//             zmm28: couts 0-15   zmm29: couts 16-31      weights of one transformed tap, four input channels
//   pair 0    a 0,0   b 0,0       a 0,1   b 0,1
//   ...       ...                 ...                     zmm30: four transformed channels of a pair in all lanes
//   pair 6    a 6,0   b 6,0       a 6,1   b 6,1           28 accumulators
//
// No intermediate sums are stored. First a accumulates m1 = V1 U1 and b accumulates m2 = V2 U2; then a, b become
// (m1 + m2) / 2, (m1 - m2) / 2 in registers; then a goes on accumulating m0 = V0 U0 and b m3 = V3 U3, and they are y0 and y1.
// The two-tap form accumulates the shared product d1 (w0+w1) in a, copies it to b, and goes on with the two private ones.
//
// Transformed codes lie in planes (dot8_avx512.h), one per tap and channel block, a line per pair of columns.
#include "delegate/kernels/dot8_avx512.h"
#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/row_units.h"
#include "delegate/kernels/winograd_1d_weights.h"

namespace tflite_eq {
namespace {

constexpr int kMaxPairs = 7;
constexpr size_t kScratchTarget = 512 << 10;
constexpr int kRows = 3;
constexpr int kTaps = 4;  // transformed weights of a triplet, in either form

// Per output channel, after the weights.
struct ChannelConstants {
  // What a and b begin with: -128 * sum(U1), -128 * sum(U2). The codes of V1 are V1 + 128, but V1 itself for non-negative
  // codes in the halving forms.
  int32_t start_a[kCoutBlock];
  int32_t start_a_non_negative[kCoutBlock];
  int32_t start_b[kCoutBlock];
  int32_t end_a[kCoutBlock];  // what y0 and y1 still lack: folded bias and -128 times the remaining sums
  int32_t end_b[kCoutBlock];
  int32_t halving[kCoutBlock];  // shift after the first phase: 1 or 0
};

struct Header {
  int64_t two_taps;
  int64_t reserved[7];  // keeps the weights aligned to a line
};

struct Layout {
  explicit Layout(const ConvShape& s)
      : blocks((s.output_channels + kCoutBlock - 1) / kCoutBlock),
        block_bytes(static_cast<size_t>(kTaps) * kRows * Groups(s.input_channels) * kGroupBytes) {}
  size_t bytes() const { return sizeof(Header) + blocks * (block_bytes + sizeof(ChannelConstants)); }
  size_t weights(size_t block) const { return sizeof(Header) + block * block_bytes; }
  size_t constants(size_t block) const {
    return sizeof(Header) + blocks * block_bytes + block * sizeof(ChannelConstants);
  }
  size_t blocks;
  size_t block_bytes;
};

bool Certify(const ConvProblem& problem, Reason* reason) {
  bool two_taps;
  return CertifyWinograd1d(problem, &two_taps, reason);
}

size_t PackedBytes(const ConvProblem& problem) { return Layout(problem.shape).bytes(); }

// Position of a tap's groups of one filter row and 64-channel block within a cout block, in the order the tile reads them:
// the first phase (halving forms: U1 and U2 alternate; two taps: w0+w1 alone), then the second.
size_t TapOffset(const ConvShape& s, bool two_taps, int tap, int row, int block) {
  const size_t row_groups = Groups(s.input_channels);
  const size_t before = static_cast<size_t>(block) * (kLine / kGroup);  // groups of earlier channel blocks
  const size_t here = GroupsInBlock(s.input_channels, block);
  size_t groups = 0;
  if (two_taps) {
    // Phase 1: tap 1. Phase 2: taps 0, 2, 3 in turn.
    constexpr int kTurn[kTaps] = {0, 0, 1, 2};
    groups = tap == 1 ? row * row_groups + before
                      : kRows * row_groups + 3 * (row * row_groups + before) + kTurn[tap] * here;
  } else {
    const bool first = tap == 1 || tap == 2;
    const bool second_of_two = tap == 2 || tap == 3;
    groups = (first ? 0 : 2 * kRows * row_groups) + 2 * (row * row_groups + before) + (second_of_two ? here : 0);
  }
  return groups * kGroupBytes;
}

void Pack(const ConvProblem& problem, void* packed) {
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
    char* weights = base + layout.weights(k / kCoutBlock);
    int32_t sums[kTaps] = {};
    for (int row = 0; row < kRows; ++row) {
      const int8_t* w = filter + static_cast<size_t>(row) * 3 * s.input_channels;
      for (int c = 0; c < s.input_channels; ++c) {
        int8_t u[kTaps];
        TransformWinograd1dTaps(form, w[c], w[s.input_channels + c], w[2 * s.input_channels + c], u);
        for (int tap = 0; tap < kTaps; ++tap) {
          weights[TapOffset(s, two_taps, tap, row, c / kLine) + PackedOffset(k % kCoutBlock, c % kLine)] =
              static_cast<char>(u[tap]);
          sums[tap] += u[tap];
        }
      }
    }
    ChannelConstants* constants = reinterpret_cast<ChannelConstants*>(base + layout.constants(k / kCoutBlock));
    const int lane = k % kCoutBlock;
    const uint32_t bias = static_cast<uint32_t>(FoldedBias(problem, k));
    const auto minus_128 = [](int32_t sum) { return 0u - 128u * static_cast<uint32_t>(sum); };
    constants->start_a[lane] = static_cast<int32_t>(minus_128(sums[1]));
    constants->start_a_non_negative[lane] = two_taps ? constants->start_a[lane] : 0;
    constants->start_b[lane] = static_cast<int32_t>(two_taps ? 0 : minus_128(sums[2]));
    const int32_t rest_a = two_taps ? sums[0] + sums[3] : sums[0];
    const int32_t rest_b = two_taps ? sums[2] + sums[3] : sums[3];
    constants->end_a[lane] = static_cast<int32_t>(bias + minus_128(rest_a));
    constants->end_b[lane] = static_cast<int32_t>(bias + minus_128(rest_b));
    constants->halving[lane] = form == Winograd1dForm::kHalveSums ? 1 : 0;
  }
}

// The planes of `output_rows` rows of `output_pairs` pairs from `first_pair` on: rows + 2 input rows, a line per pair of output
// columns.
struct Planes {
  Planes(const ConvShape& s, int output_rows, int first_pair, int output_pairs, bool two_taps)
      : rows(output_rows + kRows - 1),
        first_column(2 * first_pair),
        pairs(output_pairs),
        blocks(LineBlocks(s.input_channels)),
        count(two_taps ? 5 : 4) {}
  // What they take, for any sizes. The form is not known: room for the one with more planes.
  static size_t Bytes(const ConvShape& s, int output_rows, int output_pairs) {
    const Planes planes(s, output_rows, 0, output_pairs, /*two_taps=*/true);
    return SaturatingProduct(planes.plane_bytes(), static_cast<size_t>(planes.blocks) * planes.count) + planes.rows;
  }
  size_t plane_bytes() const { return (static_cast<size_t>(rows) * pairs | 1) * kLine; }
  // The planes, then a byte for each row that tells whether it holds codes outside the window.
  size_t flags() const { return plane_bytes() * blocks * count; }
  size_t offset(int plane, int row, int block) const {
    return (static_cast<size_t>(plane) * blocks + block) * plane_bytes() + static_cast<size_t>(row) * pairs * kLine;
  }
  int rows;
  int first_column;
  int pairs;
  int blocks;
  int count;
};

WorkPlan Plan(const ConvShape& shape, int workers) {
  return PlanSegments(shape, workers, Winograd1dPairs(shape), kScratchTarget,
                      [&shape](int rows, int pairs) { return Planes::Bytes(shape, rows, pairs); });
}

// Whether the input rows [begin, end) of an image and the padding around them belong in the window [0, 127].
bool IsNonNegative(const KernelContext& context, const int8_t* image, int begin, int end) {
  if (context.input_zero_point < 0) return false;
  const ConvShape& s = context.shape;
  if (begin < 0) begin = 0;
  if (end > s.input_height) end = s.input_height;
  const size_t row_bytes = static_cast<size_t>(s.input_width) * s.input_channels;
  const int8_t* codes = image + begin * row_bytes;
  const int8_t* last = image + end * row_bytes;
  constexpr ptrdiff_t kGlance = 64 * kLine;  // signed activations are found out soon
  while (codes < last) {
    const int8_t* stop = last - codes > kGlance ? codes + kGlance : last;
    __m512i all = _mm512_setzero_si512();
    for (; stop - codes >= kLine; codes += kLine) all = _mm512_or_si512(all, _mm512_loadu_si512(codes));
    if (codes < stop) all = _mm512_or_si512(all, LoadLine(codes, static_cast<int>(stop - codes)));
    codes = stop;
    if (_mm512_movepi8_mask(all) != 0) return false;
  }
  return true;
}

// Transforms one input row into all planes. False when a code lay outside the window: [0, 127] or [-64, 63].
template <bool two_taps>
bool TransformRow(const KernelContext& context, const int8_t* image, int y, bool non_negative, const Planes& planes,
                  uint8_t* lines) {
  const ConvShape& s = context.shape;
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  const __m512i flip_sum = non_negative ? _mm512_setzero_si512() : flip;
  const __m512i window = _mm512_set1_epi8(non_negative ? 0 : 64);
  const __m512i padding = _mm512_set1_epi8(static_cast<char>(context.input_zero_point));
  const bool row_inside = y >= 0 && y < s.input_height;
  const size_t plane = planes.plane_bytes();
  const size_t next_tap = plane * planes.blocks;
  const int left_column = planes.first_column - s.pad_left;
  __m512i outside = _mm512_setzero_si512();
  for (int block = 0; block < planes.blocks; ++block, lines += plane) {
    const int left = s.input_channels - block * kLine;
    const int8_t* row = image + static_cast<ptrdiff_t>(y) * s.input_width * s.input_channels + block * kLine;
    const auto load = [&](int x) {
      if (!row_inside || x < 0 || x >= s.input_width) return padding;
      return LoadLine(row + static_cast<ptrdiff_t>(x) * s.input_channels, left);
    };
    __m512i d0 = load(left_column);
    __m512i d1 = load(left_column + 1);
    outside = _mm512_or_si512(outside, _mm512_or_si512(_mm512_add_epi8(d0, window), _mm512_add_epi8(d1, window)));
    uint8_t* line = lines;
    for (int pair = 0; pair < planes.pairs; ++pair, line += kLine) {
      const __m512i d2 = load(left_column + 2 * pair + 2);
      const __m512i d3 = load(left_column + 2 * pair + 3);
      outside = _mm512_or_si512(outside, _mm512_or_si512(_mm512_add_epi8(d2, window), _mm512_add_epi8(d3, window)));
      if (two_taps) {
        _mm512_store_si512(line, _mm512_xor_si512(_mm512_sub_epi8(d0, d1), flip));
        _mm512_store_si512(line + next_tap, _mm512_xor_si512(d1, flip));
        _mm512_store_si512(line + 2 * next_tap, _mm512_xor_si512(_mm512_sub_epi8(d2, d1), flip));
        _mm512_store_si512(line + 3 * next_tap, _mm512_xor_si512(d2, flip));
        _mm512_store_si512(line + 4 * next_tap, _mm512_xor_si512(d3, flip));
      } else {
        _mm512_store_si512(line, _mm512_xor_si512(_mm512_sub_epi8(d0, d2), flip));
        _mm512_store_si512(line + next_tap, _mm512_xor_si512(_mm512_add_epi8(d1, d2), flip_sum));
        _mm512_store_si512(line + 2 * next_tap, _mm512_xor_si512(_mm512_sub_epi8(d2, d1), flip));
        _mm512_store_si512(line + 3 * next_tap, _mm512_xor_si512(_mm512_sub_epi8(d3, d1), flip));
      }
      d0 = d2;
      d1 = d3;
    }
  }
  return _mm512_movepi8_mask(outside) == 0;
}

template <int pairs>
inline __attribute__((always_inline)) void Fill(__m512i (&acc)[pairs][2], const int32_t* values) {
  for (int i = 0; i < pairs; ++i) {
    acc[i][0] = _mm512_load_si512(values);
    acc[i][1] = _mm512_load_si512(values + 16);
  }
}

template <int pairs>
inline __attribute__((always_inline)) void Add(__m512i (&acc)[pairs][2], const int32_t* values) {
  for (int i = 0; i < pairs; ++i) {
    acc[i][0] = _mm512_add_epi32(acc[i][0], _mm512_load_si512(values));
    acc[i][1] = _mm512_add_epi32(acc[i][1], _mm512_load_si512(values + 16));
  }
}

// y0 in a, y1 in b for consecutive pairs starting at `lines`.
template <int pairs>
inline __attribute__((always_inline)) void HalvingForms(const ConvShape& s, const Planes& planes, const uint8_t* lines,
                                                        WeightStream weights, const ChannelConstants& constants,
                                                        const int32_t* start_a, __m512i (&a)[pairs][2],
                                                        __m512i (&b)[pairs][2]) {
  Fill(a, start_a);
  Fill(b, constants.start_b);
  for (int row = 0; row < kRows; ++row) {
    for (int block = 0; block < planes.blocks; ++block) {
      const int groups = GroupsInBlock(s.input_channels, block);
      AccumulateColumns<pairs>(a, lines + planes.offset(1, row, block), groups, &weights);
      AccumulateColumns<pairs>(b, lines + planes.offset(2, row, block), groups, &weights);
    }
  }
  for (int v = 0; v < 2; ++v) {
    const __m512i halving = _mm512_load_si512(constants.halving + 16 * v);
    for (int i = 0; i < pairs; ++i) {
      const __m512i m1 = a[i][v];
      const __m512i m2 = b[i][v];
      a[i][v] = _mm512_srav_epi32(_mm512_add_epi32(m1, m2), halving);
      b[i][v] = _mm512_srav_epi32(_mm512_sub_epi32(m1, m2), halving);
    }
  }
  for (int row = 0; row < kRows; ++row) {
    for (int block = 0; block < planes.blocks; ++block) {
      const int groups = GroupsInBlock(s.input_channels, block);
      AccumulateColumns<pairs>(a, lines + planes.offset(0, row, block), groups, &weights);
      AccumulateColumns<pairs>(b, lines + planes.offset(3, row, block), groups, &weights);
    }
  }
}

template <int pairs>
inline __attribute__((always_inline)) void TwoTaps(const ConvShape& s, const Planes& planes, const uint8_t* lines,
                                                   WeightStream weights, const int32_t* start_a, __m512i (&a)[pairs][2],
                                                   __m512i (&b)[pairs][2]) {
  Fill(a, start_a);
  for (int row = 0; row < kRows; ++row) {
    for (int block = 0; block < planes.blocks; ++block) {
      AccumulateColumns<pairs>(a, lines + planes.offset(1, row, block), GroupsInBlock(s.input_channels, block), &weights);
    }
  }
  for (int i = 0; i < pairs; ++i) {
    b[i][0] = a[i][0];
    b[i][1] = a[i][1];
  }
  for (int row = 0; row < kRows; ++row) {
    for (int block = 0; block < planes.blocks; ++block) {
      const int groups = GroupsInBlock(s.input_channels, block);
      AccumulateColumns<pairs>(a, lines + planes.offset(0, row, block), groups, &weights);
      AccumulateColumns<pairs>(b, lines + planes.offset(2, row, block), groups, &weights);
      WeightStream third = weights;  // the tap both share
      AccumulateColumns<pairs>(a, lines + planes.offset(3, row, block), groups, &third);
      AccumulateColumns<pairs>(b, lines + planes.offset(4, row, block), groups, &weights);
    }
  }
}

// The pixels of pairs of columns, across rows; a row of an odd number of columns has no second of the last pair.
struct NextOfPairs {
  static constexpr bool kAll = false;
  int8_t* operator()() {
    int8_t* to = out + (static_cast<size_t>(row) * width + 2 * static_cast<size_t>(column)) * pixel;
    second = !second;
    if (second) return to;
    to = 2 * column + 1 < columns ? to + pixel : nullptr;
    if (++column == pairs) {
      column = 0;
      ++row;
    }
    return to;
  }
  int8_t* out;
  size_t pixel;
  size_t width;
  int columns;
  int pairs;
  int row;
  int column;
  bool second = false;
};

// `pair` counts from the planes' first row and column; `out` is where their pixels begin.
template <int pairs, bool two_taps>
void Tile(const ConvShape& s, const Planes& planes, const uint8_t* lines, int pair, WeightStream weights,
          const ChannelConstants& constants, bool non_negative, const StoreTile<2>& store, size_t pixel, int8_t* out) {
  const int32_t* start_a = non_negative ? constants.start_a_non_negative : constants.start_a;
  __m512i a[pairs][2];
  __m512i b[pairs][2];
  if (two_taps) {
    TwoTaps<pairs>(s, planes, lines + static_cast<size_t>(pair) * kLine, weights, start_a, a, b);
  } else {
    HalvingForms<pairs>(s, planes, lines + static_cast<size_t>(pair) * kLine, weights, constants, start_a, a, b);
  }
  Add(a, constants.end_a);
  Add(b, constants.end_b);
  const NextOfPairs next = {out, pixel, static_cast<size_t>(s.output_width),
                            s.output_width - planes.first_column, planes.pairs, pair / planes.pairs, pair % planes.pairs};
  __m512i sums[2 * pairs][2];  // a and b themselves stay in registers
#pragma GCC unroll 8
  for (int i = 0; i < pairs; ++i) {
    for (int v = 0; v < 2; ++v) {
      sums[2 * i][v] = a[i][v];
      sums[2 * i + 1][v] = b[i][v];
    }
  }
  if constexpr (pairs == kMaxPairs) {
    store.template FromRegisters<2 * pairs>(sums, next);
  } else {
    store(sums[0], 2 * pairs, next);
  }
}

using TileFunction = void (*)(const ConvShape&, const Planes&, const uint8_t*, int, WeightStream,
                              const ChannelConstants&, bool, const StoreTile<2>&, size_t, int8_t*);
constexpr int kSizes[] = {1, 2, 4, kMaxPairs};
template <bool two_taps>
constexpr TileFunction kTiles[] = {Tile<kSizes[0], two_taps>, Tile<kSizes[1], two_taps>, Tile<kSizes[2], two_taps>,
                                   Tile<kSizes[3], two_taps>};

// Output rows [begin, end) of a unit, counted from its first row, whose input rows are all in the window.
void RunCleanRows(const KernelContext& context, bool two_taps, const Planes& planes, const uint8_t* lines, bool non_negative, int begin,
                  int end, int8_t* output) {
  const ConvShape& s = context.shape;
  const Layout layout(s);
  const char* packed = static_cast<const char*>(context.packed);
  const int first = begin * planes.pairs;
  const int pairs = (end - begin) * planes.pairs;
  const int tiles = (pairs + kMaxPairs - 1) / kMaxPairs;
  for (int cout = 0; cout < s.output_channels; cout += kCoutBlock) {
    const int8_t* weights = reinterpret_cast<const int8_t*>(packed + layout.weights(cout / kCoutBlock));
    const ChannelConstants& constants =
        *reinterpret_cast<const ChannelConstants*>(packed + layout.constants(cout / kCoutBlock));
    const StoreTile<2> store(context, cout, s.output_channels - cout);
    WeightStream stream(weights, layout.block_bytes, 0, tiles);
    for (int done = 0; done < pairs;) {
      const int size = NextTile(kSizes, pairs - done, pairs);
      if (pairs - done < kSizes[size]) done = pairs - kSizes[size];
      (two_taps ? kTiles<true> : kTiles<false>)[size](s, planes, lines, first + done, stream, constants, non_negative, store,
                                                          context.output_pixel(), output + cout);
      stream.prefetch += layout.block_bytes / tiles;
      done += kSizes[size];
    }
  }
}

// Rows that see a code outside the window go to the fallback, the others stay here.
void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output, void* scratch) {
  const RowRange range = UnitRows(context.shape, plan, unit);
  const bool two_taps = static_cast<const Header*>(context.packed)->two_taps != 0;
  const ConvShape& s = context.shape;
  const int rows = range.end - range.begin;
  const int pairs = Winograd1dPairs(s);
  uint8_t* lines = static_cast<uint8_t*>(scratch);
  const int8_t* image = input + static_cast<size_t>(range.image) * s.input_height * s.input_width * s.input_channels;
  int8_t* unit_output =
      output + (static_cast<size_t>(range.image) * s.output_height + range.begin) * s.output_width * context.output_pixel();
  const int first = range.begin - s.pad_top;
  const bool non_negative = IsNonNegative(context, image, first, first + rows + kRows - 1);
  // All pairs, or, where the unit is one row, some of them.
  const int segment =
      SegmentColumns(pairs, kScratchTarget, [&s](int rows, int pairs) { return Planes::Bytes(s, rows, pairs); });
  for (int pair = 0; pair < pairs; pair += segment) {
    const Planes planes(s, rows, pair, pairs - pair < segment ? pairs - pair : segment, two_taps);
    int8_t* segment_output = unit_output + static_cast<size_t>(planes.first_column) * context.output_pixel();
    uint8_t* clean = lines + planes.flags();
    for (int row = 0; row < planes.rows; ++row) {
      const auto transform = two_taps ? TransformRow<true> : TransformRow<false>;
      clean[row] = transform(context, image, first + row, non_negative, planes, lines + planes.offset(0, row, 0));
    }
    // From here on, clean[row] is about output rows: all three input rows are in the window.
    for (int row = 0; row < rows; ++row) clean[row] = clean[row] & clean[row + 1] & clean[row + 2];
    for (int begin = 0, end; begin < rows; begin = end) {
      end = begin + 1;
      while (end < rows && clean[end] == clean[begin]) ++end;
      if (clean[begin]) {
        RunCleanRows(context, two_taps, planes, lines, non_negative, begin, end, segment_output);
        continue;
      }
      RunFallback(context, range.image, range.begin + begin, range.begin + end, input, output, scratch);
      if (segment < pairs) return;  // it has done the row's other segments as well
    }
  }
}

}  // namespace

const ConvKernel kWinograd1dAvx512 = {Algorithm::kWinograd1d, Isa::kAvx512Vnni, /*needs_fallback=*/true, /*uses_lines=*/true,
                                      Certify, PackedBytes, Pack, Plan, Run, /*run_rows=*/nullptr, /*places_outputs=*/true};

}  // namespace tflite_eq
