// The direct kernels for ARMv8.0, which multiplies bytes into 16 bits: for any codes and weights, and for 7-bit ones.
//
// Sums are spread over the lanes of a register, which hold different input channels of one output, and are added up at the end.
// Register tiles, outputs x 4 output channels:
//
//   int8   4 x 4: 16 accumulators of 32 bits. Products of two vectors (smull, smlal) are added to them in pairs (sadalp), 2 * 128 * 127
//          fits in 16 bits; where a weight is -128, one by one.
//   7 bits 3 x 4: 12 accumulators of 32 bits and 12 of 16 bits. Four products of codes in [-64, 63] fit in 16 bits, 4 * 64 * 127 = 32512,
//          and eight where what they are multiplied by is small enough: 64 * 511 = 32704, for magnitudes that add up to 511. Trained
//          weights nearly always do, those in [-63, 63] always. So one smull and seven smlal go before one sadalp, 9 instructions for 64
//          products, or one and three: 10, where int8 takes 12. The idea is EasyQuant's (arXiv 2006.16669), who limit the weights instead.
#include "delegate/kernels/direct_neon.h"

#include "delegate/kernels/kernels.h"

namespace tflite_eq {
namespace {

constexpr int kCout = 4;

struct WideningOps {
  static constexpr Isa kIsa = Isa::kNeon;
  static constexpr int kVectors = 1;
  static constexpr int kPlaneChannels = kVector;
  static constexpr int kStep = 1;

  static size_t PackedOffset(int cout, int channel) { return static_cast<size_t>(cout) * kVector + channel; }
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
  static constexpr int kMaxSteps = 4;

  static bool AllowsLongSums(const int8_t* filter, int positions, int channels) {
    for (int i = 0; i < positions * channels; ++i) {
      if (filter[i] == -128) return false;
    }
    return true;
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
      for (int i = 0; i < vectors; ++i, codes += plane_bytes, weights += kCout * kVector) {
        int8x16_t w[kCout];
        for (int k = 0; k < kCout; ++k) w[k] = vld1q_s8(weights + k * kVector);
#pragma GCC unroll 4
        for (int p = 0; p < pixels; ++p) {
          const int8x16_t x = vld1q_s8(codes + p * kVector);
#pragma GCC unroll 4
          for (int k = 0; k < kCout; ++k) {
            int32x4_t& acc = this->acc_[p][k];
            const int16x8_t products = vmull_s8(vget_low_s8(x), vget_low_s8(w[k]));
            if (pairs) {
              acc = vpadalq_s16(acc, vmlal_high_s8(products, x, w[k]));
            } else {
              acc = vpadalq_s16(vpadalq_s16(acc, products), vmull_high_s8(x, w[k]));
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
  static constexpr int kMaxSteps = 3;
  static constexpr int kBurst = 4;  // vectors of codes, two products of a lane each, between two additions to 32 bits; else half

  static bool AllowsLongSums(const int8_t* filter, int positions, int channels) {
    constexpr int kLanes = kVector / 2;
    for (int position = 0; position < positions; ++position, filter += channels) {
      for (int first = 0; first < channels; first += kBurst * kVector) {
        int sums[kLanes] = {};
        for (int c = first; c < first + kBurst * kVector && c < channels; ++c) {
          sums[c % kLanes] += filter[c] < 0 ? -filter[c] : filter[c];
        }
        for (const int sum : sums) {
          if (sum > kInt7LaneWeights) return false;
        }
      }
    }
    return true;
  }

  template <int pixels>
  class Sums : public Accumulators<pixels> {
   public:
    __attribute__((always_inline)) const int8_t* Accumulate(const int8_t* codes, size_t plane_bytes, int vectors,
                                                            const int8_t* weights, bool long_sums) {
      int left = vectors;
      for (; long_sums && left >= kBurst; left -= kBurst) {
        Burst<kBurst>(codes, plane_bytes, weights);
        codes += kBurst * plane_bytes;
        weights += kBurst * kCout * kVector;
      }
      for (; left >= kBurst / 2; left -= kBurst / 2) {
        Burst<kBurst / 2>(codes, plane_bytes, weights);
        codes += kBurst / 2 * plane_bytes;
        weights += kBurst / 2 * kCout * kVector;
      }
      if (left > 0) {
        Burst<1>(codes, plane_bytes, weights);
        weights += kCout * kVector;
      }
      return weights;
    }

   private:
    template <int count>
    __attribute__((always_inline)) void Burst(const int8_t* codes, size_t plane_bytes, const int8_t* weights) {
      int16x8_t products[pixels][kCout];
#pragma GCC unroll 4
      for (int i = 0; i < count; ++i, codes += plane_bytes, weights += kCout * kVector) {
        int8x16_t x[pixels];
        for (int p = 0; p < pixels; ++p) x[p] = vld1q_s8(codes + p * kVector);
#pragma GCC unroll 4
        for (int k = 0; k < kCout; ++k) {
          const int8x16_t w = vld1q_s8(weights + k * kVector);
          for (int p = 0; p < pixels; ++p) {
            int16x8_t& sum = products[p][k];
            sum = i == 0 ? vmull_s8(vget_low_s8(x[p]), vget_low_s8(w)) : vmlal_s8(sum, vget_low_s8(x[p]), vget_low_s8(w));
          }
          for (int p = 0; p < pixels; ++p) products[p][k] = vmlal_high_s8(products[p][k], x[p], w);
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
