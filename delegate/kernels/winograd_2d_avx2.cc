// F(4x4,3x3) and F(2x2,3x3) for AVX2: products by vpmaddwd, whose pair sums cannot overflow here (2 * 12 800 * 18 432 < 2^31),
// and wrapping vpaddd.
//
// Register tile of Multiply, up to 6 tiles x 16 output channels:
//
//                    ymm12: couts 0-7    ymm13: couts 8-15       weights of one channel pair
//   ymm14 (tile 0)   acc 0,0             acc 0,1
//   ...              ...                 ...                     ymm14: one tile's channel pair in all lanes
//   ymm14 (tile 5)   acc 5,0             acc 5,1                 12 accumulators; ymm15 holds the products
#include <immintrin.h>

#include "delegate/kernels/kernels.h"
#include "delegate/kernels/requantize_avx2.h"
#include "delegate/kernels/winograd_2d.h"

namespace tflite_eq {
namespace {

struct Avx2Ops {
  using Vectors = Avx2Ops;
  static constexpr int kLanes16 = 16;
  static constexpr int kLanes = 8;
  static constexpr int kVectors = 2;
  static constexpr int kChannelGroup = 2;
  static constexpr bool kInterleaved = true;
  static constexpr int kMaxTiles = 6;
  static constexpr int kTilesOfHeldWeights = 0;
  static constexpr size_t kHeldWeights = 0;
  using I16 = __m256i;
  using I32 = __m256i;

  static I16 LoadCodes(const int8_t* codes) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
  }
  static void Store16(int16_t* to, I16 value) { _mm256_store_si256(reinterpret_cast<__m256i*>(to), value); }
  static I16 Add16(I16 a, I16 b) { return _mm256_add_epi16(a, b); }
  static I16 Sub16(I16 a, I16 b) { return _mm256_sub_epi16(a, b); }
  template <int bits>
  static I16 Shl16(I16 a) {
    return _mm256_slli_epi16(a, bits);
  }
  static I32 Load32(const int32_t* from) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(from)); }
  static void Store32(int32_t* to, I32 value) { _mm256_store_si256(reinterpret_cast<__m256i*>(to), value); }
  static I32 Add32(I32 a, I32 b) { return _mm256_add_epi32(a, b); }
  static I32 Sub32(I32 a, I32 b) { return _mm256_sub_epi32(a, b); }
  template <int bits>
  static I32 Shl32(I32 a) {
    return _mm256_slli_epi32(a, bits);
  }

  template <int tiles>
  static void MultiplyTiles(const MultiplyArguments& arguments) {
    const int16_t* v = arguments.v;
    const int16_t* u = arguments.u;
    const char* prefetch = arguments.prefetch;
    const int pairs = arguments.groups;
    __m256i acc[tiles][2];
    for (int tile = 0; tile < tiles; ++tile) {
      acc[tile][0] = Load32(arguments.start);
      acc[tile][1] = Load32(arguments.start + 8);
    }
    constexpr int kBlockPairs = kBlockChannels / 2;
    for (int first = 0; first < pairs; first += kBlockPairs) {
      const int count = pairs - first < kBlockPairs ? pairs - first : kBlockPairs;
      const int16_t* codes = v;
      for (int pair = 0; pair < count; ++pair) {
        const __m256i weights0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(u));
        const __m256i weights1 = _mm256_load_si256(reinterpret_cast<const __m256i*>(u + 16));
#pragma GCC unroll 8
        for (int tile = 0; tile < tiles; ++tile) {
          int32_t both;
          memcpy(&both, codes + tile * kBlockChannels, sizeof(both));
          const __m256i broadcast = _mm256_set1_epi32(both);
          acc[tile][0] = _mm256_add_epi32(acc[tile][0], _mm256_madd_epi16(broadcast, weights0));
          acc[tile][1] = _mm256_add_epi32(acc[tile][1], _mm256_madd_epi16(broadcast, weights1));
        }
        _mm_prefetch(prefetch, _MM_HINT_T0);
        prefetch += arguments.prefetch_step;
        u += 32;
        codes += 2;
      }
      v += arguments.block_stride;
    }
    for (int tile = 0; tile < tiles; ++tile) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(arguments.m + tile * 16), acc[tile][0]);
      _mm256_store_si256(reinterpret_cast<__m256i*>(arguments.m + tile * 16 + 8), acc[tile][1]);
    }
  }

  static int TilesAtOnce(int wanted, int /*total*/) { return wanted; }

  static void Multiply(int tiles, const MultiplyArguments& arguments) {
    using Function = void (*)(const MultiplyArguments&);
    static constexpr Function kFunctions[kMaxTiles + 1] = {nullptr,          MultiplyTiles<1>, MultiplyTiles<2>,
                                                           MultiplyTiles<3>, MultiplyTiles<4>, MultiplyTiles<5>,
                                                           MultiplyTiles<6>};
    kFunctions[tiles](arguments);
  }

  static constexpr int kPreShift = 6;

  static constexpr bool kUsesLines = false;
  static constexpr bool kStoresTiles = false;
  static constexpr int kRowsAtOnce = 1;  // that the output transform unrolls

  struct Constants {
    Constants(const KernelContext& context, int first)
        : vectors(*context.requantization, first),
          r(*context.requantization),
          channel(first) {}
    RequantizeAvx2 vectors;
    const Requantization& r;
    int channel;
  };

  // acc from sums that are 576 * acc modulo 2^32 for F(4,3), 4 * acc for F(2,3).
  static constexpr int kF23ScaleBits = 2;
  template <int count>
  static I32 Divide(I32 y) {
    constexpr int kF43ScaleBits = 6;  // and the factor 9
    return count == 4 ? _mm256_srai_epi32(_mm256_mullo_epi32(y, _mm256_set1_epi32(0x38E38E39)), kF43ScaleBits)
                      : _mm256_srai_epi32(y, kF23ScaleBits);
  }

  static bool AtOnce(const KernelContext& context, int channel) { return context.requantization->pre_shift(channel) == kPreShift; }

  static I32 RequantizeAccumulators(const Constants& constants, I32 acc) {
    const I32 bias = RequantizeAvx2::Load(constants.r.late_bias() + constants.channel);
    return RequantizeAvx2::General(constants.r, constants.channel, _mm256_add_epi32(acc, bias));
  }

  // The division and the pre-shift meet: sums are 64 * 9 * acc modulo 2^32 for F(4,3), where 9 has an inverse, 4 * acc for
  // F(2,3), and requantization wants 64 * acc.
  template <int count>
  static __m256i Requantize(const Constants& constants, __m256i y) {
    if (count != 4) return constants.vectors.FromShifted(_mm256_slli_epi32(y, kPreShift - kF23ScaleBits));
    const __m256i inverse_of_nine = _mm256_set1_epi32(0x38E38E39);
    // Only the low half of each product is wanted, and only for the 32-bit lane vpmuldq reads next.
    const __m256i even = _mm256_mul_epu32(y, inverse_of_nine);
    const __m256i odd = _mm256_mul_epu32(RequantizeAvx2::OddLanes(y), inverse_of_nine);
    return constants.vectors.FromHalves(even, odd);
  }

  // Requantizes a row of a tile's outputs, sums of channels that are requantized at once or, if `divided`, accumulators of any.
  template <int count, bool divided>
  static void Store(const Constants& constants, const I32* y, int8_t* out, size_t pixel, int columns, int channels) {
    __m256i z[4];
    for (int i = 0; i < count; ++i) z[i] = divided ? RequantizeAccumulators(constants, y[i]) : Requantize<count>(constants, y[i]);
    for (int i = count; i < 4; ++i) z[i] = z[0];
    alignas(32) int8_t codes[4][8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(codes),
                       PackCodes(z[0], z[1], z[2], z[3], constants.r.activation_min(), constants.r.activation_max()));
    for (int column = 0; column < columns; ++column) {
      if (channels == kLanes) {
        memcpy(out + column * pixel, codes[column], kLanes);
      } else {
        memcpy(out + column * pixel, codes[column], channels);
      }
    }
  }
};

}  // namespace

const ConvKernel kWinogradF43Avx2 = Winograd2d<Avx2Ops, SchemeF43>::Kernel(Isa::kAvx2);
const ConvKernel kWinogradF23Avx2 = Winograd2d<Avx2Ops, SchemeF23>::Kernel(Isa::kAvx2);

}  // namespace tflite_eq
