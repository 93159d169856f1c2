// F(4x4,3x3) for AVX-512 with VNNI: products by vpdpwssd, which wraps (vpdpwssds saturates and would break the
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
//
// Layers of few input channels have a form of their own (winograd_f43_few_channels_avx512.h).
#include <immintrin.h>

#include "delegate/kernels/kernels.h"
#include "delegate/kernels/winograd_2d.h"
#include "delegate/kernels/winograd_2d_avx512.h"
#include "delegate/kernels/winograd_f43_few_channels_avx512.h"

namespace tflite_eq {
namespace {

struct Avx512Ops : WinogradAvx512 {
  static constexpr int kVectors = 2;
  static constexpr int kMaxTiles = 14;
  static constexpr int kTilesOfHeldWeights = 0;
  static constexpr size_t kHeldWeights = 0;

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

  // Each size takes room: those that images of 20, 24, 28, 40 and 56 pixels are cut into, for one worker or two, and a few small ones.
  static constexpr int kSizes[] = {1, 4, 9, 12, 13, 14};

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
        nullptr, MultiplyTiles<1>, nullptr, nullptr, MultiplyTiles<4>,  nullptr,           nullptr,          nullptr,
        nullptr, MultiplyTiles<9>, nullptr, nullptr, MultiplyTiles<12>, MultiplyTiles<13>, MultiplyTiles<14>};
    kFunctions[tiles](arguments);
  }
};

using ManyChannels = Winograd2d<Avx512Ops, SchemeF43>;

size_t PackedBytes(const ConvProblem& problem) {
  return HasFewChannels(problem.shape) ? WinogradFewChannels::PackedBytes(problem) : ManyChannels::PackedBytes(problem);
}

void Pack(const ConvProblem& problem, void* packed) {
  HasFewChannels(problem.shape) ? WinogradFewChannels::Pack(problem, packed) : ManyChannels::Pack(problem, packed);
}

WorkPlan Plan(const ConvShape& shape, int workers) {
  return HasFewChannels(shape) ? WinogradFewChannels::Plan(shape, workers) : ManyChannels::Plan(shape, workers);
}

void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output, void* scratch) {
  const auto run = HasFewChannels(context.shape) ? WinogradFewChannels::Run : ManyChannels::Run;
  run(context, plan, unit, input, output, scratch);
}

}  // namespace

const ConvKernel kWinogradF43Avx512 = {Algorithm::kWinogradF43, Isa::kAvx512Vnni, /*needs_fallback=*/false, Avx512Ops::kUsesLines,
                                       ManyChannels::Certify, PackedBytes, Pack, Plan, Run, /*run_rows=*/nullptr,
                                       /*places_outputs=*/true};

}  // namespace tflite_eq
