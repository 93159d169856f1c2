// The innermost loops of the direct kernels for ARMv8.0, for register tiles of three outputs x four output channels, in the order in
// which instructions are to be executed: their speed is that of cores which take them in the order they are in.
//
// Such a core (Cortex-A53) multiplies once a cycle and loads 64 bits beside that, or 128 instead. What is loaded can be read four cycles
// later, and so can a product, but by the next one that is added to it. Compilers join loads to pairs that come right before they are
// needed, so that a sixth of the time is waiting. Hence each instruction is an `asm volatile` of its own, which compilers keep in order;
// registers are theirs to choose. Loops read nothing behind what they multiply.
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

// Bursts of `vectors` vectors of 7-bit codes, whose products add up in 16 bits before they are added to `acc`: 12 registers of either.
// What is left is a ring of four registers for codes and one of three for weights, each loaded anew when it has been read for the last
// time.
template <int vectors>
class Int7Bursts {
 public:
  static TFLITE_EQ_IN_ORDER void Add(const int8_t* codes, size_t step, int bursts, const int8_t* weights, TileSums& acc) {
    StoredBefore();
    Rings rings;
    Begin(codes, weights, &rings);
#pragma GCC unroll 1
    for (;; --bursts) {
      int16x8_t products[kTileOutputs][kTileCout];
      Halves<0>(&codes, step, weights, &rings, products);
      // Of the last burst the beginning is loaded once more.
      const ptrdiff_t on = bursts > 1 ? 1 : 0;
      codes += on * static_cast<ptrdiff_t>(step) - (1 - on) * static_cast<ptrdiff_t>((vectors - 1) * step);
      weights += on * kWeightBytes;
      AddAll(codes, weights, &rings, products, acc);
      if (bursts == 1) break;
    }
  }

 private:
  static constexpr int kHalves = 2 * vectors;
  static constexpr int kCodes = 4;
  static constexpr int kWeights = 3;
  static constexpr int kWeightBytes = kHalves * kTileCout * 8;
  struct Rings {
    int8x8_t codes[kCodes];
    int8x8_t weights[kWeights];
  };

  // Code number i of a burst, [half][output], where `codes` is the vector that it is in.
  template <int i>
  static TFLITE_EQ_IN_ORDER void LoadCodes(const int8_t* codes, Rings* rings) {
    rings->codes[i % kCodes] = LoadHere<i % kTileOutputs * 16 + i / kTileOutputs % 2 * 8>(codes);
  }
  template <int i>
  static TFLITE_EQ_IN_ORDER void LoadWeights(const int8_t* weights, Rings* rings) {
    rings->weights[i % kWeights] = LoadHere<8 * i>(weights);
  }

  static TFLITE_EQ_IN_ORDER void Begin(const int8_t* codes, const int8_t* weights, Rings* rings) {
    LoadWeights<0>(weights, rings);
    LoadCodes<0>(codes, rings);
    LoadCodes<1>(codes, rings);
    LoadCodes<2>(codes, rings);
    LoadWeights<1>(weights, rings);
    LoadWeights<2>(weights, rings);
    LoadCodes<3>(codes, rings);
  }

  // The halves from `half` on.
  template <int half>
  static TFLITE_EQ_IN_ORDER void Halves(const int8_t** codes, size_t step, const int8_t* weights, Rings* rings,
                                        int16x8_t (&products)[kTileOutputs][kTileCout]) {
    if constexpr (half < kHalves) {
      Channel<half, 0>(codes, step, weights, rings, products);
      Channel<half, 1>(codes, step, weights, rings, products);
      Channel<half, 2>(codes, step, weights, rings, products);
      Channel<half, 3>(codes, step, weights, rings, products);
      Halves<half + 1>(codes, step, weights, rings, products);
    }
  }

  template <int half, int k>
  static TFLITE_EQ_IN_ORDER void Channel(const int8_t** codes, size_t step, const int8_t* weights, Rings* rings,
                                         int16x8_t (&products)[kTileOutputs][kTileCout]) {
    Output<half, k, 0>(codes, step, rings, products);
    Output<half, k, 1>(codes, step, rings, products);
    Output<half, k, 2>(codes, step, rings, products);
    constexpr int kNext = half * kTileCout + k + kWeights;
    if constexpr (kNext < kHalves * kTileCout) LoadWeights<kNext>(weights, rings);
  }

  template <int half, int k, int p>
  static TFLITE_EQ_IN_ORDER void Output(const int8_t** codes, size_t step, Rings* rings,
                                        int16x8_t (&products)[kTileOutputs][kTileCout]) {
    constexpr int kCode = half * kTileOutputs + p;
    const int8x8_t x = rings->codes[kCode % kCodes];
    const int8x8_t w = rings->weights[(half * kTileCout + k) % kWeights];
    if constexpr (half == 0) {
      products[p][k] = MultiplyHere(x, w);
    } else {
      MultiplyAddHere(&products[p][k], x, w);
    }
    constexpr int kNext = kCode + kCodes;
    if constexpr (k == kTileCout - 1 && kNext < kHalves * kTileOutputs) {
      if constexpr (kNext % (2 * kTileOutputs) == 0) *codes += step;
      LoadCodes<kNext>(*codes, rings);
    }
  }

  static TFLITE_EQ_IN_ORDER void AddAll(const int8_t* codes, const int8_t* weights, Rings* rings,
                                        const int16x8_t (&products)[kTileOutputs][kTileCout], TileSums& acc) {
    LoadWeights<0>(weights, rings);
    AddPairsHere(&acc[0][0], products[0][0]);
    LoadCodes<0>(codes, rings);
    AddPairsHere(&acc[1][0], products[1][0]);
    LoadCodes<1>(codes, rings);
    AddPairsHere(&acc[2][0], products[2][0]);
    LoadCodes<2>(codes, rings);
    AddPairsHere(&acc[0][1], products[0][1]);
    LoadWeights<1>(weights, rings);
    AddPairsHere(&acc[1][1], products[1][1]);
    LoadWeights<2>(weights, rings);
    AddPairsHere(&acc[2][1], products[2][1]);
    LoadCodes<3>(codes, rings);
    AddPairsHere(&acc[0][2], products[0][2]);
    AddPairsHere(&acc[1][2], products[1][2]);
    AddPairsHere(&acc[2][2], products[2][2]);
    for (int p = 0; p < kTileOutputs; ++p) AddPairsHere(&acc[p][3], products[p][3]);
  }
};

// Vectors of any codes and weights above -128: two products add up in 16 bits. Products are numbered by output and output channel; they
// are begun, ended, and four numbers after they were begun added to `acc`, also from one vector to the next. All weights of a vector
// are held, 8 registers, and six of codes, each loaded for the next vector when it has been read for the last time.
class Int8Pairs {
 public:
  static TFLITE_EQ_IN_ORDER void Add(const int8_t* codes, size_t step, int vectors, const int8_t* weights, TileSums& acc) {
    StoredBefore();
    Registers r;
    LoadAll<0>(codes, weights, &r);
    LoadAll<1>(codes, weights, &r);
    for (int i = 0; i < kPending; ++i) r.products[kProducts - kPending + i] = vdupq_n_s16(0);
#pragma GCC unroll 1
    for (; vectors > 0; --vectors) {
      // The last vector is loaded once more.
      const ptrdiff_t on = vectors > 1 ? 1 : 0;
      codes += on * static_cast<ptrdiff_t>(step);
      weights += on * kWeightBytes;
      Products<0>(codes, weights, &r, acc);
      End<kProducts - 1>(codes, weights, &r);
    }
    AddTo<kProducts - 4>(r, acc);
    AddTo<kProducts - 3>(r, acc);
    AddTo<kProducts - 2>(r, acc);
    AddTo<kProducts - 1>(r, acc);
  }

 private:
  static constexpr int kProducts = kTileOutputs * kTileCout;
  static constexpr int kPending = 4;
  static constexpr int kWeightBytes = 2 * kTileCout * 8;
  struct Registers {
    int8x8_t codes[2][kTileOutputs];
    int8x8_t weights[2][kTileCout];
    int16x8_t products[kProducts];
  };

  template <int half, int p>
  static TFLITE_EQ_IN_ORDER void LoadCodes(const int8_t* codes, Registers* r) {
    r->codes[half][p] = LoadHere<16 * p + 8 * half>(codes);
  }
  template <int half, int k>
  static TFLITE_EQ_IN_ORDER void LoadWeights(const int8_t* weights, Registers* r) {
    r->weights[half][k] = LoadHere<(half * kTileCout + k) * 8>(weights);
  }
  // What product i is the last to read, in one half of the channels.
  template <int half, int i>
  static TFLITE_EQ_IN_ORDER void Load(const int8_t* codes, const int8_t* weights, Registers* r) {
    if constexpr (i % kTileCout == kTileCout - 1) LoadCodes<half, i / kTileCout>(codes, r);
    if constexpr (i / kTileCout == kTileOutputs - 1) LoadWeights<half, i % kTileCout>(weights, r);
  }
  template <int half, int i = 0>
  static TFLITE_EQ_IN_ORDER void LoadAll(const int8_t* codes, const int8_t* weights, Registers* r) {
    if constexpr (i < kProducts) {
      Load<half, i>(codes, weights, r);
      LoadAll<half, i + 1>(codes, weights, r);
    }
  }

  // The products from number i on.
  template <int i>
  static TFLITE_EQ_IN_ORDER void Products(const int8_t* codes, const int8_t* weights, Registers* r, TileSums& acc) {
    if constexpr (i < kProducts) {
      Product<i>(codes, weights, r, acc);
      Products<i + 1>(codes, weights, r, acc);
    }
  }
  template <int i>
  static TFLITE_EQ_IN_ORDER void Product(const int8_t* codes, const int8_t* weights, Registers* r, TileSums& acc) {
    AddTo<(i + kProducts - kPending) % kProducts>(*r, acc);
    r->products[i] = MultiplyHere(r->codes[0][i / kTileCout], r->weights[0][i % kTileCout]);
    Load<0, i>(codes, weights, r);
    if constexpr (i > 0) End<i - 1>(codes, weights, r);
  }
  template <int i>
  static TFLITE_EQ_IN_ORDER void End(const int8_t* codes, const int8_t* weights, Registers* r) {
    MultiplyAddHere(&r->products[i], r->codes[1][i / kTileCout], r->weights[1][i % kTileCout]);
    Load<1, i>(codes, weights, r);
  }
  template <int i>
  static TFLITE_EQ_IN_ORDER void AddTo(const Registers& r, TileSums& acc) {
    AddPairsHere(&acc[i / kTileCout][i % kTileCout], r.products[i]);
  }
};

#undef TFLITE_EQ_IN_ORDER

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_WIDENING_TILES_NEON_H_
