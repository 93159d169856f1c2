// F(4x4,3x3) for AVX-512 with VNNI: products by vpdpwssd, which wraps (vpdpwssds saturates and would break the modulo-2^32 argument).
// F(2x2,3x3), which saves nothing here, is not built.
//
// The register tile is a row of six positions of four tiles, by 16 output channels: the sums of a row are all that the first half of the
// output transform needs, so that they become four without being stored.
//
//                                tile 0      tile 1      tile 2      tile 3
//   position 0: zmm weights      acc 0,0     acc 0,1     acc 0,2     acc 0,3
//   ...                          ...         ...         ...         ...            zmm: a tile's channel pair in all lanes
//   position 5: zmm weights      acc 5,0     acc 5,1     acc 5,2     acc 5,3        24 accumulators
//
// Per channel pair: 6 weight loads and 24 broadcasts for 24 vpdpwssd. What four tiles need lies in the first-level cache up to 32 input
// channels: their codes (9 KB), the weights of 16 output channels (18 KB for 16), and what the rows leave (6 KB). From more, weights
// stream from the second level, 16 bytes a cycle.
//
//   V  [four tiles][row][32-channel block][column][tile][32 channels]   int16
//   U  [16 output channels][row][column][channel pair][16][2]           int16
//   H  [row][output column][tile][16]                                   int32, of 16 output channels
#include <immintrin.h>

#include "delegate/kernels/kernels.h"
#include "delegate/kernels/requantize_avx512.h"
#include "delegate/kernels/winograd_2d.h"

namespace tflite_eq {
namespace {

struct Avx512Ops {
  static constexpr int kLanes16 = 32;
  static constexpr int kLanes = 16;
  static constexpr int kVectors = 1;
  static constexpr int kChannelGroup = 2;
  static constexpr bool kInterleaved = true;
  static constexpr int kMaxTiles = 4;
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

  static constexpr int kScaleBits = 6;  // of 576, and the factor 9
  static constexpr int kPreShift = 6;
  static constexpr bool kUsesLines = true;

  struct Constants {
    Constants(const KernelContext& context, int first)
        : r(*context.requantization),
          lines(*context.lines),
          channel(first),
          low(_mm512_set1_epi8(static_cast<char>(r.activation_min()))),
          high(_mm512_set1_epi8(static_cast<char>(r.activation_max()))) {}
    const Requantization& r;
    const FloatRequantization& lines;
    int channel;
    __m512i low;
    __m512i high;
  };

  // 2^6 * acc from sums that are 576 * acc, all modulo 2^32. F(2,3), which saves nothing here, is not built.
  static I32 DivideByNine(I32 y) { return _mm512_mullo_epi32(y, _mm512_set1_epi32(0x38E38E39)); }
  template <int count>
  static I32 Divide(I32 y) {
    static_assert(count == 4, "F(4,3)");
    return _mm512_srai_epi32(DivideByNine(y), kScaleBits);
  }

  static bool AtOnce(const KernelContext& context, int channel) { return context.lines->exact(channel); }

  static I32 RequantizeAccumulators(const Constants& constants, I32 acc) {
    if (constants.r.pre_shift(constants.channel) == kPreShift) {
      return RequantizeAvx512(constants.r, constants.channel).FromShifted(_mm512_slli_epi32(acc, kPreShift));
    }
    const I32 bias = _mm512_loadu_si512(constants.r.late_bias() + constants.channel);
    return RequantizeAvx512::General(constants.r, constants.channel, _mm512_add_epi32(acc, bias));
  }

  // A row of a tile's outputs, which are 576 * acc modulo 2^32, by lines. 2^6 * acc is a float as well as acc is, so that the line takes
  // the factor: it is a power of two, and the same product.
  template <int count>
  static void RequantizeSums(const Constants& constants, const I32* y, I32* z) {
    for (int i = 0; i < count; ++i) z[i] = DivideByNine(y[i]);
    const FloatRequantization& lines = constants.lines;
    for (int e = 0; e < lines.exceptions(constants.channel); ++e) {
      const I32 exception = _mm512_slli_epi32(_mm512_loadu_si512(lines.exception(e) + constants.channel), kScaleBits);
      const I32 substitute = _mm512_slli_epi32(_mm512_loadu_si512(lines.substitute(e) + constants.channel), kScaleBits);
      for (int i = 0; i < count; ++i) z[i] = _mm512_mask_mov_epi32(z[i], _mm512_cmpeq_epi32_mask(z[i], exception), substitute);
    }
    LinesAvx512 line(lines, constants.channel);
    line.scale = _mm512_mul_ps(line.scale, _mm512_set1_ps(1.0f / (1 << kScaleBits)));
    for (int i = 0; i < count; ++i) z[i] = line.Signed(z[i]);
  }

  // Requantizes a row of a tile's outputs, sums of channels that are requantized at once or, if `divided`, accumulators of any.
  template <int count, bool divided>
  static void Store(const Constants& constants, const I32* y, int8_t* out, size_t pixel, int columns, int channels) {
    __m512i z[count];
    if constexpr (divided) {
      for (int i = 0; i < count; ++i) z[i] = RequantizeAccumulators(constants, y[i]);
    } else {
      RequantizeSums<count>(constants, y, z);
    }
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

class WinogradF43 : public Winograd2d<Avx512Ops, SchemeF43> {
 public:
  static WorkPlan Plan(const ConvShape& shape, int workers) {
    WorkPlan plan;
    if (IsEmpty(shape)) return plan;
    const int groups = (TileGrid<SchemeF43>(shape, 1).tiles() + kTiles - 1) / kTiles;
    const size_t group_bytes = GroupSize(shape) * sizeof(int16_t);
    // There may be no input channels.
    int most = group_bytes > 0 ? static_cast<int>(kCodesTarget / group_bytes) : groups;
    if (most < kFewestGroups) most = kFewestGroups;
    int blocks = (groups - 1) / most + 1;
    const int wanted = (workers - 1) / shape.batch + 1;
    if (blocks < wanted) blocks = wanted < groups ? wanted : groups;
    const int block = (groups - 1) / blocks + 1;
    plan.unit_size = block * kTiles;
    plan.units = shape.batch * TileGrid<SchemeF43>(shape, plan.unit_size).blocks;
    plan.scratch_bytes = static_cast<size_t>(block) * group_bytes;
    return plan;
  }

  static void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output, void* scratch) {
    const ConvShape& shape = context.shape;
    const TileGrid<SchemeF43> grid(shape, plan.unit_size);
    const int image = unit / grid.blocks;
    const int first = unit % grid.blocks * grid.block;
    const int count = grid.tiles() - first < grid.block ? grid.tiles() - first : grid.block;
    input += static_cast<size_t>(image) * shape.input_height * shape.input_width * shape.input_channels;
    output += static_cast<size_t>(image) * shape.output_height * shape.output_width * shape.output_channels;

    auto* v = static_cast<int16_t*>(scratch);
    const ptrdiff_t blocks = Channels(shape) / kBlockChannels;
    constexpr ptrdiff_t kColumn = kTiles * kBlockChannels, kBlock = kColumn * SchemeF43::kInput;
    const CodeStrides strides = {blocks * kBlock, kColumn, kBlock};
    const size_t group_size = GroupSize(shape);
    for (int i = 0; i < count; ++i) {
      int16_t* to = v + i / kTiles * group_size + i % kTiles * kBlockChannels;
      TransformInput(context, input, (first + i) / grid.columns, (first + i) % grid.columns, {to, strides});
    }
    const Winograd2dWeights weights(context.packed, kFormat, shape);
    for (int cout = 0; cout < shape.output_channels; cout += kCout) {
      Place place = {first / grid.columns, first % grid.columns, grid.columns};
      for (int i = 0; i < count; i += kTiles) {
        RunGroup(context, weights, cout, v + i / kTiles * group_size, count - i < kTiles ? count - i : kTiles, &place, output);
      }
    }
  }

  static constexpr ConvKernel Kernel() {
    return {Algorithm::kWinogradF43, Isa::kAvx512Vnni, /*needs_fallback=*/false, Avx512Ops::kUsesLines, Certify, PackedBytes, Pack, Plan,
            Run, /*run_rows=*/nullptr};
  }

 private:
  using I32 = __m512i;
  static constexpr int kTiles = Avx512Ops::kMaxTiles;
  static constexpr int kInput = SchemeF43::kInput;
  static constexpr int kOutput = SchemeF43::kOutput;

  // Codes of a unit are few beside the weights in the second-level cache, but each weight is fetched for as many groups as that.
  static constexpr size_t kCodesTarget = 128 << 10;
  static constexpr int kFewestGroups = 7;

  // Of a group of tiles, in int16 values.
  static size_t GroupSize(const ConvShape& shape) { return static_cast<size_t>(kPositions) * kTiles * Channels(shape); }

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

  // Two products with a pair of codes, for 16 output channels. clang makes two instructions of the intrinsic function, for their latency,
  // where what counts here is how many there are.
  __attribute__((always_inline)) static void AddProducts(const int16_t* pair, I32 weights, I32* sum) {
    struct Pair {
      int16_t codes[2];
    };
    asm("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(*sum) : "v"(weights), "m"(*reinterpret_cast<const Pair*>(pair)));
  }

  // A row of sums of four tiles, over `pairs` of channels from the first of `v`, and the first half of the output transform.
  static void MultiplyRow(const int16_t* v, ptrdiff_t block_stride, const int16_t* u, ptrdiff_t position_size, int pairs,
                          const int32_t* start, int32_t* half) {
    I32 acc[kInput][kTiles];
    for (int position = 0; position < kInput; ++position) {
      for (I32& sum : acc[position]) sum = position == 1 ? _mm512_load_si512(start) : _mm512_setzero_si512();
    }
    constexpr int kBlockPairs = kBlockChannels / 2;
    for (int first = 0; first < pairs; first += kBlockPairs, v += block_stride) {
      const int16_t* codes = v;
      const int16_t* const end = v + 2 * (pairs - first < kBlockPairs ? pairs - first : kBlockPairs);
      for (; codes != end; codes += 2, u += 2 * kCout) {
#pragma GCC unroll 6
        for (int position = 0; position < kInput; ++position) {
          const I32 weights = _mm512_load_si512(u + position * position_size);
#pragma GCC unroll 4
          for (int tile = 0; tile < kTiles; ++tile) {
            AddProducts(codes + (position * kTiles + tile) * kBlockChannels, weights, &acc[position][tile]);
          }
        }
      }
    }
#pragma GCC unroll 4
    for (int tile = 0; tile < kTiles; ++tile) {
      I32 sums[kInput], y[kOutput];
#pragma GCC unroll 6
      for (int position = 0; position < kInput; ++position) sums[position] = acc[position][tile];
      SchemeF43::OutputTransform<Avx512Ops>(sums, y);
#pragma GCC unroll 4
      for (int column = 0; column < kOutput; ++column) _mm512_store_si512(half + (column * kTiles + tile) * kCout, y[column]);
    }
  }

  // The rest of the output transform, for one column of a tile's outputs.
  static void TransformColumn(const int32_t* half, I32* y) {
    I32 sums[kInput];
    for (int row = 0; row < kInput; ++row) sums[row] = _mm512_load_si512(half + row * kHalfRow);
    SchemeF43::OutputTransform<Avx512Ops>(sums, y);
  }
  static constexpr ptrdiff_t kHalfRow = kOutput * kTiles * kCout, kHalfColumn = kTiles * kCout;

  // 16 output channels of `tiles` tiles.
  static void RunGroup(const KernelContext& context, const Winograd2dWeights& weights, int cout, const int16_t* v, int tiles, Place* place,
                       int8_t* output) {
    const ConvShape& shape = context.shape;
    const int block = cout / kCout;
    const int parts = weights.parts(block);
    const ptrdiff_t position_size = weights.position(0, 1) - weights.position(0, 0);
    const ptrdiff_t block_stride = kInput * kTiles * kBlockChannels;
    alignas(64) int32_t half[kInput * kHalfRow];
    alignas(64) int32_t sums[kTiles * kSumsOfTile];
    const bool at_once = parts == 1 && Avx512Ops::AtOnce(context, cout);
    for (int part = 0; part < parts; ++part) {
      const int begin = WinogradPartBegin(shape.input_channels, parts, part);
      const int end = WinogradPartBegin(shape.input_channels, parts, part + 1);
      for (int row = 0; row < kInput; ++row) {
        const int position = row * kInput;
        MultiplyRow(v + (row * (Channels(shape) / kBlockChannels) + begin / kBlockChannels) * block_stride, block_stride,
                    weights.position(block, position) + static_cast<ptrdiff_t>(begin) * kCout, position_size, (end - begin + 1) / 2,
                    weights.initial(block, position + 1, part), half + row * kHalfRow);
      }
      for (int tile = 0; tile < tiles && !at_once; ++tile) AddPart(half + tile * kCout, part, sums + tile * kSumsOfTile);
    }
    for (int tile = 0; tile < tiles; ++tile, place->Advance()) {
      if (at_once) {
        Requantize(context, half + tile * kCout, *place, cout, output);
      } else {
        StoreSums(context, sums + tile * kSumsOfTile, place->row, place->column, cout, output);
      }
    }
  }

  static void AddPart(const int32_t* half, int part, int32_t* sums) {
    for (int column = 0; column < kOutput; ++column, half += kHalfColumn) {
      I32 y[kOutput];
      TransformColumn(half, y);
      for (int row = 0; row < kOutput; ++row) {
        int32_t* to = sums + (row * kOutput + column) * kCout;
        const I32 quotient = Avx512Ops::Divide<kOutput>(y[row]);
        _mm512_store_si512(to, part == 0 ? quotient : _mm512_add_epi32(_mm512_load_si512(to), quotient));
      }
    }
  }

  // A tile's outputs, column by column, where they lie inside the image.
  static void Requantize(const KernelContext& context, const int32_t* half, const Place& place, int cout, int8_t* output) {
    const ConvShape& shape = context.shape;
    const int y0 = place.row * kOutput, x0 = place.column * kOutput;
    const int rows = shape.output_height - y0 < kOutput ? shape.output_height - y0 : kOutput;
    const int columns = shape.output_width - x0 < kOutput ? shape.output_width - x0 : kOutput;
    const size_t pixel = shape.output_channels, line = pixel * shape.output_width;
    const int left = shape.output_channels - cout;
    int8_t* out = output + y0 * line + x0 * pixel + cout;
    const Avx512Ops::Constants constants(context, cout);
#pragma clang loop unroll(disable)
    for (int column = 0; column < columns; ++column, half += kHalfColumn, out += pixel) {
      I32 y[kOutput];
      TransformColumn(half, y);
      Avx512Ops::Store<kOutput, /*divided=*/false>(constants, y, out, line, rows, left < kCout ? left : kCout);
    }
  }
};

}  // namespace

const ConvKernel kWinogradF43Avx512 = WinogradF43::Kernel();

}  // namespace tflite_eq
