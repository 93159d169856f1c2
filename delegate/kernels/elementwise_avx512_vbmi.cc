// What permutations of bytes do better: one instruction knows a table of 128 entries by the low seven bits of an index, and two that of
// all codes, of which those below zero have the lower half.
//
// ADD: the side that needs a multiplication is a function of its code alone, of 32 bits, so that four such tables hold its bytes. A
// table is made by each call, with the arithmetic of elementwise_x86.h. What the other side adds, code * 2^19, or with the pre-shift of
// the result code * 2^21, concerns the upper word alone: words are added, without carry between them, and then joined.
#include "delegate/kernels/elementwise_avx512.h"

namespace tflite_eq {
namespace {

struct ByteTable {
  __m512i rows[4];

  explicit ByteTable(const int8_t* table) {
    for (int i = 0; i < 4; ++i) rows[i] = _mm512_loadu_si512(table + 64 * i);
  }

  __m512i operator()(__m512i codes) const {
    const __m512i below = _mm512_permutex2var_epi8(rows[0], codes, rows[1]);
    const __m512i above = _mm512_permutex2var_epi8(rows[2], codes, rows[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), above, below);
  }
};

void PermutedLookUp(const int8_t* table, const int8_t* input, int8_t* output, size_t count) {
  ForEachBlock<Avx512>(input, output, count, ByteTable(table));
}

struct TabulatedSide {
  // Byte b of the value for code c: bytes[b][c + 128].
  int8_t bytes[4][256];

  // value(codes as double words) for all codes.
  template <class Value>
  explicit TabulatedSide(const Value& value) {
    const __m512i first = _mm512_setr_epi32(-128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114,
                                            -113);
    for (int i = 0; i < 256; i += 16) {
      const __m512i values = value(_mm512_add_epi32(first, _mm512_set1_epi32(i)));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes[0] + i), _mm512_cvtepi32_epi8(values));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes[1] + i), _mm512_cvtepi32_epi8(_mm512_srli_epi32(values, 8)));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes[2] + i), _mm512_cvtepi32_epi8(_mm512_srli_epi32(values, 16)));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes[3] + i), _mm512_cvtepi32_epi8(_mm512_srli_epi32(values, 24)));
    }
  }
};

struct TabulatedAddBlock {
  __m512i flip;
  ByteTable byte0, byte1, byte2, byte3;
  Multiplication<Avx512> result;
  Narrow<Avx512> narrow;

  // The table holds what both sides add besides their codes.
  TabulatedAddBlock(const AddConstants& c, int half, const TabulatedSide& table)
      : flip(_mm512_set1_epi32(c.scale[half].multiplier < 0 ? -1 : 0)),
        byte0(table.bytes[0]),
        byte1(table.bytes[1]),
        byte2(table.bytes[2]),
        byte3(table.bytes[3]),
        result(MakeOneMultiplication(c.output_scale, kAddBits)),
        narrow(c.output_zero_point, c.activation_min, c.activation_max) {}

  __m512i operator()(__m512i half_codes, __m512i other_codes) const {
    const Words<Avx512> lower = Interleave(byte0(other_codes), byte1(other_codes));
    Words<Avx512> upper = Interleave(byte2(other_codes), byte3(other_codes));
    const Words<Avx512> half = Interleave(_mm512_setzero_si512(), _mm512_xor_si512(half_codes, flip));
    // From code * 2^8 to code * 2^5.
    upper.low = _mm512_add_epi16(upper.low, _mm512_srai_epi16(half.low, 3));
    upper.high = _mm512_add_epi16(upper.high, _mm512_srai_epi16(half.high, 3));
    Quad<Avx512> sums = Join<Avx512>(lower, upper);
    for (auto& part : sums.part) part = result(part);
    return narrow(sums);
  }

 private:
  static Words<Avx512> Interleave(__m512i a, __m512i b) { return {_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)}; }
};

void TabulatedAdd(const AddConstants& c, const int8_t* first, const int8_t* second, int8_t* output, size_t count) {
  // Fewer codes than that are added before a table is made; and what both sides need no multiplication for needs no table.
  constexpr size_t kFewest = 2048;
  const bool both = c.scale[0].IsHalf() && c.scale[1].IsHalf();
  if (count < kFewest || both) return Add<Avx512>(c, first, second, output, count);
  const int half = c.scale[0].IsHalf() ? 0 : 1;
  const Multiplication<Avx512> other(MakeOneMultiplication(c.scale[1 - half], kAddBits));
  const __m512i other_zero_point = _mm512_set1_epi32(c.zero_point[1 - half]);
  const __m512i offset = _mm512_set1_epi32(HalfOffset(c, half) * (1 << 21));
  const TabulatedSide table([&](__m512i codes) {
    const __m512i scaled = other(_mm512_slli_epi32(_mm512_sub_epi32(codes, other_zero_point), 22));
    return _mm512_add_epi32(_mm512_slli_epi32(scaled, 2), offset);
  });
  ForEachPair<Avx512>(half == 0 ? first : second, half == 0 ? second : first, output, count, TabulatedAddBlock(c, half, table));
}

}  // namespace

const ElementwiseKernels kElementwiseAvx512Vbmi = {Isa::kAvx512Vnni, PermutedLookUp, TabulatedAdd, nullptr, nullptr,
                                                   nullptr,          nullptr,        nullptr,      nullptr};

}  // namespace tflite_eq
