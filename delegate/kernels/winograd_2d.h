// Two-dimensional Winograd convolution F(m x m, 3x3) in exact integers, written once for every instruction set.
//
// Derivation. With the rational matrices A, B, G of F(m,3), conv = A^T [ (G w G^T) . (B^T x B) ] A. G is scaled per row to
// integers and A^T absorbs what the rows' scales differ by, so that the pipeline yields `kScale` times the convolution:
// 24 per dimension for F(4,3), 2 for F(2,3).
//
//   * Transformed codes and weights fit in int16 for every int8 code and weight: the rows of B^T have absolute sums <= 10
//     (F(4,3): |x'| <= 100 * 128 = 12 800), those of G <= 12 (|w'| <= 144 * 128 = 18 432).
//   * Products are summed in int32 *modulo 2^32*, on purpose without saturation. Addition and multiplication modulo 2^32
//     are exact as congruences, so whatever overflows in between, the result is kScale * acc modulo 2^32.
//   * F(4,3): 576 = 9 * 64 and 9 is odd, so multiplying by 9^-1 modulo 2^32 leaves 64 * acc modulo 2^32, which is 64 * acc
//     itself when |acc| < 2^25: the certificate. F(2,3) leaves 4 * acc, exact when |acc| < 2^29.
//   * A cout block whose weights exceed that bound is multiplied in parts of its input channels (certificate.h): each part's sums
//     are transformed and divided by themselves, and the quotients, which are parts of the accumulator, are added.
//   * Kernels see raw codes: padding reads as the zero point, and -zero_point * sum(w) is folded into the bias. The bias,
//     times kScale, is the initial value of the one accumulator that A^T passes to all outputs with weight 1.
//
// The order of work, for a block of tiles of one image: transform all its input; then for each group of output channels
// ("cout block") multiply the 36 (16) positions as small matrices and transform the sums back, while they are in cache.
//
//   V  [position][32-channel block][tile][32 channels]   int16, a cache line per (tile, block)
//   U  [cout block][position][channel group]...          int16, read strictly in order (winograd_2d_weights.h)
//   M  [position][tile][lane]                            int32
//
// An instruction set provides `Ops` (see winograd_2d_scalar.cc for the plainest one). All of this is in an unnamed namespace
// since each including file is compiled with different machine options.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_2D_H_
#define TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_2D_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "delegate/kernels/certificate.h"
#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/geometry.h"
#include "delegate/kernels/winograd_2d_weights.h"

namespace tflite_eq {
namespace {

constexpr int kBlockChannels = 32;  // int16 channels in a cache line
static_assert(kWinogradPartChannels == kBlockChannels, "parts are whole channel blocks");

// One multiplication: a group of tiles at one position, for one cout block. Handed over by reference: the innermost loops are
// short, and copying such a structure onto the stack for each call stalls on store forwarding.
struct MultiplyArguments {
  const int16_t* v;      // the group's first tile, first channel block
  size_t block_stride;   // int16 values from one channel block to the next
  const int16_t* u;
  int groups;            // of input channels
  const int32_t* start;  // where the accumulators begin
  int32_t* m;
  // Weights wanted next, and how many bytes to advance per group. Those of the deeper layers come from the third-level
  // cache or from memory, in an order the hardware guesses too late; each multiplication asks for a share of the next
  // position's while it works on this one's.
  const char* prefetch;
  int prefetch_step;
};

// F(4,3): the transforms of one row or column. The input transform costs 17 additions and shifts, the output one 13.
struct SchemeF43 {
  static constexpr int kOutput = 4;
  static constexpr int kInput = 6;
  static constexpr Algorithm kAlgorithm = Algorithm::kWinogradF43;

  template <typename Ops>
  static void InputTransform(const typename Ops::I16* d, typename Ops::I16* v) {
    // Rows of B^T: (4 0 -5 0 1 0), (0 -4 -4 1 1 0), (0 4 -4 -1 1 0), (0 -2 -1 2 1 0), (0 2 -1 -2 1 0), (0 4 0 -5 0 1).
    const auto d42 = Ops::Sub16(d[4], d[2]);
    const auto d31 = Ops::Sub16(d[3], d[1]);
    const auto twice_d31 = Ops::Add16(d31, d31);
    const auto even = Ops::Sub16(d[4], Ops::template Shl16<2>(d[2]));
    const auto odd = Ops::Sub16(d[3], Ops::template Shl16<2>(d[1]));
    v[0] = Ops::Add16(Ops::template Shl16<2>(Ops::Sub16(d[0], d[2])), d42);
    v[1] = Ops::Add16(even, odd);
    v[2] = Ops::Sub16(even, odd);
    v[3] = Ops::Add16(d42, twice_d31);
    v[4] = Ops::Sub16(d42, twice_d31);
    v[5] = Ops::Sub16(Ops::Sub16(d[5], d[3]), Ops::Add16(twice_d31, twice_d31));
  }

  template <typename Ops>
  static void OutputTransform(const typename Ops::I32* m, typename Ops::I32* y) {
    // Rows of A^T: (1 1 1 1 1 0), (0 1 -1 2 -2 0), (0 1 1 4 4 0), (0 1 -1 8 -8 4).
    const auto sum12 = Ops::Add32(m[1], m[2]);
    const auto difference12 = Ops::Sub32(m[1], m[2]);
    const auto sum34 = Ops::Add32(m[3], m[4]);
    const auto difference34 = Ops::Sub32(m[3], m[4]);
    const auto twice34 = Ops::Add32(difference34, difference34);
    y[0] = Ops::Add32(Ops::Add32(m[0], sum12), sum34);
    y[1] = Ops::Add32(difference12, twice34);
    y[2] = Ops::Add32(sum12, Ops::template Shl32<2>(sum34));
    y[3] = Ops::Add32(difference12, Ops::template Shl32<2>(Ops::Add32(twice34, m[5])));
  }
};

// F(2,3).
struct SchemeF23 {
  static constexpr int kOutput = 2;
  static constexpr int kInput = 4;
  static constexpr Algorithm kAlgorithm = Algorithm::kWinogradF23;

  template <typename Ops>
  static void InputTransform(const typename Ops::I16* d, typename Ops::I16* v) {
    // Rows of B^T: (1 0 -1 0), (0 1 1 0), (0 -1 1 0), (0 -1 0 1).
    v[0] = Ops::Sub16(d[0], d[2]);
    v[1] = Ops::Add16(d[1], d[2]);
    v[2] = Ops::Sub16(d[2], d[1]);
    v[3] = Ops::Sub16(d[3], d[1]);
  }

  template <typename Ops>
  static void OutputTransform(const typename Ops::I32* m, typename Ops::I32* y) {
    // Rows of A^T: (1 1 1 0), (0 1 -1 1).
    y[0] = Ops::Add32(m[0], Ops::Add32(m[1], m[2]));
    y[1] = Ops::Add32(Ops::Sub32(m[1], m[2]), m[3]);
  }
};

// Tiles of one image, and how they are cut into units of work.
template <typename Scheme>
struct TileGrid {
  int rows;
  int columns;
  int block;  // tiles in a unit
  int blocks;

  explicit TileGrid(const ConvShape& shape, int tiles_in_block)
      : rows((shape.output_height + Scheme::kOutput - 1) / Scheme::kOutput),
        columns((shape.output_width + Scheme::kOutput - 1) / Scheme::kOutput),
        block(tiles_in_block),
        blocks((tiles() + tiles_in_block - 1) / tiles_in_block) {}
  int tiles() const { return rows * columns; }
};

// How far apart the transformed codes of a tile are, in int16 values: positions one below the other and side by side, blocks of channels.
struct CodeStrides {
  ptrdiff_t row;
  ptrdiff_t column;
  ptrdiff_t block;
};
struct TransformedTile {
  int16_t* first;
  CodeStrides strides;
};

// The input transform. `Ops` needs no more than vectors for it, so that forms of a kernel that share these share it.
template <typename Ops, typename Scheme>
class WinogradInput {
 public:
  // Transforms one tile, all channels.
  __attribute__((noinline)) static void Run(const KernelContext& context, const int8_t* input, int tile_row, int tile_column,
                                            const TransformedTile& tile) {
    const ConvShape& shape = context.shape;
    const int y = tile_row * Scheme::kOutput - shape.pad_top;
    const int x = tile_column * Scheme::kOutput - shape.pad_left;
    const bool inside = y >= 0 && x >= 0 && y + Scheme::kInput <= shape.input_height &&
                        x + Scheme::kInput <= shape.input_width;
    const ptrdiff_t column_stride = shape.input_channels;
    const ptrdiff_t row_stride = column_stride * shape.input_width;
    const int8_t* corner = input + y * row_stride + x * column_stride;
    // What is read past the last channel meets zero weights: it need be nothing but memory.
    const int8_t* const end = input + row_stride * shape.input_height;
    const ptrdiff_t last = (Scheme::kInput - 1) * (row_stride + column_stride) + kBlockChannels;
    int16_t* v = tile.first;
    for (int channel = 0; channel < shape.input_channels; channel += kBlockChannels) {
      if (inside && end - corner >= channel + last) {
        TransformBlock(corner + channel, row_stride, column_stride, v, tile.strides);
      } else {
        alignas(64) int8_t patch[kPositions * kBlockChannels];
        CopyPatch(context, input, y, x, channel, patch);
        TransformBlock(patch, Scheme::kInput * kBlockChannels, kBlockChannels, v, tile.strides);
      }
      v += tile.strides.block;
    }
  }

 private:
  static constexpr int kPositions = Scheme::kInput * Scheme::kInput;

  // A patch that reaches over the edge of the image or the last channel. What lies outside the image reads as the zero point;
  // channels past the last meet zero weights, and are zero as well.
  static void CopyPatch(const KernelContext& context, const int8_t* input, int y0, int x0, int channel, int8_t* patch) {
    const ConvShape& shape = context.shape;
    const int left = shape.input_channels - channel;
    const size_t bytes = left < kBlockChannels ? left : kBlockChannels;
    if (bytes < kBlockChannels) memset(patch, 0, kPositions * kBlockChannels);
    for (int row = 0; row < Scheme::kInput; ++row) {
      for (int column = 0; column < Scheme::kInput; ++column, patch += kBlockChannels) {
        const int y = y0 + row;
        const int x = x0 + column;
        if (y < 0 || x < 0 || y >= shape.input_height || x >= shape.input_width) {
          memset(patch, context.input_zero_point, bytes);
        } else if (bytes == kBlockChannels) {
          memcpy(patch, input + (static_cast<size_t>(y) * shape.input_width + x) * shape.input_channels + channel,
                 kBlockChannels);
        } else {
          memcpy(patch, input + (static_cast<size_t>(y) * shape.input_width + x) * shape.input_channels + channel, bytes);
        }
      }
    }
  }

  // B^T x B for 32 channels, as many at a time as a vector holds.
  static void TransformBlock(const int8_t* x, ptrdiff_t row_stride, ptrdiff_t column_stride, int16_t* v, const CodeStrides& strides) {
    using I16 = typename Ops::I16;
    constexpr int n = Scheme::kInput;
    for (int c = 0; c < kBlockChannels; c += Ops::kLanes16) {
      I16 rows[n][n];  // [position along columns][row]
      for (int row = 0; row < n; ++row) {
        I16 d[n];
        I16 t[n];
        for (int column = 0; column < n; ++column) {
          d[column] = Ops::LoadCodes(x + row * row_stride + column * column_stride + c);
        }
        Scheme::template InputTransform<Ops>(d, t);
        for (int i = 0; i < n; ++i) rows[i][row] = t[i];
      }
      for (int i = 0; i < n; ++i) {
        I16 t[n];
        Scheme::template InputTransform<Ops>(rows[i], t);
        for (int row = 0; row < n; ++row) Ops::Store16(v + row * strides.row + i * strides.column + c, t[row]);
      }
    }
  }
};

template <typename Ops, typename Scheme>
class Winograd2d {
 public:
  static constexpr int kPositions = Scheme::kInput * Scheme::kInput;
  static constexpr int kCout = Ops::kVectors * Ops::kLanes;  // output channels in a cout block

  static constexpr Winograd2dFormat kFormat = {Scheme::kOutput, kCout, Ops::kChannelGroup, Ops::kInterleaved};

  static bool Certify(const ConvProblem& problem, Reason* reason) {
    return Scheme::kAlgorithm == Algorithm::kWinogradF43 ? CertifyWinogradF43(problem, reason)
                                                         : CertifyWinogradF23(problem, reason);
  }

  static size_t PackedBytes(const ConvProblem& problem) {
    return Winograd2dPackedBytes(kFormat, problem);
  }

  static void Pack(const ConvProblem& problem, void* packed) {
    PackWinograd2d(kFormat, problem, packed);
  }

  static WorkPlan Plan(const ConvShape& shape, int workers) {
    WorkPlan plan;
    if (IsEmpty(shape)) return plan;
    const int tiles = TileGrid<Scheme>(shape, 1).tiles();
    // Transformed codes and sums of a block stay in the second-level cache, and each weight is used for many tiles. Blocks of
    // equal size: a last block of a few tiles would use the weights badly.
    const size_t tile_bytes = kPositions * (Channels(shape) * sizeof(int16_t) + kCout * sizeof(int32_t));
    int most = static_cast<int>(kScratchTarget / tile_bytes);
    if (most < 2 * Ops::kMaxTiles) most = 2 * Ops::kMaxTiles;
    if (most > kMaxBlock) most = kMaxBlock;
    // Weights that stay in the second-level cache may be read for as few tiles as have their sums in the first-level cache.
    if (Ops::kTilesOfHeldWeights > 0 && WeightBytes(shape) <= Ops::kHeldWeights) most = Ops::kTilesOfHeldWeights;
    int blocks = (tiles - 1) / most + 1;
    const int wanted = (workers - 1) / shape.batch + 1;
    if (blocks < wanted) blocks = wanted < tiles ? wanted : tiles;
    const int block = (tiles - 1) / blocks + 1;
    plan.unit_size = block;
    plan.units = shape.batch * TileGrid<Scheme>(shape, block).blocks;
    plan.scratch_bytes = VBytes(shape, block) + kMBytes + (MayNeedParts(shape) ? kSumsBytes : 0);
    return plan;
  }

  static void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
                  void* scratch) {
    const ConvShape& shape = context.shape;
    const TileGrid<Scheme> grid(shape, plan.unit_size);
    const int image = unit / grid.blocks;
    const int first = unit % grid.blocks * grid.block;
    const int count = grid.tiles() - first < grid.block ? grid.tiles() - first : grid.block;
    input += static_cast<size_t>(image) * shape.input_height * shape.input_width * shape.input_channels;
    output += static_cast<size_t>(image) * shape.output_height * shape.output_width * context.output_pixel();

    int16_t* v = static_cast<int16_t*>(scratch);
    int32_t* m = reinterpret_cast<int32_t*>(static_cast<char*>(scratch) + VBytes(shape, plan.unit_size));
    const auto plane = static_cast<ptrdiff_t>(VPlane(shape, count));
    const CodeStrides strides = {Scheme::kInput * plane, plane, static_cast<ptrdiff_t>(count) * kBlockChannels};
    for (int i = 0; i < count; ++i) {
      const int tile = first + i;
      WinogradInput<typename Ops::Vectors, Scheme>::Run(context, input, tile / grid.columns, tile % grid.columns,
                                                        {v + i * kBlockChannels, strides});
    }
    const Winograd2dWeights weights(context.packed, kFormat, shape);
    for (int cout = 0; cout < shape.output_channels; cout += kCout) {
      const int parts = weights.parts(cout / kCout);
      int32_t* sums = m + kPositions * kMPlane;
      for (int part = 0; part < parts; ++part) {
        Multiply(context, weights, cout / kCout, part, v, count, m);
        for (int i = 0; parts > 1 && i < count; ++i) AddPart(m + i * kCout, part, sums + i * kSumsOfTile);
      }
      const bool at_once = parts == 1 && AtOnce(context, cout);
      for (int i = 0; i < count; ++i) {
        const int tile_row = (first + i) / grid.columns;
        const int tile_column = (first + i) % grid.columns;
        if (at_once) {
          TransformOutput(context, m + i * kCout, tile_row, tile_column, cout, output);
          continue;
        }
        alignas(64) int32_t whole[kSumsOfTile];
        if (parts == 1) AddPart(m + i * kCout, 0, whole);
        StoreSums(context, parts == 1 ? whole : sums + i * kSumsOfTile, tile_row, tile_column, cout, output);
      }
    }
  }

  static constexpr ConvKernel Kernel(Isa isa) {
    return {Scheme::kAlgorithm, isa, /*needs_fallback=*/false, Ops::kUsesLines, Certify, PackedBytes, Pack, Plan, Run,
            /*run_rows=*/nullptr, /*places_outputs=*/true};
  }

 protected:
  static constexpr size_t kScratchTarget = 512 << 10;

  static size_t WeightBytes(const ConvShape& shape) {
    return static_cast<size_t>(kPositions) * shape.input_channels * shape.output_channels * sizeof(int16_t);
  }
  static int Channels(const ConvShape& shape) {
    return (shape.input_channels + kBlockChannels - 1) / kBlockChannels * kBlockChannels;
  }
  // Planes (one per position) are an odd number of cache lines apart: a power of two would put all 36 positions of a tile into
  // the same few sets of the first-level cache.
  static size_t VPlane(const ConvShape& shape, int tiles) {
    const size_t lines = static_cast<size_t>(Channels(shape) / kBlockChannels) * tiles;
    return (lines | 1) * kBlockChannels;
  }
  static size_t VBytes(const ConvShape& shape, int tiles) { return kPositions * VPlane(shape, tiles) * sizeof(int16_t); }
  // The sums' planes have a fixed size: the output transform then addresses all positions by constants.
  static constexpr int kMaxBlock = 4 * Ops::kMaxTiles;
  static constexpr size_t kMPlane = kMaxBlock * kCout + 16;
  static constexpr size_t kMBytes = kPositions * kMPlane * sizeof(int32_t);
  static_assert(kMPlane * sizeof(int32_t) / 64 % 2 == 1, "an odd number of cache lines");

  // Accumulators of a cout block that is multiplied in parts, [tile][row][column][cout].
  static constexpr size_t kSumsOfTile = Scheme::kOutput * Scheme::kOutput * kCout;
  static constexpr size_t kSumsBytes = kMaxBlock * kSumsOfTile * sizeof(int32_t);
  // Whether some weights and zero point would exceed the bound.
  static bool MayNeedParts(const ConvShape& shape) {
    constexpr int bits = Scheme::kAlgorithm == Algorithm::kWinogradF43 ? kWinogradF43Bits : kWinogradF23Bits;
    return int64_t{shape.filter_size()} * 128 * 255 >= int64_t{1} << bits;
  }

  // Whether the sums of a cout block become codes without being divided first.
  static bool AtOnce(const KernelContext& context, int cout) {
    for (int channel = cout; channel < cout + kCout && channel < context.shape.output_channels; channel += Ops::kLanes) {
      if (!Ops::AtOnce(context, channel)) return false;
    }
    return true;
  }

  // M = V U for every position of one cout block and part of the input channels, all tiles.
  static void Multiply(const KernelContext& context, const Winograd2dWeights& weights, int block, int part,
                       const int16_t* v, int tiles, int32_t* m) {
    constexpr int kGroup = Ops::kChannelGroup;
    constexpr int kGroupBytes = kCout * kGroup * sizeof(int16_t);
    const size_t v_plane = VPlane(context.shape, tiles);
    const int groups = (tiles + Ops::kMaxTiles - 1) / Ops::kMaxTiles;
    MultiplyArguments arguments;
    arguments.block_stride = static_cast<size_t>(tiles) * kBlockChannels;
    const int parts = weights.parts(block);
    const int begin = WinogradPartBegin(context.shape.input_channels, parts, part);
    const int end = WinogradPartBegin(context.shape.input_channels, parts, part + 1);
    arguments.groups = (end - begin + kGroup - 1) / kGroup;
    const size_t first_weight = static_cast<size_t>(begin) * kCout;
    v += begin / kBlockChannels * arguments.block_stride;
    arguments.prefetch_step = kGroupBytes / groups;
    for (int position = 0; position < kPositions; ++position) {
      arguments.u = weights.position(block, position) + first_weight;
      arguments.start = weights.initial(block, position, part);
      // The next position follows in memory; past the last one a prefetch does no harm.
      arguments.prefetch = reinterpret_cast<const char*>(weights.position(block, position + 1) + first_weight);
      for (int tile = 0; tile < tiles;) {
        const int left = tiles - tile, calls = (left + Ops::kMaxTiles - 1) / Ops::kMaxTiles;
        const int count = Ops::TilesAtOnce((left + calls - 1) / calls, tiles);
        // The last may begin among those that are done.
        const int first = count < left ? tile : tiles - count;
        arguments.v = v + position * v_plane + first * kBlockChannels;
        arguments.m = m + position * kMPlane + first * kCout;
        Ops::Multiply(count, arguments);
        arguments.prefetch += static_cast<ptrdiff_t>(arguments.prefetch_step) * arguments.groups;
        tile = first + count;
      }
    }
  }

  // A^T M, for the output channels of one vector.
  static void TransformColumns(const int32_t* m, typename Ops::I32 (*half)[Scheme::kInput]) {
    using I32 = typename Ops::I32;
    constexpr int n = Scheme::kInput;
    for (int column = 0; column < n; ++column) {
      I32 t[n];
      I32 y[Scheme::kOutput];
      for (int row = 0; row < n; ++row) t[row] = Ops::Load32(m + (row * n + column) * kMPlane);
      Scheme::template OutputTransform<Ops>(t, y);
      for (int row = 0; row < Scheme::kOutput; ++row) half[row][column] = y[row];
    }
  }

  // A^T M A of one part, one tile and cout block, divided and added to the tile's accumulators.
  __attribute__((noinline)) static void AddPart(const int32_t* m, int part, int32_t* sums) {
    using I32 = typename Ops::I32;
#pragma clang loop unroll(disable)
    for (int vector = 0; vector < Ops::kVectors; ++vector, m += Ops::kLanes, sums += Ops::kLanes) {
      I32 half[Scheme::kOutput][Scheme::kInput];
      TransformColumns(m, half);
      int32_t* to = sums;
#pragma clang loop unroll_count(Ops::kRowsAtOnce)
      for (int row = 0; row < Scheme::kOutput; ++row) {
        I32 y[Scheme::kOutput];
        Scheme::template OutputTransform<Ops>(half[row], y);
        for (int column = 0; column < Scheme::kOutput; ++column, to += kCout) {
          const I32 quotient = Ops::template Divide<Scheme::kOutput>(y[column]);
          Ops::Store32(to, part == 0 ? quotient : Ops::Add32(Ops::Load32(to), quotient));
        }
      }
    }
  }

  // Requantizes and stores the accumulators that AddPart left.
  __attribute__((noinline)) static void StoreSums(const KernelContext& context, const int32_t* sums, int tile_row, int tile_column,
                                                  int cout, int8_t* output) {
    using I32 = typename Ops::I32;
    const ConvShape& shape = context.shape;
    const int y0 = tile_row * Scheme::kOutput;
    const int x0 = tile_column * Scheme::kOutput;
    const int rows = shape.output_height - y0 < Scheme::kOutput ? shape.output_height - y0 : Scheme::kOutput;
    const int columns = shape.output_width - x0 < Scheme::kOutput ? shape.output_width - x0 : Scheme::kOutput;
    const size_t pixel = context.output_pixel();
    const size_t line = pixel * shape.output_width;
    for (int channel = cout; channel < cout + kCout && channel < shape.output_channels;
         channel += Ops::kLanes, sums += Ops::kLanes) {
      const int left = shape.output_channels - channel;
      const typename Ops::Constants constants(context, channel);
#pragma clang loop unroll(disable)
      for (int row = 0; row < rows; ++row) {
        I32 accumulators[Scheme::kOutput];
        for (int column = 0; column < Scheme::kOutput; ++column) {
          accumulators[column] = Ops::Load32(sums + (row * Scheme::kOutput + column) * kCout);
        }
        Ops::template Store<Scheme::kOutput, /*divided=*/true>(constants, accumulators,
                                                               output + (y0 + row) * line + x0 * pixel + channel, pixel,
                                                               columns, left < Ops::kLanes ? left : Ops::kLanes);
      }
    }
  }

  // A^T M A for one tile and cout block, requantized and stored where it lies inside the image.
  static void TransformOutput(const KernelContext& context, const int32_t* m, int tile_row, int tile_column, int cout,
                              int8_t* output) {
    using I32 = typename Ops::I32;
    const ConvShape& shape = context.shape;
    const int y0 = tile_row * Scheme::kOutput;
    const int x0 = tile_column * Scheme::kOutput;
    const int rows = shape.output_height - y0 < Scheme::kOutput ? shape.output_height - y0 : Scheme::kOutput;
    const int columns = shape.output_width - x0 < Scheme::kOutput ? shape.output_width - x0 : Scheme::kOutput;
    const size_t pixel = context.output_pixel();
    const size_t line = pixel * shape.output_width;
#pragma clang loop unroll(disable)
    for (int channel = cout; channel < cout + kCout && channel < shape.output_channels;
         channel += Ops::kLanes, m += Ops::kLanes) {
      const int left = shape.output_channels - channel;
      const int channels = left < Ops::kLanes ? left : Ops::kLanes;
      int8_t* out = output + y0 * line + x0 * pixel + channel;
      I32 half[Scheme::kOutput][Scheme::kInput];
      TransformColumns(m, half);
      const typename Ops::Constants constants(context, channel);
      if constexpr (Ops::kStoresTiles) {
        if (channels == Ops::kLanes && constants.fast) {
          I32 y[Scheme::kOutput][Scheme::kOutput];
#pragma clang loop unroll(full)
          for (int row = 0; row < Scheme::kOutput; ++row) Scheme::template OutputTransform<Ops>(half[row], y[row]);
          Ops::template StoreTile<Scheme::kOutput>(constants, y, out, line, pixel, rows, columns);
          continue;
        }
      }
#pragma clang loop unroll_count(Ops::kRowsAtOnce)
      for (int row = 0; row < Scheme::kOutput; ++row, out += line) {
        if (row >= rows) break;
        I32 y[Scheme::kOutput];
        Scheme::template OutputTransform<Ops>(half[row], y);
        Ops::template Store<Scheme::kOutput, /*divided=*/false>(constants, y, out, pixel, columns, channels);
      }
    }
  }
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_2D_H_
