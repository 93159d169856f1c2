// The innermost loops of the direct kernels for ARMv8.0, for register tiles of three outputs x four output channels, in the order in
// which instructions are to be executed: their speed is that of cores which take them in the order they are in.
//
// Such a core (Cortex-A53) multiplies once a cycle and loads 64 bits beside that, or 128 instead. What is loaded can be read four cycles
// later, and so can a product, but by the next one that is added to it. Compilers join loads to pairs that come right before they are
// needed, so that a sixth of the time is waiting. Hence each instruction is an `asm volatile` of its own, which compilers keep in order;
// registers are theirs to choose. Nothing is read behind what is multiplied: what would be loaded after the last tile is its own beginning.
//
// In memory, of 16 input channels at a time: codes, 16 bytes from one output to the next and `step` from one vector of channels to the
// next; weights [half of the channels][output channel][8 channels], without gaps.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_WIDENING_TILES_NEON_H_
#define TFLITE_EQ_DELEGATE_KERNELS_WIDENING_TILES_NEON_H_

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

namespace tflite_eq {
namespace {

constexpr int kTileOutputs = 3;
constexpr int kTileCout = 4;
using TileSums = int32x4_t[kTileOutputs][kTileCout];

#define TFLITE_EQ_IN_ORDER inline __attribute__((always_inline))

template <int offset>
TFLITE_EQ_IN_ORDER int8x8_t LoadHere(const int8_t* from) {
  int8x8_t value;
  asm volatile("ldr %d0, [%1, %2]" : "=w"(value) : "r"(from), "i"(offset));
  return value;
}
TFLITE_EQ_IN_ORDER int16x8_t MultiplyHere(int8x8_t a, int8x8_t b) {
  int16x8_t product;
  asm volatile("smull %0.8h, %1.8b, %2.8b" : "=w"(product) : "w"(a), "w"(b));
  return product;
}
TFLITE_EQ_IN_ORDER void MultiplyAddHere(int16x8_t* sum, int8x8_t a, int8x8_t b) {
  asm volatile("smlal %0.8h, %1.8b, %2.8b" : "+w"(*sum) : "w"(a), "w"(b));
}
TFLITE_EQ_IN_ORDER void AddPairsHere(int32x4_t* sum, int16x8_t pairs) {
  asm volatile("sadalp %0.4s, %1.8h" : "+w"(*sum) : "w"(pairs));
}
// What was stored before is loaded after it: the instructions above do not say that they read memory.
TFLITE_EQ_IN_ORDER void StoredBefore() { asm volatile("" ::: "memory"); }

TFLITE_EQ_IN_ORDER void SumPairsHere(int32x4_t* sum, int16x8_t pairs) {
  asm volatile("saddlp %0.4s, %1.8h" : "=w"(*sum) : "w"(pairs));
}
// The first to be added to a sum replaces what was there.
template <bool first>
TFLITE_EQ_IN_ORDER void AddPairsHere(int32x4_t* sum, int16x8_t pairs) {
  if constexpr (first) {
    SumPairsHere(sum, pairs);
  } else {
    AddPairsHere(sum, pairs);
  }
}

// The sums of a tile, a vector for each output, to where vectors lie. Nothing but the sums' own registers is used: the others hold what is
// loaded already.
TFLITE_EQ_IN_ORDER void AddUpHere(int32x4_t* sum, int32x4_t other) {
  asm volatile("addp %0.4s, %0.4s, %1.4s" : "+w"(*sum) : "w"(other));
}
TFLITE_EQ_IN_ORDER void StoreSums(TileSums& acc, int32x4_t* values) {
  for (int p = 0; p < kTileOutputs; ++p) {
    AddUpHere(&acc[p][0], acc[p][1]);
    AddUpHere(&acc[p][2], acc[p][3]);
  }
  for (int p = 0; p < kTileOutputs; ++p) AddUpHere(&acc[p][0], acc[p][2]);
  for (int p = 0; p < kTileOutputs; ++p) values[p] = acc[p][0];
}

// Where something of an output begins: its codes, and the weights that they are multiplied by.
struct TilePlace {
  const int8_t* codes;
  const int8_t* weights;
};

// Seven-bit codes: bursts of some vectors, whose products add up in 16 bits before they are added to `acc`: 12 registers of either. What is
// left is a ring of four registers for codes and one of three for weights, each loaded anew when it has been read for the last time. They
// begin with what comes first in the next burst, whatever its length, be it of the next row or tile.
class Int7Bursts {
 public:
  TFLITE_EQ_IN_ORDER explicit Int7Bursts(TilePlace place) {
    StoredBefore();
    LoadWeights<0>(place.weights);
    LoadCodes<0>(place.codes);
    LoadCodes<1>(place.codes);
    LoadCodes<2>(place.codes);
    LoadWeights<1>(place.weights);
    LoadWeights<2>(place.weights);
    LoadCodes<3>(place.codes);
  }

  // A burst from where rings were loaded from; loads them from `next`.
  template <int vectors, bool first>
  TFLITE_EQ_IN_ORDER void Add(TilePlace place, size_t step, TilePlace next, TileSums& acc) {
    int16x8_t products[kTileOutputs][kTileCout];
    Halves<2 * vectors, 0>(place, step, products);
    AddAll<first>(next, products, acc);
  }

 private:
  static constexpr int kCodes = 4;
  static constexpr int kWeights = 3;

  // Code number i of a burst, [half][output], where `codes` is the vector that it is in.
  template <int i>
  TFLITE_EQ_IN_ORDER void LoadCodes(const int8_t* codes) {
    codes_[i % kCodes] = LoadHere<i % kTileOutputs * 16 + i / kTileOutputs % 2 * 8>(codes);
  }
  template <int i>
  TFLITE_EQ_IN_ORDER void LoadWeights(const int8_t* weights) {
    weights_[i % kWeights] = LoadHere<8 * i>(weights);
  }

  // The halves from `half` on.
  template <int halves, int half>
  TFLITE_EQ_IN_ORDER void Halves(TilePlace& place, size_t step, int16x8_t (&products)[kTileOutputs][kTileCout]) {
    if constexpr (half < halves) {
      Channel<halves, half, 0>(place, step, products);
      Channel<halves, half, 1>(place, step, products);
      Channel<halves, half, 2>(place, step, products);
      Channel<halves, half, 3>(place, step, products);
      Halves<halves, half + 1>(place, step, products);
    }
  }

  template <int halves, int half, int k>
  TFLITE_EQ_IN_ORDER void Channel(TilePlace& place, size_t step, int16x8_t (&products)[kTileOutputs][kTileCout]) {
    Output<halves, half, k, 0>(place, step, products);
    Output<halves, half, k, 1>(place, step, products);
    Output<halves, half, k, 2>(place, step, products);
    constexpr int kNext = half * kTileCout + k + kWeights;
    if constexpr (kNext < halves * kTileCout) LoadWeights<kNext>(place.weights);
  }

  template <int halves, int half, int k, int p>
  TFLITE_EQ_IN_ORDER void Output(TilePlace& place, size_t step, int16x8_t (&products)[kTileOutputs][kTileCout]) {
    constexpr int kCode = half * kTileOutputs + p;
    const int8x8_t x = codes_[kCode % kCodes];
    const int8x8_t w = weights_[(half * kTileCout + k) % kWeights];
    if constexpr (half == 0) {
      products[p][k] = MultiplyHere(x, w);
    } else {
      MultiplyAddHere(&products[p][k], x, w);
    }
    constexpr int kNext = kCode + kCodes;
    if constexpr (k == kTileCout - 1 && kNext < halves * kTileOutputs) {
      if constexpr (kNext % (2 * kTileOutputs) == 0) place.codes += step;
      LoadCodes<kNext>(place.codes);
    }
  }

  template <bool first>
  TFLITE_EQ_IN_ORDER void AddAll(TilePlace next, const int16x8_t (&products)[kTileOutputs][kTileCout], TileSums& acc) {
    LoadWeights<0>(next.weights);
    AddPairsHere<first>(&acc[0][0], products[0][0]);
    LoadCodes<0>(next.codes);
    AddPairsHere<first>(&acc[1][0], products[1][0]);
    LoadCodes<1>(next.codes);
    AddPairsHere<first>(&acc[2][0], products[2][0]);
    LoadCodes<2>(next.codes);
    AddPairsHere<first>(&acc[0][1], products[0][1]);
    LoadWeights<1>(next.weights);
    AddPairsHere<first>(&acc[1][1], products[1][1]);
    LoadWeights<2>(next.weights);
    AddPairsHere<first>(&acc[2][1], products[2][1]);
    LoadCodes<3>(next.codes);
    AddPairsHere<first>(&acc[0][2], products[0][2]);
    AddPairsHere<first>(&acc[1][2], products[1][2]);
    AddPairsHere<first>(&acc[2][2], products[2][2]);
    for (int p = 0; p < kTileOutputs; ++p) AddPairsHere<first>(&acc[p][3], products[p][3]);
  }

  int8x8_t codes_[kCodes];
  int8x8_t weights_[kWeights];
};

// Any codes and weights above -128: two products add up in 16 bits. Products are numbered by output and output channel; they are begun,
// ended, and four numbers after they were begun added to `acc`, also from one vector to the next. All weights of a vector are held, 8
// registers, and six of codes, each loaded for the next vector, be it of the next row or tile, when it has been read for the last time.
class Int8Pairs {
 public:
  TFLITE_EQ_IN_ORDER explicit Int8Pairs(TilePlace place) {
    StoredBefore();
    LoadAll<0>(place);
    LoadAll<1>(place);
  }

  // The vector that was loaded; loads the next. After the first one the products that are pending are not yet in `acc`, whose last
  // vectors are zero.
  template <bool first>
  TFLITE_EQ_IN_ORDER void Add(TilePlace next, TileSums& acc) {
    Products<first, 0>(next, acc);
    End<kProducts - 1>(next);
    if constexpr (first) {
      for (int i = kProducts - kPending; i < kProducts; ++i) acc[i / kTileCout][i % kTileCout] = vdupq_n_s32(0);
    }
  }
  // Adds what is pending behind the last vector.
  TFLITE_EQ_IN_ORDER void Finish(TileSums& acc) {
    AddTo<kProducts - 4>(acc);
    AddTo<kProducts - 3>(acc);
    AddTo<kProducts - 2>(acc);
    AddTo<kProducts - 1>(acc);
  }

 private:
  static constexpr int kProducts = kTileOutputs * kTileCout;
  static constexpr int kPending = 4;

  template <int half, int p>
  TFLITE_EQ_IN_ORDER void LoadCodes(const int8_t* codes) {
    codes_[half][p] = LoadHere<16 * p + 8 * half>(codes);
  }
  template <int half, int k>
  TFLITE_EQ_IN_ORDER void LoadWeights(const int8_t* weights) {
    weights_[half][k] = LoadHere<(half * kTileCout + k) * 8>(weights);
  }
  // What product i is the last to read, in one half of the channels.
  template <int half, int i>
  TFLITE_EQ_IN_ORDER void Load(TilePlace place) {
    if constexpr (i % kTileCout == kTileCout - 1) LoadCodes<half, i / kTileCout>(place.codes);
    if constexpr (i / kTileCout == kTileOutputs - 1) LoadWeights<half, i % kTileCout>(place.weights);
  }
  template <int half, int i = 0>
  TFLITE_EQ_IN_ORDER void LoadAll(TilePlace place) {
    if constexpr (i < kProducts) {
      Load<half, i>(place);
      LoadAll<half, i + 1>(place);
    }
  }

  // The products from number i on.
  template <bool first, int i>
  TFLITE_EQ_IN_ORDER void Products(TilePlace next, TileSums& acc) {
    if constexpr (i < kProducts) {
      if constexpr (!first) {
        AddTo<(i + kProducts - kPending) % kProducts>(acc);
      } else if constexpr (i >= kPending) {
        SumPairsHere(&acc[(i - kPending) / kTileCout][(i - kPending) % kTileCout], products_[i - kPending]);
      }
      products_[i] = MultiplyHere(codes_[0][i / kTileCout], weights_[0][i % kTileCout]);
      Load<0, i>(next);
      if constexpr (i > 0) End<i - 1>(next);
      Products<first, i + 1>(next, acc);
    }
  }
  template <int i>
  TFLITE_EQ_IN_ORDER void End(TilePlace next) {
    MultiplyAddHere(&products_[i], codes_[1][i / kTileCout], weights_[1][i % kTileCout]);
    Load<1, i>(next);
  }
  template <int i>
  TFLITE_EQ_IN_ORDER void AddTo(TileSums& acc) {
    AddPairsHere(&acc[i / kTileCout][i % kTileCout], products_[i]);
  }

  int8x8_t codes_[2][kTileOutputs];
  int8x8_t weights_[2][kTileCout];
  int16x8_t products_[kProducts];
};

#undef TFLITE_EQ_IN_ORDER

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_WIDENING_TILES_NEON_H_
