// Depthwise convolution for any NEON, for any filter size, stride, dilation and depth multiplier.
//
// Bytes are multiplied into 16 bits (smull, smlal), and a burst of such sums is widened and added to sums of 32 bits (saddw). How many
// products a burst holds decides the speed:
//
//   any codes and weights       1      2 * 128 * 128 does not fit in 16 bits
//   no weight of -128           2      2 * 128 * 127 = 32512
//   and codes in [-64, 63]      4      4 * 64 * 127 = 32512
//
// So 7-bit codes are what INT7 gives here: 3 bursts for 3x3 filters instead of 5, with weights of eight bits. Whether codes fit is
// looked at while rows are prepared, for each row by itself; where all codes and the padding are in [0, 127], as behind a ReLU, they
// are moved by 64 (int8_neon.h). Results are exact in any case.
//
// A prepared row (depthwise_rows.h) begins with a line that says whether its codes fit; then 16 channels of one column after the
// other: the columns from the first that a tap sees to the last, or for each output those its taps see, whatever is less.
//
// Register tile: up to four outputs of 16 channels, each four accumulators and two sums of 16 bits.
#include "delegate/kernels/depthwise_rows.h"
#include "delegate/kernels/int8_neon.h"
#include "delegate/kernels/kernels.h"

namespace tflite_eq {
namespace {

// Where the codes of an output are, counted in columns of a prepared row.
struct DepthwiseColumns {
  DepthwiseColumns(const ConvShape& s, int columns) {
    const int64_t taps = s.filter_width;
    const int64_t reach = taps > 0 ? (taps - 1) * s.dilation_width + 1 : 0;
    const int64_t between = int64_t{columns - 1} * s.stride_width + reach;
    gathered = columns * taps < between;
    count = static_cast<size_t>(gathered ? columns * taps : between);
    output_step = gathered ? static_cast<ptrdiff_t>(taps) : s.stride_width;
    tap_step = gathered ? 1 : s.dilation_width;
  }

  bool gathered;
  size_t count;
  ptrdiff_t output_step;  // from one output to the next
  ptrdiff_t tap_step;     // from one tap to the next
};

struct DepthwiseNeonOps {
  static constexpr Isa kIsa = Isa::kNeon;
  static constexpr bool kUsesLines = false;

  static int Vectors(const ConvShape& s) { return VectorBlocks(s.output_channels); }
  static size_t WeightBytes(const ConvShape& s) { return static_cast<size_t>(Vectors(s)) * s.filter_size() * kVector; }
  // Packed: for each vector of channels the taps; both biases of every channel (int8_neon.h); for each vector the products in a burst
  // of codes that fit, and of others.
  static size_t BurstOffset(const ConvShape& s) { return WeightBytes(s) + 2 * static_cast<size_t>(Vectors(s)) * kVector * sizeof(int32_t); }
  static size_t PackedBytes(const ConvProblem& problem) { return BurstOffset(problem.shape) + Vectors(problem.shape); }

  __attribute__((cold)) static void Pack(const ConvProblem& problem, void* packed) {
    const ConvShape& s = problem.shape;
    int8_t* weights = static_cast<int8_t*>(packed);
    int32_t* bias = reinterpret_cast<int32_t*>(weights + WeightBytes(s));
    int8_t* most_negative = weights + BurstOffset(s);
    for (int k = 0; k < s.output_channels; ++k) {
      const ChannelFilter filter = FilterOf(problem, k);
      int8_t* lane = weights + static_cast<size_t>(k / kVector) * s.filter_size() * kVector + k % kVector;
      for (int tap = 0; tap < s.filter_size(); ++tap) {
        lane[tap * kVector] = filter[tap];
        if (filter[tap] == -128) most_negative[k / kVector] = 1;
      }
      bias[k] = FoldedBias(problem, k);
      bias[Vectors(s) * kVector + k] = NonNegativeBias(problem, k);
    }
  }

  static size_t RowBytes(const ConvShape& s, int columns) {
    return kCacheLine + (DepthwiseColumns(s, columns).count * kVector + kCacheLine - 1) / kCacheLine * kCacheLine;
  }

  struct Input {
    Input(const KernelContext& context, const int8_t* image, int begin, int end)
        : non_negative(IsNonNegative(context, image, begin, end)) {}
    bool non_negative;  // all codes and the padding are in [0, 127]
  };

  class Block {
   public:
    Block(const KernelContext& context, const Input& input, int channel, int columns)
        : context_(context),
          columns_(context.shape, columns),
          outputs_(columns),
          channels_(context.shape.output_channels - channel < kVector ? context.shape.output_channels - channel : kVector),
          window_(input.non_negative),
          store_(*context.requantization, channel, context.shape.output_channels - channel) {
      const ConvShape& s = context.shape;
      const int8_t* packed = static_cast<const int8_t*>(context.packed);
      const int vector = channel / kVector;
      weights_ = packed + static_cast<size_t>(vector) * s.filter_size() * kVector;
      const int32_t* bias = reinterpret_cast<const int32_t*>(packed + WeightBytes(s));
      bias_ = bias + (input.non_negative ? Vectors(s) * kVector : 0) + channel;
      most_negative_ = packed[BurstOffset(s) + vector] != 0;
      const int multiplier = s.depth_multiplier();
      first_ = channel / multiplier;
      input_channels_ = (channel + channels_ - 1) / multiplier - first_ + 1;
      int8_t source[kVector];
      for (int i = 0; i < kVector; ++i) source[i] = static_cast<int8_t>((channel + i) / multiplier - first_);
      source_ = vreinterpretq_u8_s8(vld1q_s8(source));
    }

    int channels() const { return channels_; }

    void Fill(const int8_t* codes, int64_t x, char* row) const {
      const ConvShape& s = context_.shape;
      const int8x16_t padding = window_.Move(vdupq_n_s8(static_cast<int8_t>(context_.input_zero_point)));
      int8x16_t outside = vdupq_n_s8(0);
      int8_t* to = reinterpret_cast<int8_t*>(row) + kCacheLine;
      const auto store = [&](int8x16_t values) {
        outside = vorrq_s8(outside, CodeWindow::Outside(values));
        vst1q_s8(to, values);
        to += kVector;
      };
      const auto fill = [&](int64_t column) {
        if (codes == nullptr || column < 0 || column >= s.input_width) return store(padding);
        const int8x16_t values = LoadVector(codes + column * s.input_channels + first_, input_channels_);
        store(window_.Move(s.input_channels == s.output_channels ? values : vqtbl1q_s8(values, source_)));
      };
      if (columns_.gathered) {
        for (int i = 0; i < outputs_; ++i) {
          for (int kx = 0; kx < s.filter_width; ++kx) {
            fill(x + int64_t{i} * s.stride_width + int64_t{kx} * s.dilation_width);
          }
        }
      } else {
        const int64_t end = x + static_cast<int64_t>(columns_.count);
        if (codes != nullptr && input_channels_ == kVector && s.input_channels == s.output_channels) {
          // Nearly all there is to prepare: the columns inside the image, of channels that are all there.
          for (; x < 0 && x < end; ++x) store(padding);
          const int64_t inside = end < s.input_width ? end : s.input_width;
          if (x < inside) {
            outside = vorrq_s8(outside, CopyColumns(codes + x * s.input_channels + first_, s.input_channels, inside - x, to));
            to += (inside - x) * kVector;
            x = inside;
          }
        }
        for (; x < end; ++x) fill(x);
      }
      // Channels past the last read as zero, which fits once it is moved, too.
      row[0] = CodeWindow::Clean(outside);
    }

    void Compute(const char* const* rows, int8_t* output) const {
      bool fits = true;
      for (int ky = 0; ky < context_.shape.filter_height; ++ky) fits = fits && rows[ky][0] != 0;
      if (most_negative_) {
        ComputeRow<1>(rows, output);
      } else if (fits) {
        ComputeRow<4>(rows, output);
      } else {
        ComputeRow<2>(rows, output);
      }
    }

   private:
    // Moves some columns, of channels that are all there, into the window; returns what is outside as CodeWindow has it.
    int8x16_t CopyColumns(const int8_t* from, ptrdiff_t step, int64_t columns, int8_t* to) const {
      const CodeWindow window = window_;  // what is stored might lie anywhere, for all the compiler knows
      int8x16_t outside = vdupq_n_s8(0);
      constexpr int kSideBySide = 4;  // cores that issue in order would wait for each
      for (; columns >= kSideBySide; columns -= kSideBySide, from += kSideBySide * step, to += kSideBySide * kVector) {
        int8x16_t values[kSideBySide];
        for (int i = 0; i < kSideBySide; ++i) values[i] = vld1q_s8(from + i * step);
        for (int i = 0; i < kSideBySide; ++i) values[i] = window.Move(values[i]);
        for (int i = 0; i < kSideBySide; ++i) vst1q_s8(to + i * kVector, values[i]);
        for (int i = 0; i < kSideBySide; ++i) outside = vorrq_s8(outside, CodeWindow::Outside(values[i]));
      }
      for (; columns > 0; --columns, from += step, to += kVector) {
        const int8x16_t values = window.Move(vld1q_s8(from));
        vst1q_s8(to, values);
        outside = vorrq_s8(outside, CodeWindow::Outside(values));
      }
      return outside;
    }

    template <int burst>
    void ComputeRow(const char* const* rows, int8_t* output) const {
      const ConvShape& s = context_.shape;
      const bool neighbours = columns_.tap_step == 1 && s.filter_width == s.filter_height && burst > 1;
      const int size = neighbours && (s.filter_width == 3 || s.filter_width == 5) ? s.filter_width : 0;
      if (size == 0 || outputs_ < kOutputs) {
        for (int i = 0; i < outputs_; ++i) Tile<1, burst, 0>(rows, i, output);
        return;
      }
      for (int first = 0; first < outputs_; first += kOutputs) {
        // The last tile computes some outputs once more, rather than the others one by one.
        const int begin = outputs_ - first < kOutputs ? outputs_ - kOutputs : first;
        if (size == 3) {
          Tile<kOutputs, burst, 3>(rows, begin, output);
        } else {
          Tile<kOutputs, burst, 5>(rows, begin, output);
        }
      }
    }

    // `size` is 3 or 5 for filters of three or five rows and columns without dilation, 0 for any.
    template <int outputs, int burst, int size>
    __attribute__((noinline)) void Tile(const char* const* rows, int first, int8_t* output) const {
      const ConvShape& s = context_.shape;
      const ptrdiff_t step = columns_.output_step * kVector;
      const ptrdiff_t offset = static_cast<ptrdiff_t>(kCacheLine) + first * step;
      int32x4_t acc[outputs][4];
      for (int i = 0; i < 4; ++i) {
        acc[0][i] = vld1q_s32(bias_ + 4 * i);
        for (int p = 1; p < outputs; ++p) acc[p][i] = acc[0][i];
      }
      if (size > 0) {
        const int8_t* codes[size > 0 ? size : 1];
        for (int ky = 0; ky < size; ++ky) codes[ky] = reinterpret_cast<const int8_t*>(rows[ky]) + offset;
        constexpr int kTaps = size * size;
#pragma GCC unroll 13
        for (int tap = 0; tap < kTaps; tap += burst) {
          int16x8_t sums[outputs][2];
#pragma GCC unroll 4
          for (int i = 0; i < burst && tap + i < kTaps; ++i) {
            constexpr int kWidth = size > 0 ? size : 1;
            Add(i == 0, codes[(tap + i) / kWidth] + (tap + i) % kWidth * kVector, step, weights_ + (tap + i) * kVector, sums);
          }
          Widen(sums, acc);
        }
      } else {
        const ptrdiff_t tap_step = columns_.tap_step * kVector;
        const int8_t* weights = weights_;
        for (int ky = 0; ky < s.filter_height; ++ky) {
          const int8_t* codes = reinterpret_cast<const int8_t*>(rows[ky]) + offset;
          for (int kx = 0; kx < s.filter_width; kx += burst) {
            int16x8_t sums[outputs][2];
            const int count = s.filter_width - kx < burst ? s.filter_width - kx : burst;
            Add(true, codes, step, weights, sums);
            for (int i = 1; i < count; ++i) Add(false, codes + i * tap_step, step, weights + i * kVector, sums);
            Widen(sums, acc);
            codes += count * tap_step;
            weights += count * kVector;
          }
        }
      }
      store_.StorePixels(acc, output + first * static_cast<ptrdiff_t>(s.output_channels), s.output_channels);
    }

    // One tap of all outputs; the first of a burst begins the sums.
    template <int outputs>
    static __attribute__((always_inline)) void Add(bool begin, const int8_t* codes, ptrdiff_t step, const int8_t* weights,
                                                   int16x8_t (&sums)[outputs][2]) {
      const int8x16_t w = vld1q_s8(weights);
#pragma GCC unroll 4
      for (int p = 0; p < outputs; ++p, codes += step) {
        const int8x16_t x = vld1q_s8(codes);
        if (begin) {
          sums[p][0] = vmull_s8(vget_low_s8(x), vget_low_s8(w));
          sums[p][1] = vmull_high_s8(x, w);
        } else {
          sums[p][0] = vmlal_s8(sums[p][0], vget_low_s8(x), vget_low_s8(w));
          sums[p][1] = vmlal_high_s8(sums[p][1], x, w);
        }
      }
    }

    template <int outputs>
    static __attribute__((always_inline)) void Widen(const int16x8_t (&sums)[outputs][2], int32x4_t (&acc)[outputs][4]) {
#pragma GCC unroll 4
      for (int p = 0; p < outputs; ++p) {
        acc[p][0] = vaddw_s16(acc[p][0], vget_low_s16(sums[p][0]));
        acc[p][1] = vaddw_high_s16(acc[p][1], sums[p][0]);
        acc[p][2] = vaddw_s16(acc[p][2], vget_low_s16(sums[p][1]));
        acc[p][3] = vaddw_high_s16(acc[p][3], sums[p][1]);
      }
    }

    static constexpr int kOutputs = 4;

    const KernelContext& context_;
    DepthwiseColumns columns_;
    int outputs_;
    int channels_;
    int first_;           // input channel
    int input_channels_;  // of the block
    CodeWindow window_;
    StoreCodesNeon<4> store_;
    const int8_t* weights_;
    const int32_t* bias_;
    bool most_negative_;  // whether a weight is -128
    uint8x16_t source_;   // of each output channel, among the input channels
  };
};

}  // namespace

// No later extension multiplies bytes of one channel faster.
const ConvKernel kDepthwiseNeon = DepthwiseRows<DepthwiseNeonOps>::Kernel();

}  // namespace tflite_eq
