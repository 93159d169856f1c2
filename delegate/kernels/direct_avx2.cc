// Direct convolution for AVX2, for any filter size, stride and dilation, for any codes and for 7-bit ones.
//
// What some outputs that follow each other see is first gathered, output by output: the codes under the filter, in the filter's order,
// as one patch. The convolution is then a product of patches and filters. Gathering takes one instruction or two for 16 or 32 codes,
// each of which serves every output channel.
//
// Four bytes of a patch are a group; a lane of a sum belongs to an output channel:
//
//   any codes   a group is two codes, widened to 16 bits. vpmaddwd multiplies them by two weights of each of 8 output channels and adds
//               the products up in 32 bits: two instructions for 16 multiplications.
//   7 bits      a group is four codes in [0, 127]. vpmaddubsw multiplies them by four weights of each of 8 output channels and adds up
//               pairs in 16 bits, which it saturates: never here, 2 * 127 * 128 = 32512. Such sums are added up over a burst of groups
//               before they are widened: ten instructions for 128 multiplications.
//
// A burst is four groups where the weights allow it, else two. A lane of 16 bits then holds sum(c w) over 8 or 4 weights, between
// -127 N and 127 P where N and P are what negative and positive weights add up to: a range that 16 bits hold where N + P <= 516, once it
// is moved. A constant for each lane moves it, and is taken off the bias again. Four weights add up to no more than 512.
//
// Codes of [-64, 63] are moved by 64; which of the two windows a chunk of patches is in, if either, is seen while it is gathered.
//
// Register tile, outputs x 16 output channels: 6 for any codes; 3 for 7 bits, with as many sums of 16 bits.
#include <immintrin.h>
#include <string.h>

#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/requantize_avx2.h"
#include "delegate/kernels/row_units.h"

namespace tflite_eq {
namespace {

constexpr int kLanes = 8;  // output channels in a vector of sums
constexpr int kVectors = 2;
constexpr int kCout = kLanes * kVectors;
constexpr int kGroupBytes = 4;
constexpr int kVectorBytes = 32;
constexpr size_t kCacheLine = 64;
constexpr size_t kChunkTarget = 24 << 10;  // of the first-level cache

__m256i Load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
__m256i BroadcastGroup(const char* codes) {
  int32_t group;
  memcpy(&group, codes, sizeof(group));
  return _mm256_set1_epi32(group);
}

// Where the weights of a block of output channels are, and how they are packed.
struct Block {
  size_t offset;
  int burst;
};

struct Int8Ops {
  static constexpr Algorithm kAlgorithm = Algorithm::kDirect;
  static constexpr bool kSevenBits = false;
  static constexpr int kCodeBytes = 2;
  static constexpr int kRead = 16;    // codes that are gathered at a time
  static constexpr int kDepth = 2;    // a patch is padded to a multiple of so many codes
  static constexpr int kOutputs = 6;  // of a tile

  static bool Certify(const ConvProblem& problem, Reason* reason) { return CertifyDirect(problem, reason); }

  static int Burst(const ConvProblem&, int) { return 1; }
  static size_t BlockBytes(int depth, int) { return static_cast<size_t>(depth) * kCout; }
  static void Pack(const int8_t* filter, int size, int cout, int, int8_t* to, uint32_t*) {
    for (int i = 0; i < size; ++i) to[(i / 2 * kCout + cout) * 2 + i % 2] = filter[i];
  }

  static void Gather(const int8_t* from, char* to, __m256i (&)[2]) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_cvtepi8_epi16(codes));
  }

  template <int outputs>
  static __attribute__((always_inline)) void Accumulate(const char* patches, size_t pitch, int depth, int, const int8_t* weights,
                                                        __m256i (&acc)[outputs][kVectors]) {
    for (const char* end = patches + static_cast<size_t>(depth) * kCodeBytes; patches != end; patches += kGroupBytes) {
      __m256i w[kVectors];
      for (__m256i& v : w) {
        v = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weights)));
        weights += kVectorBytes / 2;
      }
#pragma GCC unroll 8
      for (int i = 0; i < outputs; ++i) {
        const __m256i group = BroadcastGroup(patches + i * pitch);
        for (int v = 0; v < kVectors; ++v) acc[i][v] = _mm256_add_epi32(acc[i][v], _mm256_madd_epi16(group, w[v]));
      }
    }
  }
};

struct Int7Ops {
  static constexpr Algorithm kAlgorithm = Algorithm::kDirectInt7;
  static constexpr bool kSevenBits = true;
  static constexpr int kCodeBytes = 1;
  static constexpr int kRead = 32;
  static constexpr int kDepth = 16;
  static constexpr int kOutputs = 3;
  static constexpr int kLargest = 127;
  static constexpr int kLaneWeights = 516;  // as above
  static constexpr int kLongBurst = 4;
  static constexpr int kShortBurst = 2;

  static bool Certify(const ConvProblem& problem, Reason* reason) { return CertifyDirectInt7(problem, reason); }

  // Weight i of an output channel: which burst it is in, and the lane, 0 or 1, of that channel.
  static int BurstOf(int i, int burst) { return i / (kGroupBytes * burst); }

  // What a lane's weights of one sign add up to.
  struct Lane {
    int positive = 0;
    int negative = 0;
    // What moves its range to where 16 bits hold it.
    int16_t constant() const { return static_cast<int16_t>(kLargest * (negative - positive) / 2); }
  };
  static Lane LaneOf(const int8_t* filter, int size, int burst, int index, int half) {
    Lane lane;
    const int begin = index * burst * kGroupBytes;
    for (int i = begin; i < begin + burst * kGroupBytes && i < size; ++i) {
      if (i / 2 % 2 != half) continue;
      (filter[i] > 0 ? lane.positive : lane.negative) += filter[i] > 0 ? filter[i] : -filter[i];
    }
    return lane;
  }

  static int Burst(const ConvProblem& problem, int block) {
    const int size = problem.shape.filter_size();
    const int end = problem.shape.output_channels < (block + 1) * kCout ? problem.shape.output_channels : (block + 1) * kCout;
    for (int k = block * kCout; k < end; ++k) {
      const int8_t* filter = problem.weights.filter + static_cast<size_t>(k) * size;
      for (int index = 0; index * kLongBurst * kGroupBytes < size; ++index) {
        for (int half = 0; half < 2; ++half) {
          const Lane lane = LaneOf(filter, size, kLongBurst, index, half);
          if (lane.positive + lane.negative > kLaneWeights) return kShortBurst;
        }
      }
    }
    return kLongBurst;
  }

  // A burst is packed as its constants, then group after group.
  static size_t BurstBytes(int burst) { return static_cast<size_t>(burst + 1) * kVectors * kVectorBytes; }
  static size_t BlockBytes(int depth, int burst) { return static_cast<size_t>(depth) / (kGroupBytes * burst) * BurstBytes(burst); }
  static void Pack(const int8_t* filter, int size, int cout, int burst, int8_t* to, uint32_t* constants) {
    for (int i = 0; i < size; ++i) {
      const int group = i / kGroupBytes;
      to[BurstOf(i, burst) * BurstBytes(burst) + ((group % burst + 1) * kCout + cout) * kGroupBytes + i % kGroupBytes] = filter[i];
    }
    for (int index = 0; index * burst * kGroupBytes < size; ++index) {
      int16_t* lanes = reinterpret_cast<int16_t*>(to + index * BurstBytes(burst)) + 2 * cout;
      for (int half = 0; half < 2; ++half) {
        lanes[half] = LaneOf(filter, size, burst, index, half).constant();
        *constants += static_cast<uint32_t>(int32_t{lanes[half]});
      }
    }
  }

  // Notes in seen[0] signs, in seen[1] those of codes moved by 64.
  static void Gather(const int8_t* from, char* to, __m256i (&seen)[2]) {
    const __m256i codes = Load(from);
    seen[0] = _mm256_or_si256(seen[0], codes);
    seen[1] = _mm256_or_si256(seen[1], _mm256_add_epi8(codes, _mm256_set1_epi8(64)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), codes);
  }

  template <int outputs>
  static __attribute__((always_inline)) void Accumulate(const char* patches, size_t pitch, int depth, int burst, const int8_t* weights,
                                                        __m256i (&acc)[outputs][kVectors]) {
    if (burst == kLongBurst) {
      AccumulateBursts<outputs, kLongBurst>(patches, pitch, depth, weights, acc);
    } else {
      AccumulateBursts<outputs, kShortBurst>(patches, pitch, depth, weights, acc);
    }
  }

  template <int outputs, int burst>
  static __attribute__((always_inline)) void AccumulateBursts(const char* patches, size_t pitch, int depth, const int8_t* weights,
                                                              __m256i (&acc)[outputs][kVectors]) {
    const __m256i ones = _mm256_set1_epi16(1);
    for (const char* end = patches + depth; patches != end;) {
      __m256i sums[outputs][kVectors];
      for (int i = 0; i < outputs; ++i) {
        for (int v = 0; v < kVectors; ++v) sums[i][v] = Load(weights + v * kVectorBytes);
      }
      weights += kVectors * kVectorBytes;
#pragma GCC unroll 4
      for (int group = 0; group < burst; ++group, patches += kGroupBytes, weights += kVectors * kVectorBytes) {
#pragma GCC unroll 3
        for (int i = 0; i < outputs; ++i) {
          const __m256i codes = BroadcastGroup(patches + i * pitch);
          for (int v = 0; v < kVectors; ++v) {
            sums[i][v] = _mm256_add_epi16(sums[i][v], _mm256_maddubs_epi16(codes, Load(weights + v * kVectorBytes)));
          }
        }
      }
      for (int i = 0; i < outputs; ++i) {
        for (int v = 0; v < kVectors; ++v) acc[i][v] = _mm256_add_epi32(acc[i][v], _mm256_madd_epi16(sums[i][v], ones));
      }
    }
  }
};

// Turns the sums of a tile into codes in whichever way is exact for them and takes least, and stores them.
class StoreTile {
 public:
  StoreTile(const KernelContext& context, int channel)
      : context_(context),
        channel_(channel),
        channels_(context.shape.output_channels - channel < kCout ? context.shape.output_channels - channel : kCout) {}

  // Sums come by memory: the loops that make them keep all of them in registers.
  __attribute__((noinline)) void operator()(__m256i (*sums)[kVectors], int outputs, int8_t* to) const {
    const Requantization& r = *context_.requantization;
    if (context_.lines != nullptr && context_.lines->exact(channel_)) {
      const bool non_negative = r.activation_min() >= r.zero_point();
      for (int v = 0; v < kVectors; ++v) {
        for (int e = 0; e < context_.lines->exceptions(channel_); ++e) {
          for (int i = 0; i < outputs; ++i) sums[i][v] = LinesAvx2::Substituted(*context_.lines, e, channel_ + v * kLanes, sums[i][v]);
        }
        const LinesAvx2 lines(*context_.lines, channel_ + v * kLanes);
        for (int i = 0; i < outputs; ++i) sums[i][v] = non_negative ? lines.NonNegative(sums[i][v]) : lines.Signed(sums[i][v]);
      }
    } else {
      const int pre_shift = r.pre_shift(channel_);
      for (int v = 0; v < kVectors; ++v) {
        const int channel = channel_ + v * kLanes;
        const RequantizeAvx2 constants(r, channel);
        for (int i = 0; i < outputs; ++i) {
          __m256i& sum = sums[i][v];
          sum = pre_shift == 0 ? RequantizeAvx2::General(r, channel, sum) : constants.FromShifted(_mm256_slli_epi32(sum, pre_shift));
        }
      }
    }
    for (int i = 0; i < outputs; i += 2, to += 2 * static_cast<ptrdiff_t>(context_.shape.output_channels)) {
      // An output without a neighbour counts twice.
      const int second = i + 1 < outputs ? i + 1 : i;
      const __m256i codes = PackCodes(sums[i][0], sums[i][1], sums[second][0], sums[second][1], r.activation_min(), r.activation_max());
      Store(_mm256_castsi256_si128(codes), to);
      if (second != i) Store(_mm256_extracti128_si256(codes, 1), to + context_.shape.output_channels);
    }
  }

 private:
  void Store(__m128i codes, int8_t* to) const {
    if (channels_ == kCout) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), codes);
      return;
    }
    int8_t copy[kCout];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(copy), codes);
    memcpy(to, copy, channels_);
  }

  const KernelContext& context_;
  int channel_;
  int channels_;
};

template <typename Ops>
class DirectAvx2 {
 public:
  static constexpr ConvKernel Kernel() {
    return {Ops::kAlgorithm, Isa::kAvx2, /*needs_fallback=*/Ops::kSevenBits, /*uses_lines=*/true, Ops::Certify, PackedBytes, Pack, Plan,
            Run, Ops::kSevenBits ? nullptr : RunRows};
  }

 private:
  static int Blocks(const ConvShape& s) { return (s.output_channels + kCout - 1) / kCout; }
  static int Depth(const ConvShape& s) { return (s.filter_size() + Ops::kDepth - 1) / Ops::kDepth * Ops::kDepth; }
  // An odd number of lines: patches do not fall into the same cache sets.
  static size_t Pitch(const ConvShape& s) {
    return ((static_cast<size_t>(Depth(s)) * Ops::kCodeBytes + kCacheLine - 1) / kCacheLine | 1) * kCacheLine;
  }

  // Packed: a Block for each block of output channels, both biases of every channel, the blocks' weights.
  static size_t BiasOffset(const ConvShape& s) { return Blocks(s) * sizeof(Block); }
  static size_t WeightOffset(const ConvShape& s) {
    const size_t end = BiasOffset(s) + 2 * static_cast<size_t>(Blocks(s)) * kCout * sizeof(int32_t);
    return (end + kCacheLine - 1) / kCacheLine * kCacheLine;
  }

  static size_t PackedBytes(const ConvProblem& problem) {
    const ConvShape& s = problem.shape;
    size_t bytes = WeightOffset(s);
    for (int block = 0; block < Blocks(s); ++block) bytes += Ops::BlockBytes(Depth(s), Ops::Burst(problem, block));
    return bytes;
  }

  static void Pack(const ConvProblem& problem, void* packed) {
    const ConvShape& s = problem.shape;
    Block* blocks = static_cast<Block*>(packed);
    int32_t* bias = reinterpret_cast<int32_t*>(static_cast<char*>(packed) + BiasOffset(s));
    int32_t* moved_bias = bias + Blocks(s) * kCout;
    size_t offset = WeightOffset(s);
    for (int block = 0; block < Blocks(s); ++block) {
      blocks[block] = {offset, Ops::Burst(problem, block)};
      offset += Ops::BlockBytes(Depth(s), blocks[block].burst);
    }
    for (int k = 0; k < s.output_channels; ++k) {
      const int8_t* filter = problem.weights.filter + static_cast<size_t>(k) * s.filter_size();
      const Block& block = blocks[k / kCout];
      uint32_t constants = 0;
      Ops::Pack(filter, s.filter_size(), k % kCout, block.burst, static_cast<int8_t*>(packed) + block.offset, &constants);
      uint32_t sum = 0;
      for (int i = 0; i < s.filter_size(); ++i) sum += static_cast<uint32_t>(int32_t{filter[i]});
      const uint32_t folded = static_cast<uint32_t>(FoldedBias(problem, k)) - constants;
      bias[k] = static_cast<int32_t>(folded);
      moved_bias[k] = static_cast<int32_t>(folded - 64u * sum);
    }
  }

  // Outputs whose patches are gathered at a time: whole tiles.
  static int Chunk(const ConvShape& s) {
    const size_t tiles = kChunkTarget / Pitch(s) / Ops::kOutputs;
    return static_cast<int>(tiles > 4 ? tiles : 4) * Ops::kOutputs;
  }

  static WorkPlan Plan(const ConvShape& shape, int workers) {
    constexpr int kChunks = 8;
    const int chunk = Chunk(shape);
    WorkPlan plan = PlanRows(shape, workers, shape.output_width > 0 ? kChunks * chunk / shape.output_width : 1);
    if (plan.units > 0) plan.scratch_bytes = SaturatingProduct(Pitch(shape), chunk) + kCacheLine;
    return plan;
  }

  static void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output, void* scratch) {
    const RowRange rows = UnitRows(context.shape, plan, unit);
    RunRows(context, rows.image, rows.begin, rows.end, input, output, scratch);
  }

  static void RunRows(const KernelContext& context, int image, int row_begin, int row_end, const int8_t* input, int8_t* output,
                      void* scratch) {
    const ConvShape& s = context.shape;
    const size_t input_bytes = static_cast<size_t>(s.input_height) * s.input_width * s.input_channels;
    const int8_t* from = input + image * input_bytes;
    const int8_t* end = input + s.batch * input_bytes;
    int8_t* to = output + (static_cast<size_t>(image) * s.output_height + row_begin) * s.output_width * s.output_channels;
    const int64_t outputs = static_cast<int64_t>(row_end - row_begin) * s.output_width;
    const int chunk = Chunk(s);
    Position position = {row_begin, 0};
    for (int64_t first = 0; first < outputs; first += chunk) {
      const int count = outputs - first < chunk ? static_cast<int>(outputs - first) : chunk;
      bool moved;
      if (!GatherChunk(context, from, end, &position, count, static_cast<char*>(scratch), &moved)) {
        RunFallback(context, image, row_begin, row_end, input, output, scratch);
        return;
      }
      Multiply(context, static_cast<const char*>(scratch), moved, count, to);
      to += static_cast<size_t>(count) * s.output_channels;
    }
  }

  struct Position {
    int row;
    int column;
  };

  // Codes of a span of input that is whole or cut off by the edges: `bytes` of them from `from` on, [begin, end) of which exist. Writes,
  // and reads, whole vectors, as far as the input goes: what is written too much, the next span or patch overwrites.
  static char* GatherSpan(const int8_t* from, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t bytes, const int8_t* input_end,
                          const int8_t (&padding)[kVectorBytes], char* to, __m256i (&seen)[2]) {
    char* const next = to + bytes * Ops::kCodeBytes;
    for (ptrdiff_t i = 0; i < begin; i += Ops::kRead) Ops::Gather(padding, to + i * Ops::kCodeBytes, seen);
    for (ptrdiff_t i = begin; i < end; i += Ops::kRead) {
      if (input_end - (from + i) >= Ops::kRead) {
        Ops::Gather(from + i, to + i * Ops::kCodeBytes, seen);
        continue;
      }
      int8_t copy[kVectorBytes];
      memcpy(copy, padding, kVectorBytes);
      memcpy(copy, from + i, end - i < Ops::kRead ? end - i : Ops::kRead);
      Ops::Gather(copy, to + i * Ops::kCodeBytes, seen);
    }
    for (ptrdiff_t i = end; i < bytes; i += Ops::kRead) Ops::Gather(padding, to + i * Ops::kCodeBytes, seen);
    return next;
  }

  // Gathers the patches of `count` outputs, from `position` on, which moves on. False when the kernel is for 7-bit codes and met others.
  static bool GatherChunk(const KernelContext& context, const int8_t* image, const int8_t* input_end, Position* position, int count,
                          char* patches, bool* moved) {
    const ConvShape& s = context.shape;
    const size_t pitch = Pitch(s);
    int8_t padding[kVectorBytes];
    memset(padding, context.input_zero_point, sizeof(padding));
    __m256i seen[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    // A row of taps without dilation is one span.
    const int spans = s.dilation_width == 1 ? 1 : s.filter_width;
    const int columns = s.dilation_width == 1 ? s.filter_width : 1;
    const auto channels = static_cast<ptrdiff_t>(s.input_channels);
    if (IsPointwise(s)) {
      // Pixels as they follow each other, across rows.
      const int64_t first = int64_t{position->row} * s.output_width + position->column;
      const int8_t* from = image + first * channels;
      for (int i = 0; i < count; ++i, from += channels) {
        GatherSpan(from, 0, channels, channels, input_end, padding, patches + i * pitch, seen);
      }
      *position = {static_cast<int>((first + count) / s.output_width), static_cast<int>((first + count) % s.output_width)};
      return FindWindow(seen, count * pitch, patches, moved);
    }
    for (int i = 0; i < count; ++i) {
      char* to = patches + i * pitch;
      const int y0 = position->row * s.stride_height - s.pad_top;
      const int x0 = position->column * s.stride_width - s.pad_left;
      for (int ky = 0; ky < s.filter_height; ++ky) {
        const int64_t y = y0 + int64_t{ky} * s.dilation_height;
        for (int span = 0; span < spans; ++span) {
          const int64_t x = x0 + int64_t{span} * s.dilation_width;
          int64_t begin = x < 0 ? -x : 0;
          int64_t end = s.input_width - x < columns ? s.input_width - x : columns;
          if (y < 0 || y >= s.input_height || begin >= end) begin = end = 0;
          to = GatherSpan(image + (y * s.input_width + x) * channels, begin * channels, end * channels, columns * channels, input_end,
                          padding, to, seen);
        }
      }
      if (++position->column == s.output_width) *position = {position->row + 1, 0};
    }
    return FindWindow(seen, count * pitch, patches, moved);
  }

  // A 1x1 filter with stride 1.
  static bool IsPointwise(const ConvShape& s) {
    return s.filter_height == 1 && s.filter_width == 1 && s.stride_height == 1 && s.stride_width == 1 && s.pad_top == 0 &&
           s.pad_left == 0 && s.output_height == s.input_height && s.output_width == s.input_width;
  }

  // Which window the patches are in, of which `seen` is known, and moves them if it is the signed one. False if neither.
  static bool FindWindow(const __m256i (&seen)[2], size_t bytes, char* patches, bool* moved) {
    *moved = false;
    if (!Ops::kSevenBits || _mm256_movemask_epi8(seen[0]) == 0) return true;
    if (_mm256_movemask_epi8(seen[1]) != 0) return false;
    *moved = true;
    const __m256i offset = _mm256_set1_epi8(64);
    for (size_t i = 0; i < bytes; i += kVectorBytes) {
      __m256i* codes = reinterpret_cast<__m256i*>(patches + i);
      _mm256_storeu_si256(codes, _mm256_add_epi8(_mm256_loadu_si256(codes), offset));
    }
    return true;
  }

  // Every output channel of `count` outputs.
  static void Multiply(const KernelContext& context, const char* patches, bool moved, int count, int8_t* output) {
    const ConvShape& s = context.shape;
    const size_t pitch = Pitch(s);
    const int depth = Depth(s);
    const char* packed = static_cast<const char*>(context.packed);
    const int32_t* bias = reinterpret_cast<const int32_t*>(packed + BiasOffset(s)) + (moved ? Blocks(s) * kCout : 0);
    for (int k = 0; k < s.output_channels; k += kCout) {
      const Block& block = reinterpret_cast<const Block*>(packed)[k / kCout];
      const int8_t* weights = reinterpret_cast<const int8_t*>(packed + block.offset);
      const StoreTile store(context, k);
      for (int first = 0; first < count; first += Ops::kOutputs) {
        const int outputs = count - first < Ops::kOutputs ? count - first : Ops::kOutputs;
        const TileArguments tile = {patches + first * pitch, pitch, depth, block.burst, weights, bias + k};
        __m256i sums[Ops::kOutputs][kVectors];
        if (outputs <= kFewOutputs) {
          Tile<kFewOutputs>(tile, sums);
        } else {
          Tile<Ops::kOutputs>(tile, sums);
        }
        store(sums, outputs, output + static_cast<size_t>(first) * s.output_channels + k);
      }
    }
  }

  static constexpr int kFewOutputs = Ops::kOutputs / 2;

  struct TileArguments {
    const char* patches;
    size_t pitch;
    int depth;
    int burst;
    const int8_t* weights;
    const int32_t* bias;
  };

  // As many outputs as there are patches, and what was there before in the place of others.
  template <int outputs>
  static __attribute__((noinline)) void Tile(const TileArguments& tile, __m256i (*sums)[kVectors]) {
    __m256i acc[outputs][kVectors];
    for (int v = 0; v < kVectors; ++v) {
      acc[0][v] = Load(tile.bias + v * kLanes);
      for (int i = 1; i < outputs; ++i) acc[i][v] = acc[0][v];
    }
    Ops::Accumulate(tile.patches, tile.pitch, tile.depth, tile.burst, tile.weights, acc);
    for (int i = 0; i < outputs; ++i) {
      for (int v = 0; v < kVectors; ++v) sums[i][v] = acc[i][v];
    }
  }
};

}  // namespace

const ConvKernel kDirectAvx2 = DirectAvx2<Int8Ops>::Kernel();
const ConvKernel kDirectInt7Avx2 = DirectAvx2<Int7Ops>::Kernel();

}  // namespace tflite_eq
