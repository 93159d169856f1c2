// Direct convolution on 8-bit dot products: the `Ops` of direct_neon.h from those of dot8_neon.h.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_DIRECT_DOT8_NEON_H_
#define TFLITE_EQ_DELEGATE_KERNELS_DIRECT_DOT8_NEON_H_

#include "delegate/kernels/direct_neon.h"
#include "delegate/kernels/dot8_neon.h"

namespace tflite_eq {
namespace {

template <typename DotOps>
struct DirectDotOps {
  static constexpr Isa kIsa = DotOps::kIsa;
  static constexpr Algorithm kAlgorithm = Algorithm::kDirect;
  static constexpr bool kSevenBits = false;
  static constexpr int kVectors = 2;
  static constexpr int kPlaneChannels = kDotChannels;
  static constexpr int kStep = kCouple;
  static constexpr int kMaxSteps = 4;  // 16 accumulators
  static constexpr int kStepsWithoutTiles = kMaxSteps;

  static bool AllowsLongSums(const int8_t*, int, int, int) { return true; }
  static size_t PackedOffset(int cout, int channel) {
    return static_cast<size_t>(channel / kDotChannels) * kDotBlockBytes + DotOps::PackedOffset(cout, channel % kDotChannels);
  }
  template <typename RowOffset>
  static bool Tiles(const NeonTiles&, RowOffset, int32x4_t*) {
    return false;
  }
  static void StoreColumn(int8_t* line, size_t plane_bytes, int8x16_t codes) { StoreDotBlocks(line, plane_bytes, codes); }

  template <int steps>
  class Sums {
   public:
    void Clear() { ClearDots<steps>(acc_); }
    __attribute__((always_inline)) const int8_t* Accumulate(const int8_t* codes, size_t plane_bytes, int vectors,
                                                            const int8_t* weights, bool) {
      return AccumulateDots<DotOps, steps, 2>(acc_, codes, plane_bytes, vectors * (kVector / kDotChannels), weights);
    }
    void Get(int pack, int32x4_t (&sums)[4]) const { DotOps::Sort(acc_[pack], sums); }

   private:
    int32x4_t acc_[steps][4];
  };
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_DIRECT_DOT8_NEON_H_
