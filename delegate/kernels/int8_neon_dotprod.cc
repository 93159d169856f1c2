// The kernels on sdot, which adds four products to each of four sums: 16 multiplications.
#include "delegate/kernels/direct_dot8_neon.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/winograd_1d_neon.h"

namespace tflite_eq {
namespace {

// A weight block is [two groups of 4 input channels][8 output channels][4]: two registers for each group. Codes are used by lanes of
// four channels: lanes 0 and 1 are the groups of the first column, 2 and 3 those of the second.
struct SdotOps {
  static constexpr Isa kIsa = Isa::kNeonDotprod;

  static size_t PackedOffset(int cout, int channel) {
    constexpr int kGroup = 4;
    return static_cast<size_t>(channel / kGroup * kDotCout + cout) * kGroup + channel % kGroup;
  }
  static void Multiply(const int8x16_t (&w)[4], int8x16_t codes, int32x4_t (&acc)[4]) {
    acc[0] = vdotq_laneq_s32(acc[0], w[0], codes, 0);
    acc[1] = vdotq_laneq_s32(acc[1], w[1], codes, 0);
    acc[2] = vdotq_laneq_s32(acc[2], w[0], codes, 2);
    acc[3] = vdotq_laneq_s32(acc[3], w[1], codes, 2);
    acc[0] = vdotq_laneq_s32(acc[0], w[2], codes, 1);
    acc[1] = vdotq_laneq_s32(acc[1], w[3], codes, 1);
    acc[2] = vdotq_laneq_s32(acc[2], w[2], codes, 3);
    acc[3] = vdotq_laneq_s32(acc[3], w[3], codes, 3);
  }
  static void Sort(const int32x4_t (&acc)[4], int32x4_t (&sums)[4]) {
    for (int i = 0; i < 4; ++i) sums[i] = acc[i];
  }
  static void Spread(const int32_t* values, int32x4_t (&spread)[4]) {
    for (int i = 0; i < 4; ++i) spread[i] = vld1q_s32(values + i % 2 * 4);
  }
};

}  // namespace

const ConvKernel kWinograd1dNeonDotprod = Winograd1dNeon<SdotOps>::Kernel();
const ConvKernel kDirectNeonDotprod = DirectNeon<DirectDotOps<SdotOps>>::Kernel();

}  // namespace tflite_eq
