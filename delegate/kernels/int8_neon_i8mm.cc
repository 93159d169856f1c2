// The kernels on smmla, which multiplies two rows of eight bytes by two columns of eight: 32 multiplications.
#include "delegate/kernels/direct_dot8_neon.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/winograd_1d_neon.h"

namespace tflite_eq {
namespace {

// A weight block is [8 output channels][8 input channels], two output channels to a register. An accumulator holds two output
// channels of the first column, then of the second.
struct SmmlaOps {
  static constexpr Isa kIsa = Isa::kNeonI8mm;

  static size_t PackedOffset(int cout, int channel) { return static_cast<size_t>(cout) * kDotChannels + channel; }
  static void Multiply(const int8x16_t (&w)[4], int8x16_t codes, int32x4_t (&acc)[4]) {
    for (int i = 0; i < 4; ++i) acc[i] = vmmlaq_s32(acc[i], codes, w[i]);
  }
  static void Sort(const int32x4_t (&acc)[4], int32x4_t (&sums)[4]) {
    int64x2_t halves[4];
    for (int i = 0; i < 4; ++i) halves[i] = vreinterpretq_s64_s32(acc[i]);
    sums[0] = vreinterpretq_s32_s64(vzip1q_s64(halves[0], halves[1]));
    sums[1] = vreinterpretq_s32_s64(vzip1q_s64(halves[2], halves[3]));
    sums[2] = vreinterpretq_s32_s64(vzip2q_s64(halves[0], halves[1]));
    sums[3] = vreinterpretq_s32_s64(vzip2q_s64(halves[2], halves[3]));
  }
  static void Spread(const int32_t* values, int32x4_t (&spread)[4]) {
    for (int i = 0; i < 4; ++i) {
      const int32x2_t couple = vld1_s32(values + 2 * i);
      spread[i] = vcombine_s32(couple, couple);
    }
  }
};

}  // namespace

const ConvKernel kWinograd1dNeonI8mm = Winograd1dNeon<SmmlaOps>::Kernel();
const ConvKernel kDirectNeonI8mm = DirectNeon<DirectDotOps<SmmlaOps>>::Kernel();

}  // namespace tflite_eq
