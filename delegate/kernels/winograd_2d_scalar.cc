// F(4x4,3x3) and F(2x2,3x3) without intrinsics: for validation everywhere, and the plainest example of an `Ops`.
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/winograd_2d.h"

namespace tflite_eq {
namespace {

struct ScalarOps {
  using Vectors = ScalarOps;
  static constexpr int kLanes16 = 1;  // channels the input transform handles at a time
  static constexpr int kLanes = 1;    // output channels in an accumulator
  static constexpr int kVectors = 8;  // accumulators side by side in a cout block
  static constexpr int kChannelGroup = 2;
  static constexpr bool kInterleaved = true;
  static constexpr int kMaxTiles = 4;
  static constexpr int kTilesOfHeldWeights = 0;
  static constexpr size_t kHeldWeights = 0;
  using I16 = int16_t;
  using I32 = uint32_t;  // wraps

  static I16 LoadCodes(const int8_t* codes) { return *codes; }
  static void Store16(int16_t* to, I16 value) { *to = value; }
  static I16 Add16(I16 a, I16 b) { return static_cast<I16>(a + b); }
  static I16 Sub16(I16 a, I16 b) { return static_cast<I16>(a - b); }
  template <int bits>
  static I16 Shl16(I16 a) {
    return static_cast<I16>(a * (1 << bits));
  }
  static I32 Load32(const int32_t* from) { return static_cast<uint32_t>(*from); }
  static void Store32(int32_t* to, I32 value) { *to = static_cast<int32_t>(value); }
  static I32 Add32(I32 a, I32 b) { return a + b; }
  static I32 Sub32(I32 a, I32 b) { return a - b; }
  template <int bits>
  static I32 Shl32(I32 a) {
    return a << bits;
  }

  // m[tile][cout] = start[cout] + sum over channel pairs of v[tile][pair] . u[pair][cout], modulo 2^32.
  static int TilesAtOnce(int wanted, int /*total*/) { return wanted; }

  static void Multiply(int tiles, const MultiplyArguments& arguments) {
    constexpr int kCout = kLanes * kVectors;
    constexpr int kBlockPairs = kBlockChannels / 2;
    for (int tile = 0; tile < tiles; ++tile) {
      uint32_t sums[kCout];
      for (int k = 0; k < kCout; ++k) sums[k] = static_cast<uint32_t>(arguments.start[k]);
      for (int pair = 0; pair < arguments.groups; ++pair) {
        const int16_t* codes =
            arguments.v + pair / kBlockPairs * arguments.block_stride + tile * kBlockChannels + pair % kBlockPairs * 2;
        const int16_t* weights = arguments.u + static_cast<size_t>(pair) * kCout * 2;
        for (int k = 0; k < kCout; ++k) {
          sums[k] += static_cast<uint32_t>(codes[0] * weights[2 * k]);
          sums[k] += static_cast<uint32_t>(codes[1] * weights[2 * k + 1]);
        }
      }
      for (int k = 0; k < kCout; ++k) arguments.m[tile * kCout + k] = static_cast<int32_t>(sums[k]);
    }
  }

  static constexpr bool kUsesLines = false;
  static constexpr bool kStoresTiles = false;
  static constexpr int kRowsAtOnce = 1;  // that the output transform unrolls

  struct Constants {
    Constants(const KernelContext& context, int first) : r(*context.requantization), channel(first) {}
    const Requantization& r;
    int channel;
  };

  // acc from kScale * acc.
  template <int count>
  static I32 Divide(I32 y) {
    constexpr uint32_t kInverseOfNine = 0x38E38E39;
    return static_cast<uint32_t>(count == 4 ? static_cast<int32_t>(y * kInverseOfNine) >> 6 : static_cast<int32_t>(y) >> 2);
  }

  // Store does either.
  static bool AtOnce(const KernelContext&, int) { return true; }

  // Requantizes a row of a tile's outputs, kScale * acc or, if `divided`, acc.
  template <int count, bool divided>
  static void Store(const Constants& constants, const I32* y, int8_t* out, size_t pixel, int columns, int /*channels*/) {
    for (int column = 0; column < columns; ++column) {
      const uint32_t acc = divided ? y[column] : Divide<count>(y[column]);
      const uint32_t late_bias = static_cast<uint32_t>(constants.r.late_bias()[constants.channel]);
      out[column * pixel] = constants.r.Requantize(static_cast<int32_t>(acc + late_bias), constants.channel);
    }
  }
};

}  // namespace

const ConvKernel kWinogradF43Scalar = Winograd2d<ScalarOps, SchemeF43>::Kernel(Isa::kScalar);
const ConvKernel kWinogradF23Scalar = Winograd2d<ScalarOps, SchemeF23>::Kernel(Isa::kScalar);

}  // namespace tflite_eq
