// The direct kernels for ARMv8.0, which multiplies bytes into 16 bits: for any codes and weights, and for 7-bit ones.
//
// Sums are spread over the lanes of a register, which hold different input channels of one output, and are added up at the end.
// Register tiles, 3 outputs x 4 output channels (widening_tiles_neon.h):
//
//   int8   12 accumulators of 32 bits. Products of two vectors (smull, smlal) are added to them in pairs (sadalp), 2 * 128 * 127 fits in
//          16 bits; where a weight is -128, one by one.
//   7 bits 12 accumulators of 32 bits and 12 of 16 bits. Four products of codes in [-64, 63] fit in 16 bits, 4 * 64 * 127 = 32512,
//          and eight where what they are multiplied by is small enough: 64 * 511 = 32704, for magnitudes that add up to 511. Trained
//          weights nearly always do, those in [-63, 63] always. So one smull and seven smlal go before one sadalp, 9 instructions for 64
//          products, or one and three: 10, where int8 takes 12. The idea is EasyQuant's (arXiv 2006.16669), who limit the weights instead.
//
// Tiles follow each other without a gap: each loads what the next one begins with. Where there are fewer outputs than a tile has, one at a
// time is computed by the same instructions in an order that the compiler chooses.
#include "delegate/kernels/direct_neon.h"

#include "delegate/kernels/kernels.h"
#include "delegate/kernels/widening_tiles_neon.h"

namespace tflite_eq {
namespace {

constexpr int kCout = kTileCout;
constexpr int kHalf = kVector / 2;

// The weights of eight channels, of each half of a vector.
int8x8_t HalfOfWeights(const int8_t* weights, int half, int k) { return vld1_s8(weights + (half * kCout + k) * kHalf); }

struct WideningOps {
  static constexpr Isa kIsa = Isa::kNeon;
  static constexpr int kVectors = 1;
  static constexpr int kPlaneChannels = kVector;
  static constexpr int kStep = 1;
  static constexpr int kMaxSteps = kTileOutputs;
  static constexpr int kStepsWithoutTiles = 1;  // for small code: one or two outputs, or weights of -128, are rare

  static size_t PackedOffset(int cout, int channel) {
    return static_cast<size_t>(channel / kHalf * kCout + cout) * kHalf + channel % kHalf;
  }
  static void StoreColumn(int8_t* line, size_t, int8x16_t codes) { vst1q_s8(line, codes); }

  template <int pixels>
  class Accumulators {
   public:
    void Clear() {
      for (int p = 0; p < pixels; ++p) {
        for (int k = 0; k < kCout; ++k) acc_[p][k] = vdupq_n_s32(0);
      }
    }
    void Get(int /*pack*/, int32x4_t (&sums)[4]) const {
      for (int p = 0; p < 4; ++p) {
        const int32x4_t(&acc)[kCout] = acc_[p < pixels ? p : pixels - 1];
        sums[p] = vpaddq_s32(vpaddq_s32(acc[0], acc[1]), vpaddq_s32(acc[2], acc[3]));
      }
    }

   protected:
    int32x4_t acc_[pixels][kCout];
  };
};

struct Int8Ops : WideningOps {
  static constexpr Algorithm kAlgorithm = Algorithm::kDirect;
  static constexpr bool kSevenBits = false;

  static bool AllowsLongSums(const int8_t* filter, int rows, int columns, int channels) {
    for (int i = 0; i < rows * columns * channels; ++i) {
      if (filter[i] == -128) return false;
    }
    return true;
  }

  template <typename RowOffset>
  static __attribute__((noinline)) bool Tiles(const NeonTiles& t, RowOffset offset, int32x4_t* values) {
    if (!t.long_sums) return false;
    constexpr int kWeightBytes = kCout * kVector;
    const ptrdiff_t first_row = static_cast<ptrdiff_t>(offset(0));
    // What is stored might be these, for all that compilers know.
    const int rows = t.rows;
    const int vectors = t.vectors;
    const ptrdiff_t step = static_cast<ptrdiff_t>(t.step);
    const int8_t* const weights = t.weights;
    const int8_t* lines = t.codes;
    TilePlace place = {lines + first_row, weights};
    Int8Pairs pairs(place);
    for (int left_outputs = t.outputs - kTileOutputs;;) {
      TileSums acc;
      const int advance = left_outputs < kTileOutputs ? left_outputs : kTileOutputs;
      const int8_t* const next_lines = lines + advance * kVector;
      TilePlace after = {next_lines + first_row, weights};  // behind the row
      int left = vectors;
      const auto next = [&]() -> TilePlace {
        --left;
        return left > 0 ? TilePlace{place.codes + step, place.weights + kWeightBytes} : after;
      };
      if (rows > 1) after = {lines + offset(1), place.weights + static_cast<ptrdiff_t>(vectors) * kWeightBytes};
      place = next();
      pairs.Add<true>(place, acc);
      for (int row = 1;; ++row) {
#pragma GCC unroll 1
        while (left > 0) {
          place = next();
          pairs.Add<false>(place, acc);
        }
        if (row >= rows) break;
        left = vectors;
        after = row + 1 < rows ? TilePlace{lines + offset(row + 1), place.weights + static_cast<ptrdiff_t>(left) * kWeightBytes}
                                 : TilePlace{next_lines + first_row, weights};
      }
      pairs.Finish(acc);
      StoreSums(acc, values);
      if (left_outputs == 0) return true;
      left_outputs -= advance;
      lines = next_lines;
      values += advance;
    }
  }

  template <int pixels>
  class Sums : public Accumulators<pixels> {
   public:
    __attribute__((always_inline)) const int8_t* Accumulate(const int8_t* codes, size_t plane_bytes, int vectors,
                                                            const int8_t* weights, bool long_sums) {
      return long_sums ? Add<true>(codes, plane_bytes, vectors, weights) : Add<false>(codes, plane_bytes, vectors, weights);
    }

   private:
    template <bool pairs>
    __attribute__((always_inline)) const int8_t* Add(const int8_t* codes, size_t plane_bytes, int vectors, const int8_t* weights) {
#pragma GCC unroll 1
      for (int i = 0; i < vectors; ++i, codes += plane_bytes, weights += kCout * kVector) {
#pragma GCC unroll 4
        for (int p = 0; p < pixels; ++p) {
          const int8x16_t x = vld1q_s8(codes + p * kVector);
#pragma GCC unroll 4
          for (int k = 0; k < kCout; ++k) {
            int32x4_t& acc = this->acc_[p][k];
            const int16x8_t front = vmull_s8(vget_low_s8(x), HalfOfWeights(weights, 0, k));
            if (pairs) {
              acc = vpadalq_s16(acc, vmlal_s8(front, vget_high_s8(x), HalfOfWeights(weights, 1, k)));
            } else {
              acc = vpadalq_s16(vpadalq_s16(acc, front), vmull_s8(vget_high_s8(x), HalfOfWeights(weights, 1, k)));
            }
          }
        }
      }
      return weights;
    }
  };
};

struct Int7Ops : WideningOps {
  static constexpr Algorithm kAlgorithm = Algorithm::kDirectInt7;
  static constexpr bool kSevenBits = true;
  static constexpr int kBurst = 4;  // vectors of codes, two products of a lane each, between two additions to 32 bits; else half

  // Bursts that follow each other.
  struct RowOfBursts {
    ptrdiff_t step;
    int left;  // vectors of the row
    TilePlace place;
    TilePlace after;  // behind the row

    template <int vectors, bool first>
    __attribute__((always_inline)) void AddOne(Int7Bursts& rings, TileSums& acc) {
      left -= vectors;
      const TilePlace next = left > 0 ? TilePlace{place.codes + vectors * step, place.weights + vectors * kCout * kVector} : after;
      rings.Add<vectors, first>(place, step, next, acc);
      place = next;
    }
    template <int vectors>
    __attribute__((always_inline)) void Add(int bursts, Int7Bursts& rings, TileSums& acc) {
#pragma GCC unroll 1
      for (; bursts > 0; --bursts) AddOne<vectors, false>(rings, acc);
    }
  };

  // The vectors of a filter row follow each other.
  static bool AllowsLongSums(const int8_t* filter, int rows, int columns, int channels) {
    const int vectors = VectorBlocks(channels);
    for (int row = 0; row < rows; ++row) {
      int sums[kHalf] = {};
      for (int column = 0; column < columns; ++column, filter += channels) {
        for (int c = 0; c < channels; ++c) {
          if ((column * vectors * kVector + c) % (kBurst * kVector) == 0) memset(sums, 0, sizeof(sums));
          int& sum = sums[c % kHalf];
          sum += filter[c] < 0 ? -filter[c] : filter[c];
          if (sum > kInt7LaneWeights) return false;
        }
      }
    }
    return true;
  }

  template <typename RowOffset>
  static __attribute__((noinline)) bool Tiles(const NeonTiles& t, RowOffset offset, int32x4_t* values) {
    const ptrdiff_t first_row = static_cast<ptrdiff_t>(offset(0));
    const ptrdiff_t row_weights = static_cast<ptrdiff_t>(t.vectors) * kCout * kVector;
    const int rows = t.rows;
    const int vectors = t.vectors;
    const int8_t* const weights = t.weights;
    const int8_t* lines = t.codes;
    RowOfBursts row = {static_cast<ptrdiff_t>(t.step), 0, {lines + first_row, weights}, {}};
    Int7Bursts rings(row.place);
    // Bursts of a row.
    const int longest = t.long_sums ? vectors / kBurst : 0;
    const int shorter = (vectors - longest * kBurst) / (kBurst / 2);
    const int single = vectors % (kBurst / 2);
    for (int left_outputs = t.outputs - kTileOutputs;;) {
      TileSums acc;
      const int advance = left_outputs < kTileOutputs ? left_outputs : kTileOutputs;
      const int8_t* const next_lines = lines + advance * kVector;
      row.left = vectors;
      row.after = rows > 1 ? TilePlace{lines + offset(1), weights + row_weights} : TilePlace{next_lines + first_row, weights};
      // The tile's first burst is of the longest that the row has.
      int longest_left = longest;
      int shorter_left = shorter;
      int single_left = single;
      if (longest > 0) {
        row.AddOne<kBurst, true>(rings, acc);
        --longest_left;
      } else if (shorter > 0) {
        row.AddOne<kBurst / 2, true>(rings, acc);
        --shorter_left;
      } else {
        row.AddOne<1, true>(rings, acc);
        --single_left;
      }
      for (int number = 1;; ++number) {
        row.Add<kBurst>(longest_left, rings, acc);
        row.Add<kBurst / 2>(shorter_left, rings, acc);
        row.Add<1>(single_left, rings, acc);
        if (number >= rows) break;
        longest_left = longest;
        shorter_left = shorter;
        single_left = single;
        row.left = vectors;
        row.after = number + 1 < rows ? TilePlace{lines + offset(number + 1), row.place.weights + row_weights}
                                        : TilePlace{next_lines + first_row, weights};
      }
      StoreSums(acc, values);
      if (left_outputs == 0) return true;
      left_outputs -= advance;
      lines = next_lines;
      values += advance;
    }
  }

  template <int pixels>
  class Sums : public Accumulators<pixels> {
   public:
    __attribute__((always_inline)) const int8_t* Accumulate(const int8_t* codes, size_t plane_bytes, int vectors,
                                                            const int8_t* weights, bool long_sums) {
      int left = vectors;
      if (long_sums) left -= Bursts<kBurst>(&codes, plane_bytes, left, &weights);
      left -= Bursts<kBurst / 2>(&codes, plane_bytes, left, &weights);
      Bursts<1>(&codes, plane_bytes, left, &weights);
      return weights;
    }

   private:
    // As many bursts of `count` vectors as there are; returns the number of vectors.
    template <int count>
    __attribute__((always_inline)) int Bursts(const int8_t** codes, size_t plane_bytes, int vectors, const int8_t** weights) {
      const int bursts = vectors / count;
      if (bursts == 0) return 0;
      const int done = bursts * count;
#pragma GCC unroll 1
      for (int i = 0; i < done; i += count) Burst<count>(*codes + i * plane_bytes, plane_bytes, *weights + i * kCout * kVector);
      *codes += done * plane_bytes;
      *weights += static_cast<ptrdiff_t>(done) * kCout * kVector;
      return done;
    }

    template <int count>
    __attribute__((always_inline)) void Burst(const int8_t* codes, size_t plane_bytes, const int8_t* weights) {
      int16x8_t products[pixels][kCout];
#pragma GCC unroll 4
      for (int i = 0; i < count; ++i, codes += plane_bytes, weights += kCout * kVector) {
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
          int8x8_t x[pixels];
          for (int p = 0; p < pixels; ++p) x[p] = vld1_s8(codes + p * kVector + half * kHalf);
#pragma GCC unroll 4
          for (int k = 0; k < kCout; ++k) {
            const int8x8_t w = HalfOfWeights(weights, half, k);
            for (int p = 0; p < pixels; ++p) {
              int16x8_t& sum = products[p][k];
              sum = i == 0 && half == 0 ? vmull_s8(x[p], w) : vmlal_s8(sum, x[p], w);
            }
          }
        }
      }
      for (int p = 0; p < pixels; ++p) {
        for (int k = 0; k < kCout; ++k) this->acc_[p][k] = vpadalq_s16(this->acc_[p][k], products[p][k]);
      }
    }
  };
};

}  // namespace

const ConvKernel kDirectNeon = DirectNeon<Int8Ops>::Kernel();
const ConvKernel kDirectInt7Neon = DirectNeon<Int7Ops>::Kernel();

}  // namespace tflite_eq
