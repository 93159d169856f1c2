// What permutations of bytes do better: one instruction knows a table of 128 entries by the low seven bits of an index, and two that of
// all codes, of which those below zero have the lower half.
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

}  // namespace

const ElementwiseKernels kElementwiseAvx512Vbmi = {Isa::kAvx512Vbmi, PermutedLookUp, nullptr, nullptr, nullptr,
                                                   nullptr,          nullptr,        nullptr,      nullptr,
                                                   nullptr,          nullptr};

}  // namespace tflite_eq
