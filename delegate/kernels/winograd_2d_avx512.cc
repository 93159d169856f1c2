// F(4x4,3x3) and F(2x2,3x3) for AVX-512 with VNNI: products by vpdpwssd, which wraps (vpdpwssds saturates and would break the
// modulo-2^32 argument).
//
// Register tile of Multiply, up to 14 tiles x 32 output channels:
//
//                    zmm28: couts 0-15   zmm29: couts 16-31      weights of one channel pair
//   zmm30 (tile 0)   acc 0,0             acc 0,1
//   zmm30 (tile 1)   acc 1,0             acc 1,1                 zmm30: one tile's channel pair in all lanes
//   ...              ...                 ...
//   zmm30 (tile 13)  acc 13,0            acc 13,1                28 accumulators
//
// Per channel pair: 2 weight loads and 14 broadcasts for 28 vpdpwssd. Tiles are 64 bytes apart, so all addresses are one
// register plus a constant.
#include <immintrin.h>

#include "delegate/kernels/kernels.h"
#include "delegate/kernels/requantize_avx512.h"
#include "delegate/kernels/winograd_2d.h"

namespace tflite_eq {
namespace {

struct Avx512Ops {
  static constexpr int kLanes16 = 32;
  static constexpr int kLanes = 16;
  static constexpr int kVectors = 2;
  static constexpr int kChannelGroup = 2;
  static constexpr bool kInterleaved = true;
  static constexpr int kMaxTiles = 14;
  using I16 = __m512i;
  using I32 = __m512i;

  static I16 LoadCodes(const int8_t* codes) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)));
  }
  static void Store16(int16_t* to, I16 value) { _mm512_store_si512(to, value); }
  static I16 Add16(I16 a, I16 b) { return _mm512_add_epi16(a, b); }
  static I16 Sub16(I16 a, I16 b) { return _mm512_sub_epi16(a, b); }
  template <int bits>
  static I16 Shl16(I16 a) {
    return _mm512_slli_epi16(a, bits);
  }
  static I32 Load32(const int32_t* from) { return _mm512_load_si512(from); }
  static void Store32(int32_t* to, I32 value) { _mm512_store_si512(to, value); }
  static I32 Add32(I32 a, I32 b) { return _mm512_add_epi32(a, b); }
  static I32 Sub32(I32 a, I32 b) { return _mm512_sub_epi32(a, b); }
  template <int bits>
  static I32 Shl32(I32 a) {
    return _mm512_slli_epi32(a, bits);
  }

  template <int tiles>
  static void MultiplyTiles(const MultiplyArguments& arguments) {
    const int16_t* v = arguments.v;
    const int16_t* u = arguments.u;
    const char* prefetch = arguments.prefetch;
    const int pairs = arguments.groups;
    __m512i acc[tiles][2];
    for (int tile = 0; tile < tiles; ++tile) {
      acc[tile][0] = _mm512_load_si512(arguments.start);
      acc[tile][1] = _mm512_load_si512(arguments.start + 16);
    }
    constexpr int kBlockPairs = kBlockChannels / 2;
    for (int first = 0; first < pairs; first += kBlockPairs) {
      const int count = pairs - first < kBlockPairs ? pairs - first : kBlockPairs;
      const int16_t* codes = v;
      for (int pair = 0; pair < count; ++pair) {
        const __m512i weights0 = _mm512_load_si512(u);
        const __m512i weights1 = _mm512_load_si512(u + 32);
#pragma GCC unroll 16
        for (int tile = 0; tile < tiles; ++tile) {
          int32_t both;
          memcpy(&both, codes + tile * kBlockChannels, sizeof(both));
          const __m512i broadcast = _mm512_set1_epi32(both);
          acc[tile][0] = _mm512_dpwssd_epi32(acc[tile][0], broadcast, weights0);
          acc[tile][1] = _mm512_dpwssd_epi32(acc[tile][1], broadcast, weights1);
        }
        _mm_prefetch(prefetch, _MM_HINT_T0);
        prefetch += arguments.prefetch_step;
        u += 64;
        codes += 2;
      }
      v += arguments.block_stride;
    }
    for (int tile = 0; tile < tiles; ++tile) {
      _mm512_store_si512(arguments.m + tile * 32, acc[tile][0]);
      _mm512_store_si512(arguments.m + tile * 32 + 16, acc[tile][1]);
    }
  }

  // Each size takes room: those that images of 14, 20, 24, 28, 40 and 56 pixels are cut into, for one worker or two, and a few small ones.
  static constexpr int kSizes[] = {1, 2, 4, 8, 9, 12, 13, 14};

  // As many of `total` tiles as come closest to so many: more, if there are.
  static int TilesAtOnce(int wanted, int total) {
    int below = 1;
    for (int size : kSizes) {
      if (size >= wanted && size <= total) return size;
      if (size < wanted) below = size;
    }
    return below;
  }

  static void Multiply(int tiles, const MultiplyArguments& arguments) {
    using Function = void (*)(const MultiplyArguments&);
    static constexpr Function kFunctions[kMaxTiles + 1] = {
        nullptr, MultiplyTiles<1>, MultiplyTiles<2>, nullptr, MultiplyTiles<4>,  nullptr,           nullptr,          nullptr,
        MultiplyTiles<8>, MultiplyTiles<9>, nullptr, nullptr, MultiplyTiles<12>, MultiplyTiles<13>, MultiplyTiles<14>};
    kFunctions[tiles](arguments);
  }

  static constexpr int kPreShift = 6;

  struct Constants {
    Constants(const Requantization& requantization, int first)
        : vectors(requantization, first),
          low(_mm512_set1_epi8(static_cast<char>(requantization.activation_min()))),
          high(_mm512_set1_epi8(static_cast<char>(requantization.activation_max()))),
          r(requantization),
          channel(first) {}
    RequantizeAvx512 vectors;
    __m512i low;
    __m512i high;
    const Requantization& r;
    int channel;
  };

  // acc from sums that are 576 * acc modulo 2^32. F(2,3), which saves nothing here, is not built.
  template <int count>
  static I32 Divide(I32 y) {
    static_assert(count == 4, "F(4,3)");
    constexpr int kScaleBits = 6;  // and the factor 9
    return _mm512_srai_epi32(_mm512_mullo_epi32(y, _mm512_set1_epi32(0x38E38E39)), kScaleBits);
  }

  static bool AtOnce(const Requantization& requantization, int channel) { return requantization.pre_shift(channel) == kPreShift; }

  static I32 RequantizeAccumulators(const Constants& constants, I32 acc) {
    const I32 bias = _mm512_loadu_si512(constants.r.late_bias() + constants.channel);
    return RequantizeAvx512::General(constants.r, constants.channel, _mm512_add_epi32(acc, bias));
  }

  // The division and the pre-shift meet: sums are 64 * 9 * acc modulo 2^32, where 9 has an inverse, and requantization wants 64 * acc.
  static __m512i Requantize(const Constants& constants, __m512i y) {
    const __m512i inverse_of_nine = _mm512_set1_epi32(0x38E38E39);
    // Only the low half of each product is wanted, and only for the 32-bit lane vpmuldq reads next.
    const __m512i even = _mm512_mul_epu32(y, inverse_of_nine);
    const __m512i odd = _mm512_mul_epu32(RequantizeAvx512::OddLanes(y), inverse_of_nine);
    return constants.vectors.FromHalves(even, odd);
  }

  // Requantizes a row of a tile's outputs, sums of channels that are requantized at once or, if `divided`, accumulators of any.
  template <int count, bool divided>
  static void Store(const Constants& constants, const I32* y, int8_t* out, size_t pixel, int columns, int channels) {
    __m512i z[count];
    for (int i = 0; i < count; ++i) z[i] = divided ? RequantizeAccumulators(constants, y[i]) : Requantize(constants, y[i]);
    const __m512i bytes = PackCodes(z[0], z[1], z[2], z[3], constants.low, constants.high);
    const __mmask16 mask = static_cast<__mmask16>((1u << channels) - 1);
    StoreColumn<0>(out, pixel, columns, mask, bytes);
    StoreColumn<1>(out, pixel, columns, mask, bytes);
    StoreColumn<2>(out, pixel, columns, mask, bytes);
    StoreColumn<3>(out, pixel, columns, mask, bytes);
  }

  template <int column>
  static void StoreColumn(int8_t* out, size_t pixel, int columns, __mmask16 mask, __m512i bytes) {
    if (column >= columns) return;
    const __m128i codes = _mm512_extracti32x4_epi32(bytes, column);
    if (mask == 0xffff) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + column * pixel), codes);
    } else {
      _mm_mask_storeu_epi8(out + column * pixel, mask, codes);
    }
  }
};

}  // namespace

const ConvKernel kWinogradF43Avx512 = Winograd2d<Avx512Ops, SchemeF43>::Kernel(Isa::kAvx512Vnni);

}  // namespace tflite_eq
