// Depthwise convolution for AVX-512 with VNNI, for any filter size, stride, dilation and depth multiplier.
//
// vpdpbusd adds up four products of bytes in each lane of 32 bits: here four taps of a filter row, of one channel. A prepared row
// (depthwise_rows.h) consists of quads, what four neighbouring columns hold: 64 bytes, lane c with the four codes of channel c. A quad
// that begins at an even column x serves two outputs if the stride is 1, with other weights:
//
//   codes       x   x+1  x+2  x+3
//   output x    w0  w1   w2   0        3 taps; longer rows take the quads at x + 4, x + 8 ... as well
//   output x+1  0   w0   w1   w2
//
// With stride 2 every output has the quad at its first column. Otherwise, dilation included, quads are gathered for each output.
//
// A block is four vectors of 16 channels, of one column where there are channels enough: 64. Blocks with fewer channels take columns
// from two or four parts of the segment: 32 or 16 channels of each.
//
//   vector       0          1           2           3
//   1 part       c 0-15     c 16-31     c 32-47     c 48-63      of column x
//   2 parts      c 0-15     c 16-31     c 0-15      c 16-31      of column x and of that half a segment further on
//   4 parts      c 0-15     c 0-15      c 0-15      c 0-15       of column x and those a quarter further on each
//
// Register tile: up to eight outputs of one vector, each with the sums of all taps before it is requantized. Codes are used as
// unsigned bytes, code + 128, and -128 * sum(weights) is added to the bias.
#include <immintrin.h>
#include <string.h>

#include "delegate/kernels/depthwise_rows.h"
#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/requantize_avx512.h"

namespace tflite_eq {
namespace {

constexpr int kLanes = 16;                // channels in a vector of sums
constexpr int kVectors = 4;               // in a block
constexpr int kLine = kLanes * kVectors;  // bytes of a column's codes
constexpr int kQuad = 4;                  // taps that are multiplied at once
constexpr int kQuadBytes = kLine * kQuad;
constexpr int kMaxPairs = 4;

// Where the quads of an output are, counted in quads. Outputs are taken in pairs.
struct Quads {
  explicit Quads(const ConvShape& s)
      : contiguous(s.dilation_width == 1 && s.stride_width <= 2),
        shared(contiguous && s.stride_width == 1),
        groups((s.filter_width + (shared ? 1 : 0) + kQuad - 1) / kQuad),
        group_step(contiguous ? 2 : 1),
        second(shared       ? 0
               : contiguous ? 1
                            : groups),
        pair_step(shared ? 1 : 2 * second) {}

  // For so many pairs.
  size_t count(int pairs) const {
    if (groups == 0) return 0;
    return static_cast<size_t>(pairs) * pair_step + (contiguous ? 2 * (static_cast<size_t>(groups) - 1) : 0);
  }
  int weight_sets() const { return shared ? 2 : 1; }

  bool contiguous;         // quad i begins at column 2 i
  bool shared;             // by both outputs of a pair
  int groups;              // quads of a filter row
  int group_step;          // from one of them to the next
  int second;              // from the first output of a pair to the second
  ptrdiff_t pair_step;
};

int VectorCount(int channels) { return (channels + kLanes - 1) / kLanes; }

// Parts of a segment that a block with so many vectors of channels takes columns from.
int PartsOf(int channel_vectors) { return channel_vectors > 2 ? 1 : channel_vectors == 2 ? 2 : 4; }

// Pairs of columns in each part.
int PairsOf(int columns, int parts) { return ((columns - 1) / parts + 2) / 2; }

// Packed: for each vector of channels and each quad of the filter one vector of weights, or two where quads are shared; then biases,
// the 128s of the unsigned operand included.
size_t VectorBytes(const ConvShape& s) {
  const Quads quads(s);
  return static_cast<size_t>(s.filter_height) * quads.groups * quads.weight_sets() * kLine;
}
size_t WeightBytes(const ConvShape& s) { return VectorCount(s.output_channels) * VectorBytes(s); }

struct Avx512Ops {
  static constexpr Isa kIsa = Isa::kAvx512Vnni;
  static constexpr bool kUsesLines = true;

  static size_t PackedBytes(const ConvProblem& problem) {
    const ConvShape& s = problem.shape;
    return WeightBytes(s) + static_cast<size_t>(VectorCount(s.output_channels)) * kLanes * sizeof(int32_t);
  }

  static void Pack(const ConvProblem& problem, void* packed) {
    const ConvShape& s = problem.shape;
    const Quads quads(s);
    int8_t* weights = static_cast<int8_t*>(packed);
    int32_t* bias = reinterpret_cast<int32_t*>(weights + WeightBytes(s));
    for (int k = 0; k < s.output_channels; ++k) {
      const ChannelFilter filter = FilterOf(problem, k);
      int8_t* lane = weights + k / kLanes * VectorBytes(s) + k % kLanes * kQuad;
      uint32_t sum = 0;
      for (int ky = 0; ky < s.filter_height; ++ky) {
        for (int kx = 0; kx < s.filter_width; ++kx) {
          const int8_t w = filter[ky * s.filter_width + kx];
          sum += static_cast<uint32_t>(int32_t{w});
          for (int set = 0; set < quads.weight_sets(); ++set) {
            const int tap = kx + set;
            const size_t quad = static_cast<size_t>(ky) * quads.groups + tap / kQuad;
            lane[(quad * quads.weight_sets() + set) * kLine + tap % kQuad] = w;
          }
        }
      }
      bias[k] = static_cast<int32_t>(static_cast<uint32_t>(FoldedBias(problem, k)) - 128u * sum);
    }
  }

  // An odd number of lines: rows do not fall into the same cache sets.
  static size_t RowBytes(const ConvShape& s, int columns) {
    const int vectors = VectorCount(s.output_channels);
    return Quads(s).count(PairsOf(columns, PartsOf(vectors))) * kQuadBytes + kLine;
  }

  // Any input is as good as another.
  struct Input {
    Input(const KernelContext&, const int8_t*, int, int) {}
  };
  class Block;
};

__m512i Flipped(__m512i codes) { return _mm512_xor_si512(codes, _mm512_set1_epi8(static_cast<char>(0x80))); }

// How a line is read: as a whole where a block is one part without multiplier, in halves where it is two, else by its vectors.
enum class Reading { kWhole, kHalves, kVectors };

// What reads the codes of a block's channels in one column of an input row, or of several parts: a line in the order of the quads.
class LineReader {
 public:
  LineReader(const KernelContext& context, int channel, int parts, int part_columns)
      : width_(context.shape.input_width),
        channels_(context.shape.input_channels),
        span_((parts - 1) * int64_t{part_columns} * context.shape.stride_width),
        padding_(_mm512_set1_epi8(static_cast<char>(context.input_zero_point))) {
    const int multiplier = context.shape.depth_multiplier();
    alignas(64) uint8_t source[kLine];
    for (int v = 0; v < kVectors; ++v) {
      const int output = channel + v % (kVectors / parts) * kLanes;
      first_[v] = output / multiplier;
      columns_[v] = v / (kVectors / parts) * int64_t{part_columns} * context.shape.stride_width;
      const int left = channels_ - first_[v];
      masks_[v] = static_cast<__mmask16>(left >= kLanes ? 0xffff : left > 0 ? (1 << left) - 1 : 0);
      for (int i = 0; i < kLanes; ++i) source[v * kLanes + i] = static_cast<uint8_t>((output + i) / multiplier - first_[v]);
    }
    source_ = _mm512_load_si512(source);
    const int left = channels_ - first_[0];
    mask_ = left >= kLine ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
  }

  // `inside`: no need to look.
  template <Reading reading, bool inside>
  __attribute__((always_inline)) __m512i Read(const int8_t* codes, int64_t x) const {
    // Lane l of a line holds bytes 4 l ... 4 l + 3 of each vector, where the interleaving leaves them in order.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, Flipped(ReadInOrder<reading, inside>(codes, x)));
  }

  // Whether columns [begin, end) of the first part lie in the image, and those of the others too.
  bool Inside(int64_t begin, int64_t end) const { return begin >= 0 && end + span_ <= width_; }

 private:
  template <Reading reading, bool inside>
  __attribute__((always_inline)) __m512i ReadInOrder(const int8_t* codes, int64_t x) const {
    if (reading == Reading::kWhole) {
      return inside || IsInside(x) ? _mm512_maskz_loadu_epi8(mask_, codes + x * channels_ + first_[0]) : padding_;
    }
    if (reading == Reading::kHalves) {
      return _mm512_inserti64x4(_mm512_castsi256_si512(Half<inside>(codes, x)), Half<inside>(codes, x + span_), 1);
    }
    __m512i line = _mm512_castsi128_si512(Vector<inside>(codes, x, 0));
    line = _mm512_inserti32x4(line, Vector<inside>(codes, x, 1), 1);
    line = _mm512_inserti32x4(line, Vector<inside>(codes, x, 2), 2);
    line = _mm512_inserti32x4(line, Vector<inside>(codes, x, 3), 3);
    return _mm512_shuffle_epi8(line, source_);
  }

  bool IsInside(int64_t x) const { return static_cast<uint64_t>(x) < static_cast<uint64_t>(width_); }
  template <bool inside>
  __attribute__((always_inline)) __m256i Half(const int8_t* codes, int64_t x) const {
    if (!inside && !IsInside(x)) return _mm512_castsi512_si256(padding_);
    return _mm256_maskz_loadu_epi8(static_cast<__mmask32>(mask_), codes + x * channels_ + first_[0]);
  }
  template <bool inside>
  __attribute__((always_inline)) __m128i Vector(const int8_t* codes, int64_t x, int v) const {
    x += columns_[v];
    if (!inside && !IsInside(x)) return _mm512_castsi512_si128(padding_);
    return _mm_maskz_loadu_epi8(masks_[v], codes + x * channels_ + first_[v]);
  }

  int width_;
  ptrdiff_t channels_;
  int64_t span_;  // from a column of the first part to that of the last
  __m512i padding_;
  __m512i source_;
  __mmask64 mask_;
  __mmask16 masks_[kVectors];
  int first_[kVectors];
  int64_t columns_[kVectors];
};

// Four vectors of quads from four lines of columns, by way of pairs of bytes.
struct Pairs {
  Pairs(__m512i first, __m512i second)
      : low(_mm512_unpacklo_epi8(first, second)), high(_mm512_unpackhi_epi8(first, second)) {}
  __m512i low;
  __m512i high;
};

__attribute__((always_inline)) inline void StoreQuads(const Pairs& first, const Pairs& second, char* to) {
  _mm512_store_si512(to, _mm512_unpacklo_epi16(first.low, second.low));
  _mm512_store_si512(to + kLine, _mm512_unpackhi_epi16(first.low, second.low));
  _mm512_store_si512(to + 2 * kLine, _mm512_unpacklo_epi16(first.high, second.high));
  _mm512_store_si512(to + 3 * kLine, _mm512_unpackhi_epi16(first.high, second.high));
}

class Avx512Ops::Block {
 public:
  Block(const KernelContext& context, const Input&, int channel, int columns)
      : context_(context),
        quads_(context.shape),
        columns_(columns),
        channels_(context.shape.output_channels - channel < kLine ? context.shape.output_channels - channel : kLine),
        channel_vectors_(VectorCount(channels_)),
        parts_(PartsOf(channel_vectors_)),
        pairs_(PairsOf(columns, parts_)),
        reader_(context, channel, parts_, 2 * pairs_),
        low_(_mm512_set1_epi8(static_cast<char>(context.requantization->activation_min()))),
        high_(_mm512_set1_epi8(static_cast<char>(context.requantization->activation_max()))),
        non_negative_(context.requantization->activation_min() >= context.requantization->zero_point()) {
    const ConvShape& s = context.shape;
    const int8_t* packed = static_cast<const int8_t*>(context.packed);
    for (int i = 0; i < kVectors; ++i) {
      const int lane = channel + i % (kVectors / parts_) * kLanes;
      // The fourth of three is another first.
      const int first = lane < s.output_channels ? lane : channel;
      Vector& v = vectors_[i];
      v.channel = first;
      v.weights = packed + first / kLanes * VectorBytes(s);
      v.bias = reinterpret_cast<const int32_t*>(packed + WeightBytes(s)) + first;
      v.by_lines = context.lines->exact(first);
    }
    mask_ = channels_ == kLine ? ~__mmask64{0} : (__mmask64{1} << channels_) - 1;
  }

  int channels() const { return channels_; }

  void Fill(const int8_t* codes, int64_t x, char* row) const {
    const bool plain = context_.shape.depth_multiplier() == 1;
    if (codes == nullptr) {
      memset(row, static_cast<uint8_t>(context_.input_zero_point) ^ 0x80, quads_.count(pairs_) * kQuadBytes);
    } else if (plain && parts_ == 1) {
      quads_.contiguous ? FillContiguous<Reading::kWhole>(codes, x, row) : Gather<Reading::kWhole>(codes, x, row);
    } else if (!quads_.contiguous) {
      Gather<Reading::kVectors>(codes, x, row);
    } else {
      plain && parts_ == 2 ? FillContiguous<Reading::kHalves>(codes, x, row) : FillContiguous<Reading::kVectors>(codes, x, row);
    }
  }

  void Compute(const char* const* rows, int8_t* output) const {
    const int tiles = (pairs_ + kMaxPairs - 1) / kMaxPairs;
    int pair = 0;
    for (int tile = 0; tile < tiles; ++tile) {
      const int end = static_cast<int>(int64_t{pairs_} * (tile + 1) / tiles);
      quads_.shared ? ComputePairs<true>(end - pair, rows, pair, output) : ComputePairs<false>(end - pair, rows, pair, output);
      pair = end;
    }
  }

 private:
  template <Reading reading>
  __attribute__((noinline)) void FillContiguous(const int8_t* codes, int64_t x, char* row) const {
    const size_t count = quads_.count(pairs_);
    const LineReader reader = reader_;  // in registers, whatever is stored meanwhile
    const auto read = [&](int64_t column) { return reader.Read<reading, false>(codes, column); };
    Pairs pairs(read(x), read(x + 1));
    for (size_t quad = 0; quad < count; ++quad, row += kQuadBytes) {
      x += 2;
      const Pairs next = reader.Inside(x, x + 2) ? Pairs(reader.Read<reading, true>(codes, x), reader.Read<reading, true>(codes, x + 1))
                                                 : Pairs(read(x), read(x + 1));
      StoreQuads(pairs, next, row);
      pairs = next;
    }
  }

  template <Reading reading>
  __attribute__((noinline)) void Gather(const int8_t* codes, int64_t x, char* row) const {
    const int64_t step = context_.shape.dilation_width;
    const auto read = [&](int64_t column) { return reader_.Read<reading, false>(codes, column); };
    for (int column = 0; column < 2 * pairs_; ++column, x += context_.shape.stride_width) {
      int64_t tap = x;
      for (int group = 0; group < quads_.groups; ++group, row += kQuadBytes, tap += kQuad * step) {
        StoreQuads(Pairs(read(tap), read(tap + step)), Pairs(read(tap + 2 * step), read(tap + 3 * step)), row);
      }
    }
  }

  template <bool shared>
  void ComputePairs(int pairs, const char* const* rows, int first, int8_t* output) const {
    const bool contiguous = quads_.contiguous && pairs > 2;
    if (contiguous && context_.shape.filter_height == 3 && quads_.groups == 1) {
      return pairs == 3 ? Tile<3, shared, 3>(rows, first, output) : Tile<4, shared, 3>(rows, first, output);
    }
    if (contiguous && context_.shape.filter_height == 5 && quads_.groups == 2) {
      return pairs == 3 ? Tile<3, shared, 5>(rows, first, output) : Tile<4, shared, 5>(rows, first, output);
    }
    if (pairs == 4) return Tile<4, shared, 0>(rows, first, output);
    if (pairs >= 2) Tile<2, shared, 0>(rows, first, output);
    if (pairs % 2 != 0) Tile<1, shared, 0>(rows, first + pairs - 1, output);
  }

  // `size` is 3 for three filter rows of one quad each, 5 for five rows of two, both contiguous; 0 otherwise.
  template <int pairs, bool shared, int size>
  __attribute__((noinline)) void Tile(const char* const* rows, int first, int8_t* output) const {
    const ptrdiff_t offset = first * quads_.pair_step * kQuadBytes;
    __m512i words[kVectors][pairs];
    // One body for all vectors of a line: with more, tiles would be larger and no faster.
#pragma clang loop unroll(disable)
    for (int v = 0; v < kVectors; ++v) {
      __m512i codes[2 * pairs];
      Compute<pairs, shared, size>(rows, offset, v, codes);
      for (int i = 0; i < pairs; ++i) words[v][i] = _mm512_packs_epi32(codes[2 * i], codes[2 * i + 1]);
    }
    Store(&words[0][0], pairs, 2 * first, output);
  }

  template <int pairs, bool shared>
  static __attribute__((always_inline)) void Multiply(const char* quad, ptrdiff_t pair_step, ptrdiff_t second, const int8_t* weights,
                                                      __m512i (&acc)[2 * pairs]) {
    const __m512i weights0 = _mm512_load_si512(weights);
    const __m512i weights1 = shared ? _mm512_load_si512(weights + kLine) : weights0;
#pragma GCC unroll 4
    for (int i = 0; i < pairs; ++i) {
      const __m512i quad0 = _mm512_load_si512(quad + i * pair_step);
      const __m512i quad1 = shared ? quad0 : _mm512_load_si512(quad + i * pair_step + second);
      acc[2 * i] = _mm512_dpbusd_epi32(acc[2 * i], quad0, weights0);
      acc[2 * i + 1] = _mm512_dpbusd_epi32(acc[2 * i + 1], quad1, weights1);
    }
  }

  // Codes-to-be of one vector.
  template <int pairs, bool shared, int size>
  __attribute__((always_inline)) void Compute(const char* const* rows, ptrdiff_t offset, int vector, __m512i (&codes)[2 * pairs]) const {
    const Vector& v = vectors_[vector];
    offset += vector * kLine;
    __m512i acc[2 * pairs];
    const __m512i start = _mm512_loadu_si512(v.bias);
    for (int i = 0; i < 2 * pairs; ++i) acc[i] = start;
    constexpr int kWeightStep = shared ? 2 * kLine : kLine;
    if (size > 0) {
      constexpr ptrdiff_t kPairStep = (shared ? 1 : 2) * kQuadBytes;
      constexpr ptrdiff_t kSecond = shared ? 0 : kQuadBytes;
      constexpr int kGroups = size == 3 ? 1 : 2;
#pragma GCC unroll 5
      for (int ky = 0; ky < size; ++ky) {
#pragma GCC unroll 2
        for (int group = 0; group < kGroups; ++group) {
          Multiply<pairs, shared>(rows[ky] + offset + 2 * group * kQuadBytes, kPairStep, kSecond,
                                  v.weights + (ky * kGroups + group) * kWeightStep, acc);
        }
      }
    } else {
      const ptrdiff_t pair_step = quads_.pair_step * kQuadBytes;
      const ptrdiff_t second = static_cast<ptrdiff_t>(quads_.second) * kQuadBytes;
      const int8_t* weights = v.weights;
      for (int ky = 0; ky < context_.shape.filter_height; ++ky) {
        const char* quad = rows[ky] + offset;
        for (int group = 0; group < quads_.groups; ++group, quad += quads_.group_step * kQuadBytes, weights += kWeightStep) {
          Multiply<pairs, shared>(quad, pair_step, second, weights, acc);
        }
      }
    }
    if (!v.by_lines) {
      __m512i copy[2 * pairs];  // acc itself stays in registers
      for (int i = 0; i < 2 * pairs; ++i) copy[i] = acc[i];
      ByIntegers(*context_.requantization, v.channel, 2 * pairs, copy);
      for (int i = 0; i < 2 * pairs; ++i) codes[i] = copy[i];
      return;
    }
    for (int e = 0; e < context_.lines->exceptions(v.channel); ++e) {
      for (int i = 0; i < 2 * pairs; ++i) acc[i] = LinesAvx512::Substituted(*context_.lines, e, v.channel, acc[i]);
    }
    const LinesAvx512 lines(*context_.lines, v.channel);
    if (non_negative_) {
      for (int i = 0; i < 2 * pairs; ++i) codes[i] = lines.NonNegative(acc[i]);
    } else {
      for (int i = 0; i < 2 * pairs; ++i) codes[i] = lines.Signed(acc[i]);
    }
  }

  __attribute__((noinline)) static void ByIntegers(const Requantization& r, int channel, int count, __m512i* values) {
    const int pre_shift = r.pre_shift(channel);
    if (pre_shift == 0) {
      for (int i = 0; i < count; ++i) values[i] = RequantizeAvx512::General(r, channel, values[i]);
      return;
    }
    const RequantizeAvx512 constants(r, channel);
    for (int i = 0; i < count; ++i) values[i] = constants.FromShifted(_mm512_sll_epi32(values[i], _mm_cvtsi32_si128(pre_shift)));
  }

  // So many pairs of columns from `first` on: of each vector, one after the other, what packing the codes-to-be of a pair gave. By memory,
  // so that it is in the library once.
  __attribute__((noinline)) void Store(const __m512i* words, int pairs, int first, int8_t* output) const {
    const ptrdiff_t channels = context_.shape.output_channels;
    const __m512i low = low_;
    const __m512i high = high_;
    const auto pack = [&](int vector, int pair) __attribute__((always_inline)) {
      const __m512i bytes = _mm512_packs_epi16(words[vector * pairs + pair], words[(vector + 1) * pairs + pair]);
      return _mm512_min_epi8(_mm512_max_epi8(bytes, low), high);
    };
    // Packed in order within 128 bits: double words 4 l, 4 l + 1 are of channels 4 l ... 4 l + 3 of one vector, in either column, then
    // come those of the other.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 16, 20, 24, 28, 18, 22, 26, 30);
    const __m512i second = _mm512_add_epi32(order, _mm512_set1_epi32(1));
    const int part_columns = 2 * pairs_;
    const bool inside = first + 2 * pairs + (parts_ - 1) * part_columns <= columns_;
    const bool whole = inside && parts_ == 1;
    const bool halves = inside && parts_ == 2;
    const bool dense = inside && parts_ == kVectors && channels == kLanes;
    const __mmask64 mask = mask_;
    output += first * channels;
    __m512i before[2];  // the lines of the pair before, where two are stored together
    for (int pair = 0; pair < pairs; ++pair, first += 2, output += 2 * channels) {
      const __m512i bytes01 = pack(0, pair), bytes23 = pack(2, pair);
      const __m512i line0 = _mm512_permutex2var_epi32(bytes01, order, bytes23);
      const __m512i line1 = _mm512_permutex2var_epi32(bytes01, second, bytes23);
      if (whole) {
        _mm512_mask_storeu_epi8(output, mask, line0);
        _mm512_mask_storeu_epi8(output + channels, mask, line1);
      } else if (halves) {
        StoreHalves(line0, part_columns * channels, output);
        StoreHalves(line1, part_columns * channels, output + channels);
      } else if (dense && pair % 2 != 0) {
        StoreDense(before[0], before[1], line0, line1, output - 2 * kLanes);
      } else if (dense && pair + 1 < pairs) {
        before[0] = line0;
        before[1] = line1;
      } else {
        StoreParts(line0, first, output);
        StoreParts(line1, first + 1, output + channels);
      }
    }
  }

  void StoreHalves(__m512i line, ptrdiff_t step, int8_t* output) const {
    const __mmask32 mask = static_cast<__mmask32>(mask_);
    _mm256_mask_storeu_epi8(output, mask, _mm512_castsi512_si256(line));
    _mm256_mask_storeu_epi8(output + step, mask, _mm512_extracti64x4_epi64(line, 1));
  }

  // The lines of four columns, where these follow each other in memory in each of four parts.
  void StoreDense(__m512i line0, __m512i line1, __m512i line2, __m512i line3, int8_t* output) const {
    const ptrdiff_t step = 2 * ptrdiff_t{pairs_} * kLanes;
    const __m512i low01 = _mm512_shuffle_i32x4(line0, line1, 0x44), high01 = _mm512_shuffle_i32x4(line0, line1, 0xee);
    const __m512i low23 = _mm512_shuffle_i32x4(line2, line3, 0x44), high23 = _mm512_shuffle_i32x4(line2, line3, 0xee);
    _mm512_storeu_si512(output, _mm512_shuffle_i32x4(low01, low23, 0x88));
    _mm512_storeu_si512(output + step, _mm512_shuffle_i32x4(low01, low23, 0xdd));
    _mm512_storeu_si512(output + 2 * step, _mm512_shuffle_i32x4(high01, high23, 0x88));
    _mm512_storeu_si512(output + 3 * step, _mm512_shuffle_i32x4(high01, high23, 0xdd));
  }

  // The line of column `column` of every part.
  void StoreParts(__m512i line, int column, int8_t* output) const {
    const ptrdiff_t step = 2 * pairs_ * ptrdiff_t{context_.shape.output_channels};
    if (parts_ == 1) {
      if (column < columns_) _mm512_mask_storeu_epi8(output, mask_, line);
    } else if (parts_ == 2) {
      const __mmask32 mask = static_cast<__mmask32>(mask_);
      if (column < columns_) _mm256_mask_storeu_epi8(output, mask, _mm512_castsi512_si256(line));
      if (column + 2 * pairs_ < columns_) _mm256_mask_storeu_epi8(output + step, mask, _mm512_extracti64x4_epi64(line, 1));
    } else {
      const __mmask16 mask = static_cast<__mmask16>(mask_);
      const __m128i quarters[4] = {_mm512_castsi512_si128(line), _mm512_extracti32x4_epi32(line, 1), _mm512_extracti32x4_epi32(line, 2),
                                   _mm512_extracti32x4_epi32(line, 3)};
      for (int part = 0; part < 4; ++part, column += 2 * pairs_, output += step) {
        if (column < columns_) _mm_mask_storeu_epi8(output, mask, quarters[part]);
      }
    }
  }

  struct Vector {
    int channel;
    bool by_lines;
    const int8_t* weights;
    const int32_t* bias;
  };

  const KernelContext& context_;
  Quads quads_;
  int columns_;
  int channels_;
  int channel_vectors_;
  int parts_;
  int pairs_;  // of columns in each part
  LineReader reader_;
  __m512i low_;
  __m512i high_;
  bool non_negative_;  // no code below the zero point is wanted
  __mmask64 mask_;     // channels of a part
  Vector vectors_[kVectors];
};

}  // namespace

const ConvKernel kDepthwiseAvx512 = DepthwiseRows<Avx512Ops>::Kernel();

}  // namespace tflite_eq
