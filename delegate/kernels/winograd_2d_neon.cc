// F(4x4,3x3) and F(2x2,3x3) for ARMv8.0: products by smlal, which widens and wraps.
//
// Register tile of Multiply, up to 8 tiles x 8 output channels, one half of a cout block of 16 at a time so that codes in the
// first-level cache serve twice:
//
//               v: couts 0-3   v: couts 4-7     for each of four input channels, 8 registers of 64 bits
//   v (tile 0)  acc 0,0        acc 0,1
//   ...         ...            ...              one register of 64 bits: four input channels of a tile, used lane by lane
//   v (tile 7)  acc 7,0        acc 7,1          16 accumulators
//
// Loads are of 64 bits: Cortex-A53 issues one of them beside each smlal, but takes two cycles for one of 128 bits. Other cores have
// load slots to spare: 16 loads for 64 smlal.
#include <arm_neon.h>

#include "delegate/kernels/kernels.h"
#include "delegate/kernels/requantize_neon.h"
#include "delegate/kernels/winograd_2d.h"

namespace tflite_eq {
namespace {

struct NeonOps {
  using Vectors = NeonOps;
  static constexpr int kLanes16 = 8;
  static constexpr int kLanes = 4;
  static constexpr int kVectors = 4;
  static constexpr int kChannelGroup = 4;
  static constexpr bool kInterleaved = false;
  static constexpr int kMaxTiles = 8;
  static constexpr int kCout = kLanes * kVectors;
  // Sums of eight tiles are 18 KB.
  static constexpr int kTilesOfHeldWeights = kMaxTiles;
  static constexpr size_t kHeldWeights = 320 << 10;
  static constexpr int kHalf = 8;  // output channels of a register tile
  using I16 = int16x8_t;
  using I32 = int32x4_t;

  static I16 LoadCodes(const int8_t* codes) { return vmovl_s8(vld1_s8(codes)); }
  static void Store16(int16_t* to, I16 value) { vst1q_s16(to, value); }
  static I16 Add16(I16 a, I16 b) { return vaddq_s16(a, b); }
  static I16 Sub16(I16 a, I16 b) { return vsubq_s16(a, b); }
  template <int bits>
  static I16 Shl16(I16 a) {
    return vshlq_n_s16(a, bits);
  }
  static I32 Load32(const int32_t* from) { return vld1q_s32(from); }
  static void Store32(int32_t* to, I32 value) { vst1q_s32(to, value); }
  static I32 Add32(I32 a, I32 b) { return vaddq_s32(a, b); }
  static I32 Sub32(I32 a, I32 b) { return vsubq_s32(a, b); }
  template <int bits>
  static I32 Shl32(I32 a) {
    return vshlq_n_s32(a, bits);
  }

  template <int tiles>
  static void MultiplyTiles(const MultiplyArguments& arguments) {
    for (int half = 0; half < kCout; half += kHalf) {
      const int16_t* v = arguments.v;
      const int16_t* u = arguments.u + half;
      const char* prefetch = arguments.prefetch;
      // The first half fetches for both.
      const int prefetch_step = half == 0 ? arguments.prefetch_step : 0;
      int32x4_t acc[tiles][2];
      for (int tile = 0; tile < tiles; ++tile) {
        acc[tile][0] = vld1q_s32(arguments.start + half);
        acc[tile][1] = vld1q_s32(arguments.start + half + 4);
      }
      constexpr int kBlockGroups = kBlockChannels / kChannelGroup;
      for (int first = 0; first < arguments.groups; first += kBlockGroups) {
        const int left = arguments.groups - first;
        const int16_t* codes = v;
        const int16_t* const end = codes + kChannelGroup * (left < kBlockGroups ? left : kBlockGroups);
        for (; codes != end; codes += kChannelGroup, u += kChannelGroup * kCout) {
          AccumulateGroup<tiles>(codes, u, acc);
          __builtin_prefetch(prefetch);
          prefetch += prefetch_step;
        }
        v += arguments.block_stride;
      }
      int32_t* const m = arguments.m + half;
      for (int tile = 0; tile < tiles; ++tile) {
        vst1q_s32(m + tile * kCout, acc[tile][0]);
        vst1q_s32(m + tile * kCout + 4, acc[tile][1]);
      }
    }
  }

  // Four input channels.
  template <int tiles>
  static inline __attribute__((always_inline)) void AccumulateGroup(const int16_t* codes, const int16_t* u,
                                                                    int32x4_t (&acc)[tiles][2]) {
    int16x4_t w[kChannelGroup][2];
    for (int c = 0; c < kChannelGroup; ++c) {
      w[c][0] = vld1_s16(u + c * kCout);
      w[c][1] = vld1_s16(u + c * kCout + 4);
    }
#pragma GCC unroll 8
    for (int tile = 0; tile < tiles; ++tile) {
      const int16x4_t x = vld1_s16(codes + tile * kBlockChannels);
      acc[tile][0] = vmlal_lane_s16(acc[tile][0], w[0][0], x, 0);
      acc[tile][1] = vmlal_lane_s16(acc[tile][1], w[0][1], x, 0);
      acc[tile][0] = vmlal_lane_s16(acc[tile][0], w[1][0], x, 1);
      acc[tile][1] = vmlal_lane_s16(acc[tile][1], w[1][1], x, 1);
      acc[tile][0] = vmlal_lane_s16(acc[tile][0], w[2][0], x, 2);
      acc[tile][1] = vmlal_lane_s16(acc[tile][1], w[2][1], x, 2);
      acc[tile][0] = vmlal_lane_s16(acc[tile][0], w[3][0], x, 3);
      acc[tile][1] = vmlal_lane_s16(acc[tile][1], w[3][1], x, 3);
    }
  }

  static int TilesAtOnce(int wanted, int /*total*/) { return wanted; }

  static void Multiply(int tiles, const MultiplyArguments& arguments) {
    using Function = void (*)(const MultiplyArguments&);
    static constexpr Function kFunctions[kMaxTiles + 1] = {
        nullptr,          MultiplyTiles<1>, MultiplyTiles<2>, MultiplyTiles<3>, MultiplyTiles<4>,
        MultiplyTiles<5>, MultiplyTiles<6>, MultiplyTiles<7>, MultiplyTiles<8>};
    kFunctions[tiles](arguments);
  }

  static constexpr bool kUsesLines = false;
  static constexpr bool kStoresTiles = true;
  static constexpr int kRowsAtOnce = 1;  // that the output transform unrolls

  struct Constants {
    Constants(const KernelContext& context, int first)
        : vector(*context.requantization, first),
          pack(*context.requantization),
          late_bias(vld1q_s32(context.requantization->late_bias() + first)),
          fast(RequantizeNeon::IsFast(*context.requantization, first, kLanes)) {}
    RequantizeNeon vector;
    PackCodesNeon pack;
    int32x4_t late_bias;
    bool fast;
  };

  // acc from sums that are 576 * acc modulo 2^32 for F(4,3), 4 * acc for F(2,3).
  template <int count>
  static I32 Divide(I32 y) {
    constexpr int kF43ScaleBits = 6;  // and the factor 9
    constexpr int kF23ScaleBits = 2;
    return count == 4 ? vshrq_n_s32(vmulq_s32(y, vdupq_n_s32(0x38E38E39)), kF43ScaleBits) : vshrq_n_s32(y, kF23ScaleBits);
  }

  // Store does either.
  static bool AtOnce(const KernelContext&, int) { return true; }

  // Requantizes a row of a tile's outputs, sums or, if `divided`, accumulators.
  template <int count, bool divided>
  static void Store(const Constants& constants, const I32* y, int8_t* out, size_t pixel, int columns, int channels) {
    I32 acc[4];
    for (int i = 0; i < 4; ++i) acc[i] = i < count ? (divided ? y[i] : Divide<count>(y[i])) : acc[0];
    int8x16_t codes;
    if (constants.fast) {
      for (int i = 0; i < count; ++i) acc[i] = constants.vector.Fast(acc[i]);
      codes = constants.pack.Pack(acc[0], acc[1], acc[2], acc[3]);
    } else {
      codes = RequantizeGeneral(constants, acc[0], acc[1], acc[2], acc[3]);
    }
    if (columns == count && channels == kLanes) {
      StorePixels<count>(vreinterpretq_s32_s8(codes), out, pixel);
    } else {
      int8_t bytes[4][kLanes];
      vst1q_s8(bytes[0], codes);
      for (int column = 0; column < columns; ++column) memcpy(out + column * pixel, bytes[column], channels);
    }
  }

  // The same for all rows of a tile, of which `rows` and `columns` lie inside the image, by the fast form: a step of all of them before the
  // next step of any. Cores that issue in order would wait for each step of one.
  template <int count>
  static void StoreTile(const Constants& constants, const I32 (&y)[count][count], int8_t* out, size_t line, size_t pixel,
                        int rows, int columns) {
    static_assert(count == 4, "a row is a vector of codes");
    I32 acc[count][4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4 * count; ++i) acc[i / 4][i % 4] = constants.vector.Fast(Divide<count>(y[i / 4][i % 4]));
    int8x16_t codes[count];
    constants.pack.Pack(acc, codes);
    if (rows == count && columns == count) {
      for (int row = 0; row < count; ++row) StorePixels<count>(vreinterpretq_s32_s8(codes[row]), out + row * line, pixel);
      return;
    }
    int8_t bytes[count][count][kLanes];
    for (int row = 0; row < count; ++row) vst1q_s8(bytes[row][0], codes[row]);
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) memcpy(out + row * line + column * pixel, bytes[row][column], kLanes);
    }
  }

  __attribute__((noinline)) static int8x16_t RequantizeGeneral(const Constants& constants, I32 acc0, I32 acc1, I32 acc2,
                                                               I32 acc3) {
    I32 z[4] = {acc0, acc1, acc2, acc3};
    for (I32& value : z) value = constants.vector.General(vaddq_s32(value, constants.late_bias));
    return constants.pack.Pack(z[0], z[1], z[2], z[3]);
  }

  // A lane for each pixel. Outputs are aligned to nothing, which vst1q_lane_s32 does not promise to bear.
  template <int count>
  static void StorePixels(int32x4_t codes, int8_t* out, size_t pixel) {
    StorePixel(vgetq_lane_s32(codes, 0), out);
    StorePixel(vgetq_lane_s32(codes, 1), out + pixel);
    if (count < 4) return;
    StorePixel(vgetq_lane_s32(codes, 2), out + 2 * pixel);
    StorePixel(vgetq_lane_s32(codes, 3), out + 3 * pixel);
  }
  static void StorePixel(int32_t codes, int8_t* out) { memcpy(out, &codes, sizeof(codes)); }
};

}  // namespace

const ConvKernel kWinogradF43Neon = Winograd2d<NeonOps, SchemeF43>::Kernel(Isa::kNeon);
// F(2x2,3x3) saves nothing over XNNPACK here (cpu_profile.cc); where it is asked for by name the scalar one runs.

}  // namespace tflite_eq
