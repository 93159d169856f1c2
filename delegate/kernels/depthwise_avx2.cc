// Depthwise convolution for AVX2, for any filter size, stride, dilation and depth multiplier.
//
// vpmaddwd adds up two products of 16 bits in each lane of 32: here two taps of a filter row, of one channel. A prepared row
// (depthwise_rows.h) consists of pairs, what two neighbouring columns hold, widened: 32 bytes, lane c with the two codes of channel c.
// A pair that begins at an even column x serves two outputs if the stride is 1, with other weights:
//
//   codes       x   x+1 | x+2  x+3
//   output x    w0  w1  | w2   0        3 taps; longer rows go on with the pairs at x + 4 ...
//   output x+1  0   w0  | w1   w2
//
// With stride 2 every output has the pair at its first column. Otherwise, dilation included, pairs are gathered for each output.
//
// Register tile: up to four outputs of eight channels, then the same of the next eight, up to 32 channels of a block.
#include <immintrin.h>
#include <string.h>

#include "delegate/kernels/depthwise_rows.h"
#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/requantize_avx2.h"

namespace tflite_eq {
namespace {

constexpr int kLanes = 8;                          // channels in a vector of sums
constexpr int kVectors = 4;                        // in a block
constexpr int kLine = kLanes * kVectors;           // channels of a block
constexpr int kPairBytes = kLine * 2 * sizeof(int16_t);
constexpr int kVectorBytes = kLanes * 2 * sizeof(int16_t);
constexpr int kOutputs = 4;

// Where the pairs of an output are, counted in pairs. Outputs are taken in twos.
struct PairSteps {
  explicit PairSteps(const ConvShape& s)
      : contiguous(s.dilation_width == 1 && s.stride_width <= 2),
        shared(contiguous && s.stride_width == 1),
        groups((s.filter_width + (shared ? 1 : 0) + 1) / 2),
        second(shared       ? 0
               : contiguous ? 1
                            : groups),
        two_step(shared ? 1 : 2 * second) {}

  // For so many twos of outputs.
  size_t count(int twos) const {
    if (groups == 0) return 0;
    return static_cast<size_t>(twos) * two_step + (contiguous ? groups - 1 : 0);
  }
  int weight_sets() const { return shared ? 2 : 1; }

  bool contiguous;  // pair i begins at column 2 i
  bool shared;      // by both outputs of a two
  int groups;       // pairs of a filter row
  int second;       // from the first output of a two to the second
  ptrdiff_t two_step;
};

int VectorCount(int channels) { return (channels + kLanes - 1) / kLanes; }
int TwosOf(int columns) { return (columns + 1) / 2; }

// Packed: for each vector of channels and each pair of the filter one vector of weights, or two where pairs are shared; then biases.
size_t VectorWeightBytes(const ConvShape& s) {
  const PairSteps steps(s);
  return static_cast<size_t>(s.filter_height) * steps.groups * steps.weight_sets() * kVectorBytes;
}
size_t WeightBytes(const ConvShape& s) { return VectorCount(s.output_channels) * VectorWeightBytes(s); }

struct Avx2Ops {
  static constexpr Isa kIsa = Isa::kAvx2;
  static constexpr bool kUsesLines = true;

  static size_t PackedBytes(const ConvProblem& problem) {
    const ConvShape& s = problem.shape;
    return WeightBytes(s) + static_cast<size_t>(VectorCount(s.output_channels)) * kLanes * sizeof(int32_t);
  }

  static void Pack(const ConvProblem& problem, void* packed) {
    const ConvShape& s = problem.shape;
    const PairSteps steps(s);
    char* weights = static_cast<char*>(packed);
    int32_t* bias = reinterpret_cast<int32_t*>(weights + WeightBytes(s));
    for (int k = 0; k < s.output_channels; ++k) {
      const ChannelFilter filter = FilterOf(problem, k);
      int16_t* lane = reinterpret_cast<int16_t*>(weights + k / kLanes * VectorWeightBytes(s)) + k % kLanes * 2;
      for (int ky = 0; ky < s.filter_height; ++ky) {
        for (int kx = 0; kx < s.filter_width; ++kx) {
          for (int set = 0; set < steps.weight_sets(); ++set) {
            const int tap = kx + set;
            const size_t pair = static_cast<size_t>(ky) * steps.groups + tap / 2;
            lane[(pair * steps.weight_sets() + set) * kLanes * 2 + tap % 2] = filter[ky * s.filter_width + kx];
          }
        }
      }
      bias[k] = FoldedBias(problem, k);
    }
  }

  // An odd number of lines: rows do not fall into the same cache sets.
  static size_t RowBytes(const ConvShape& s, int columns) {
    constexpr size_t kCacheLine = 64;
    return PairSteps(s).count(TwosOf(columns)) * kPairBytes + kCacheLine;
  }

  // Any input is as good as another.
  struct Input {
    Input(const KernelContext&, const int8_t*, int, int) {}
  };
  class Block;
};

class Avx2Ops::Block {
 public:
  Block(const KernelContext& context, const Input&, int channel, int columns)
      : context_(context),
        steps_(context.shape),
        columns_(columns),
        channels_(context.shape.output_channels - channel < kLine ? context.shape.output_channels - channel : kLine),
        twos_(TwosOf(columns)),
        multiplier_(context.shape.depth_multiplier()),
        low_(context.requantization->activation_min()),
        high_(context.requantization->activation_max()),
        non_negative_(low_ >= context.requantization->zero_point()) {
    const ConvShape& s = context.shape;
    const char* packed = static_cast<const char*>(context.packed);
    for (int i = 0; i < kVectors; ++i) {
      const int lane = channel + i * kLanes;
      // Vectors without channels compute the first once more.
      Vector& v = vectors_[i];
      v.channel = lane < s.output_channels ? lane : channel;
      v.weights = packed + v.channel / kLanes * VectorWeightBytes(s);
      v.bias = reinterpret_cast<const int32_t*>(packed + WeightBytes(s)) + v.channel;
      v.by_lines = context.lines->exact(v.channel);
    }
    for (int half = 0; half < 2; ++half) {
      const int output = channel + half * 16;
      first_[half] = output / multiplier_;
      left_[half] = s.input_channels - first_[half];
      for (int i = 0; i < 16; ++i) source_[half * 16 + i] = static_cast<int8_t>((output + i) / multiplier_ - first_[half]);
    }
  }

  int channels() const { return channels_; }

  void Fill(const int8_t* codes, int64_t x, char* row) const {
    const size_t count = steps_.count(twos_);
    const ConvShape& s = context_.shape;
    if (steps_.contiguous) {
      for (size_t pair = 0; pair < count; ++pair, x += 2, row += kPairBytes) StorePair(Read(codes, x), Read(codes, x + 1), row);
      return;
    }
    for (int column = 0; column < 2 * twos_; ++column, x += s.stride_width) {
      int64_t tap = x;
      for (int group = 0; group < steps_.groups; ++group, row += kPairBytes, tap += 2 * int64_t{s.dilation_width}) {
        StorePair(Read(codes, tap), Read(codes, tap + s.dilation_width), row);
      }
    }
  }

  void Compute(const char* const* rows, int8_t* output) const {
    const bool fast = steps_.shared && context_.shape.filter_height == 3 && steps_.groups == 2;
    const bool strided = steps_.contiguous && !steps_.shared && context_.shape.filter_height == 3 && steps_.groups == 2;
    for (int two = 0; two < twos_; two += kOutputs / 2) {
      if (fast) {
        Tile<true, true>(rows, two, output);
      } else if (steps_.shared) {
        Tile<true, false>(rows, two, output);
      } else if (strided) {
        Tile<false, true>(rows, two, output);
      } else {
        Tile<false, false>(rows, two, output);
      }
    }
  }

 private:
  // Codes of the block's channels in one column of a row; those past the last are arbitrary.
  __attribute__((always_inline)) __m256i Read(const int8_t* codes, int64_t x) const {
    const ConvShape& s = context_.shape;
    if (codes == nullptr || x < 0 || x >= s.input_width) return _mm256_set1_epi8(static_cast<char>(context_.input_zero_point));
    codes += x * s.input_channels;
    if (multiplier_ == 1 && left_[0] >= kLine) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + first_[0]));
    const __m256i line = _mm256_inserti128_si256(_mm256_castsi128_si256(Sixteen(codes, 0)), Sixteen(codes, 1), 1);
    return _mm256_shuffle_epi8(line, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(source_)));
  }
  __m128i Sixteen(const int8_t* codes, int half) const {
    if (left_[half] >= 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + first_[half]));
    int8_t copy[16] = {};
    if (left_[half] > 0) memcpy(copy, codes + first_[half], left_[half]);
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(copy));
  }

  static __attribute__((always_inline)) void StorePair(__m256i first, __m256i second, char* to) {
    // Channels 0-7 and 16-23; 8-15 and 24-31.
    const __m256i low = _mm256_unpacklo_epi8(first, second);
    const __m256i high = _mm256_unpackhi_epi8(first, second);
    __m256i* line = reinterpret_cast<__m256i*>(to);
    _mm256_store_si256(line, _mm256_cvtepi8_epi16(_mm256_castsi256_si128(low)));
    _mm256_store_si256(line + 1, _mm256_cvtepi8_epi16(_mm256_castsi256_si128(high)));
    _mm256_store_si256(line + 2, _mm256_cvtepi8_epi16(_mm256_extracti128_si256(low, 1)));
    _mm256_store_si256(line + 3, _mm256_cvtepi8_epi16(_mm256_extracti128_si256(high, 1)));
  }

  // Four outputs from the given two on; as many of them as the row's pairs are there for are computed, and stored as far as they are
  // wanted. `small`: three filter rows of two pairs each, contiguous.
  template <bool shared, bool small>
  __attribute__((noinline)) void Tile(const char* const* rows, int first, int8_t* output) const {
    // The last two twice, where the number is odd.
    const ptrdiff_t one = static_cast<ptrdiff_t>(first) * steps_.two_step * kPairBytes;
    const ptrdiff_t other = first + 1 < twos_ ? one + steps_.two_step * kPairBytes : one;
    __m256i codes[kVectors][kOutputs];
    const int vectors = VectorCount(channels_);
#pragma clang loop unroll(disable)
    for (int vector = 0; vector < kVectors; ++vector) {
      if (vector < vectors) {
        ComputeVector<shared, small>(rows, one, other, vector, codes[vector]);
      } else {
        for (int i = 0; i < kOutputs; ++i) codes[vector][i] = codes[0][i];
      }
    }
    for (int i = 0; i < kOutputs; ++i) {
      const int column = 2 * first + i;
      if (column >= columns_) return;
      const __m256i bytes = PackCodes(codes[0][i], codes[1][i], codes[2][i], codes[3][i], low_, high_);
      int8_t* to = output + static_cast<ptrdiff_t>(column) * context_.shape.output_channels;
      if (channels_ == kLine) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes);
      } else {
        alignas(32) int8_t copy[kLine];
        _mm256_store_si256(reinterpret_cast<__m256i*>(copy), bytes);
        memcpy(to, copy, channels_);
      }
    }
  }

  template <bool shared>
  static __attribute__((always_inline)) void Multiply(const char* one, const char* other, ptrdiff_t second, const char* weights,
                                                      __m256i (&acc)[kOutputs]) {
    const auto load = [](const char* from) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(from)); };
    const auto loadu = [](const char* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); };
    const __m256i weights0 = loadu(weights);
    const __m256i weights1 = shared ? loadu(weights + kVectorBytes) : weights0;
    const __m256i pair0 = load(one);
    const __m256i pair1 = shared ? pair0 : load(one + second);
    acc[0] = _mm256_add_epi32(acc[0], _mm256_madd_epi16(pair0, weights0));
    acc[1] = _mm256_add_epi32(acc[1], _mm256_madd_epi16(pair1, weights1));
    const __m256i pair2 = load(other);
    const __m256i pair3 = shared ? pair2 : load(other + second);
    acc[2] = _mm256_add_epi32(acc[2], _mm256_madd_epi16(pair2, weights0));
    acc[3] = _mm256_add_epi32(acc[3], _mm256_madd_epi16(pair3, weights1));
  }

  // Codes-to-be of one vector.
  template <bool shared, bool small>
  __attribute__((always_inline)) void ComputeVector(const char* const* rows, ptrdiff_t one, ptrdiff_t other, int vector,
                                                    __m256i (&codes)[kOutputs]) const {
    const Vector& v = vectors_[vector];
    one += vector * kVectorBytes;
    other += vector * kVectorBytes;
    __m256i acc[kOutputs];
    for (int i = 0; i < kOutputs; ++i) acc[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(v.bias));
    constexpr int kWeightStep = shared ? 2 * kVectorBytes : kVectorBytes;
    const ptrdiff_t second = static_cast<ptrdiff_t>(steps_.second) * kPairBytes;
    if (small) {
#pragma GCC unroll 3
      for (int ky = 0; ky < 3; ++ky) {
#pragma GCC unroll 2
        for (int group = 0; group < 2; ++group) {
          const char* row = rows[ky] + group * kPairBytes;
          Multiply<shared>(row + one, row + other, shared ? 0 : kPairBytes, v.weights + (ky * 2 + group) * kWeightStep, acc);
        }
      }
    } else {
      const char* weights = v.weights;
      for (int ky = 0; ky < context_.shape.filter_height; ++ky) {
        const char* row = rows[ky];
        for (int group = 0; group < steps_.groups; ++group, row += kPairBytes, weights += kWeightStep) {
          Multiply<shared>(row + one, row + other, second, weights, acc);
        }
      }
    }
    if (!v.by_lines) {
      __m256i copy[kOutputs];  // acc itself stays in registers
      for (int i = 0; i < kOutputs; ++i) copy[i] = acc[i];
      ByIntegers(*context_.requantization, v.channel, copy);
      for (int i = 0; i < kOutputs; ++i) codes[i] = copy[i];
      return;
    }
    for (int e = 0; e < context_.lines->exceptions(v.channel); ++e) {
      for (int i = 0; i < kOutputs; ++i) acc[i] = LinesAvx2::Substituted(*context_.lines, e, v.channel, acc[i]);
    }
    const LinesAvx2 lines(*context_.lines, v.channel);
    for (int i = 0; i < kOutputs; ++i) codes[i] = non_negative_ ? lines.NonNegative(acc[i]) : lines.Signed(acc[i]);
  }

  __attribute__((noinline)) static void ByIntegers(const Requantization& r, int channel, __m256i (&values)[kOutputs]) {
    const int pre_shift = r.pre_shift(channel);
    const RequantizeAvx2 constants(r, channel);
    for (__m256i& value : values) {
      value = pre_shift == 0 ? RequantizeAvx2::General(r, channel, value) : constants.FromShifted(_mm256_slli_epi32(value, pre_shift));
    }
  }

  struct Vector {
    int channel;
    bool by_lines;
    const char* weights;
    const int32_t* bias;
  };

  const KernelContext& context_;
  PairSteps steps_;
  int columns_;
  int channels_;
  int twos_;
  int multiplier_;
  int low_;
  int high_;
  bool non_negative_;  // no code below the zero point is wanted
  Vector vectors_[kVectors];
  // Of the first and the second 16 output channels: their first input channel, how many there are from it on, and which belongs to each.
  int first_[2];
  int left_[2];
  int8_t source_[kLine];
};

}  // namespace

const ConvKernel kDepthwiseAvx2 = DepthwiseRows<Avx2Ops>::Kernel();

}  // namespace tflite_eq
