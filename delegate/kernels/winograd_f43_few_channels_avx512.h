// F(4x4,3x3) for AVX-512 with VNNI, of layers with up to 32 input channels: products by vpdpwssd, which wraps.
//
// The register tile is a row of six positions of four tiles, by 16 output channels: the sums of a row are all that the first half of the
// output transform needs, so that they become four without being stored. With few products for a sum, what took longer than they were
// the sums' way through the second-level cache and back.
//
//                                tile 0      tile 1      tile 2      tile 3
//   position 0: zmm weights      acc 0,0     acc 0,1     acc 0,2     acc 0,3
//   ...                          ...         ...         ...         ...            memory: a tile's channel pair for all lanes
//   position 5: zmm weights      acc 5,0     acc 5,1     acc 5,2     acc 5,3        24 accumulators
//
// Per channel pair: 6 weight loads, and 24 vpdpwssd that read a pair each. What four tiles need lies in the first-level cache: their codes
// (9 KB), the weights of 16 output channels (up to 36 KB), and what the rows leave (6 KB). With more channels weights would stream from
// the second level, which 14 tiles at a time do less (winograd_2d_avx512.cc).
//
//   V  [four tiles][row][column][tile][32 channels]                int16
//   U  [16 output channels][row][column][channel pair][16][2]      int16
//   H  [row][output column][tile][16]                              int32, of 16 output channels
#ifndef TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_F43_FEW_CHANNELS_AVX512_H_
#define TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_F43_FEW_CHANNELS_AVX512_H_

#include <immintrin.h>

#include "delegate/kernels/winograd_2d.h"
#include "delegate/kernels/winograd_2d_avx512.h"

namespace tflite_eq {
namespace {

struct FewChannelsOps : WinogradAvx512 {
  static constexpr int kVectors = 1;
  static constexpr int kMaxTiles = 4;
};

// Their sums never exceed the bound, so that they are not multiplied in parts.
constexpr bool HasFewChannels(const ConvShape& shape) { return shape.input_channels <= kBlockChannels; }
static_assert(9 * kBlockChannels * 128 * 255 < 1 << kWinogradF43Bits, "the bound");

class WinogradFewChannels : public Winograd2d<FewChannelsOps, SchemeF43> {
 public:
  static WorkPlan Plan(const ConvShape& shape, int workers) {
    WorkPlan plan;
    if (IsEmpty(shape)) return plan;
    const int groups = (TileGrid<SchemeF43>(shape, 1).tiles() + kTiles - 1) / kTiles;
    int blocks = (groups - 1) / kMostGroups + 1;
    const int wanted = (workers - 1) / shape.batch + 1;
    if (blocks < wanted) blocks = wanted < groups ? wanted : groups;
    const int block = (groups - 1) / blocks + 1;
    plan.unit_size = block * kTiles;
    plan.units = shape.batch * TileGrid<SchemeF43>(shape, plan.unit_size).blocks;
    plan.scratch_bytes = static_cast<size_t>(block) * kGroup * sizeof(int16_t);
    return plan;
  }

  static void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output, void* scratch) {
    const ConvShape& shape = context.shape;
    const TileGrid<SchemeF43> grid(shape, plan.unit_size);
    const int image = unit / grid.blocks;
    const int first = unit % grid.blocks * grid.block;
    const int count = grid.tiles() - first < grid.block ? grid.tiles() - first : grid.block;
    input += static_cast<size_t>(image) * shape.input_height * shape.input_width * shape.input_channels;
    output += static_cast<size_t>(image) * shape.output_height * shape.output_width * context.output_pixel();

    auto* v = static_cast<int16_t*>(scratch);
    for (int i = 0; i < count; ++i) {
      int16_t* to = v + i / kTiles * kGroup + i % kTiles * kBlockChannels;
      WinogradInput<WinogradAvx512, SchemeF43>::Run(context, input, (first + i) / grid.columns, (first + i) % grid.columns,
                                                    {to, {kRow, kColumn, 0}});
    }
    const Winograd2dWeights weights(context.packed, kFormat, shape);
    const int groups = (count + kTiles - 1) / kTiles;
    for (int cout = 0; cout < shape.output_channels; cout += kCout) {
      Place place = {first / grid.columns, first % grid.columns, grid.columns};
      // The weights of the next output channels, which may come from the third-level cache or from memory: each pair of channels asks for
      // its share of them.
      Prefetch prefetch = {reinterpret_cast<const char*>(weights.position(cout / kCout + 1, 0)), kInput * kLineBytes / groups};
      for (int i = 0; i < count; i += kTiles) {
        alignas(64) int32_t half[kInput * kHalfRow];
        Multiply(weights, cout / kCout, shape.input_channels, v + i / kTiles * kGroup, &prefetch, half);
        for (int tile = 0; tile < kTiles && i + tile < count; ++tile, place.Advance()) {
          Finish(context, half + tile * kCout, place, cout, output);
        }
      }
    }
  }

 private:
  using I32 = __m512i;
  static constexpr int kTiles = FewChannelsOps::kMaxTiles;
  static constexpr int kInput = SchemeF43::kInput;
  static constexpr int kOutput = SchemeF43::kOutput;
  static constexpr int kLineBytes = 64;

  // Distances in V, of which a unit has so many groups of tiles that weights are fetched from the second level for many of them, and
  // leaves most of that level to weights.
  static constexpr ptrdiff_t kColumn = kTiles * kBlockChannels;
  static constexpr ptrdiff_t kRow = kInput * kColumn;
  static constexpr ptrdiff_t kGroup = kInput * kRow;
  static constexpr int kMostGroups = (128 << 10) / (kGroup * sizeof(int16_t));
  // In H.
  static constexpr ptrdiff_t kHalfColumn = kTiles * kCout;
  static constexpr ptrdiff_t kHalfRow = kOutput * kHalfColumn;

  // Tiles one after the other.
  struct Place {
    int row;
    int column;
    int columns;
    void Advance() {
      if (++column < columns) return;
      column = 0;
      ++row;
    }
  };

  struct Prefetch {
    const char* next;
    ptrdiff_t step;
  };

  // Two products with a pair of codes, for 16 output channels. clang makes two instructions of the intrinsic function, for their latency,
  // where what counts here is how many there are.
  __attribute__((always_inline)) static void AddProducts(const int16_t* pair, I32 weights, I32* sum) {
    struct Pair {
      int16_t codes[2];
    };
    asm("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(*sum) : "v"(weights), "m"(*reinterpret_cast<const Pair*>(pair)));
  }

  // All rows of a group of tiles for 16 output channels: sums, and the first half of the output transform.
  static void Multiply(const Winograd2dWeights& weights, int block, int channels, const int16_t* v, Prefetch* prefetch, int32_t* half) {
    const ptrdiff_t position_size = weights.position(0, 1) - weights.position(0, 0);
    const char* ahead = prefetch->next;
    for (int row = 0; row < kInput; ++row, v += kRow, half += kHalfRow) {
      const int16_t* u = weights.position(block, row * kInput);
      const int32_t* start = weights.initial(block, row * kInput + kBiasColumn, 0);
      I32 acc[kInput][kTiles];
#pragma GCC unroll 6
      for (int column = 0; column < kInput; ++column) {
        for (I32& sum : acc[column]) sum = column == kBiasColumn ? _mm512_load_si512(start) : _mm512_setzero_si512();
      }
      for (int channel = 0; channel < channels; channel += 2, u += 2 * kCout, ahead += prefetch->step) {
        _mm_prefetch(ahead, _MM_HINT_T1);
#pragma GCC unroll 6
        for (int column = 0; column < kInput; ++column) {
          const I32 weights_of_column = _mm512_load_si512(u + column * position_size);
#pragma GCC unroll 4
          for (int tile = 0; tile < kTiles; ++tile) {
            AddProducts(v + channel + (column * kTiles + tile) * kBlockChannels, weights_of_column, &acc[column][tile]);
          }
        }
      }
#pragma GCC unroll 4
      for (int tile = 0; tile < kTiles; ++tile) {
        I32 sums[kInput], y[kOutput];
#pragma GCC unroll 6
        for (int column = 0; column < kInput; ++column) sums[column] = acc[column][tile];
        SchemeF43::OutputTransform<FewChannelsOps>(sums, y);
#pragma GCC unroll 4
        for (int column = 0; column < kOutput; ++column) _mm512_store_si512(half + column * kHalfColumn + tile * kCout, y[column]);
      }
    }
    prefetch->next = ahead;
  }
  // Of the position whose sums begin with the bias (winograd_2d_weights.h).
  static constexpr int kBiasColumn = 1;

  // The rest of the output transform of a tile, requantized and stored, column by column, where it lies inside the image.
  static void Finish(const KernelContext& context, const int32_t* half, const Place& place, int cout, int8_t* output) {
    const ConvShape& shape = context.shape;
    const int y0 = place.row * kOutput, x0 = place.column * kOutput;
    const int rows = shape.output_height - y0 < kOutput ? shape.output_height - y0 : kOutput;
    const int columns = shape.output_width - x0 < kOutput ? shape.output_width - x0 : kOutput;
    const size_t pixel = context.output_pixel(), line = pixel * shape.output_width;
    const int left = shape.output_channels - cout;
    int8_t* out = output + y0 * line + x0 * pixel + cout;
    const FewChannelsOps::Constants constants(context, cout);
#pragma clang loop unroll(disable)
    for (int column = 0; column < columns; ++column, half += kHalfColumn, out += pixel) {
      I32 sums[kInput], y[kOutput];
      for (int row = 0; row < kInput; ++row) sums[row] = _mm512_load_si512(half + row * kHalfRow);
      SchemeF43::OutputTransform<FewChannelsOps>(sums, y);
      FewChannelsOps::Store<kOutput, /*divided=*/false>(constants, y, out, line, rows, left < kCout ? left : kCout);
    }
  }
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_F43_FEW_CHANNELS_AVX512_H_
