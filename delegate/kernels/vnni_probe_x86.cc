// In assembly: the compiler would combine, hoist or drop what has no use but to take time. So the file needs no options for the
// instruction set, and callers see to it that the CPU has it.
#include "delegate/kernels/vnni_probe.h"

#include <stdint.h>

namespace tflite_eq {
namespace {

// Twelve accumulators: two a cycle at a latency of five leave ten on their way.
#define TFLITE_EQ_TWO_DOT_PRODUCTS(first, second) \
  "vpdpbusd %%zmm30, %%zmm31, %%zmm" #first "\n\t" \
  "vpdpbusd %%zmm30, %%zmm31, %%zmm" #second "\n\t"
#define TFLITE_EQ_FLIP(to) "vpxord %%zmm30, %%zmm31, %%zmm" #to "\n\t"
#define TFLITE_EQ_CLOBBERS                                                                                              \
  "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",     \
      "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm30", "xmm31"

// Reading the clock and filling the pipeline take a hundred cycles and more, and what runs beside hides in them. So each loop is
// timed with two counts, whose difference has neither: 1200 cycles with two units, 2400 with one, much shorter than a time slice.
constexpr int kFewIterations = 40;
constexpr int kManyIterations = 240;

// The time stamp, once all before is done; it counts at one rate whatever the clock frequency is.
uint64_t Now() {
  uint32_t low, high;
  __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
  return (static_cast<uint64_t>(high) << 32) | low;
}

double DotProducts(int count) {
  const uint64_t start = Now();
  // clang-format off
  __asm__ volatile(
      ".p2align 5\n"
      "1:\n\t"
      TFLITE_EQ_TWO_DOT_PRODUCTS(0, 1)
      TFLITE_EQ_TWO_DOT_PRODUCTS(2, 3)
      TFLITE_EQ_TWO_DOT_PRODUCTS(4, 5)
      TFLITE_EQ_TWO_DOT_PRODUCTS(6, 7)
      TFLITE_EQ_TWO_DOT_PRODUCTS(8, 9)
      TFLITE_EQ_TWO_DOT_PRODUCTS(10, 11)
      "dec %0\n\t"
      "jnz 1b\n\t"
      : "+r"(count) : : TFLITE_EQ_CLOBBERS);
  // clang-format on
  return static_cast<double>(Now() - start);
}

double DotProductsAndFlips(int count) {
  const uint64_t start = Now();
  // clang-format off
  __asm__ volatile(
      ".p2align 5\n"
      "1:\n\t"
      TFLITE_EQ_TWO_DOT_PRODUCTS(0, 1)
      TFLITE_EQ_FLIP(12)
      TFLITE_EQ_TWO_DOT_PRODUCTS(2, 3)
      TFLITE_EQ_FLIP(13)
      TFLITE_EQ_TWO_DOT_PRODUCTS(4, 5)
      TFLITE_EQ_FLIP(14)
      TFLITE_EQ_TWO_DOT_PRODUCTS(6, 7)
      TFLITE_EQ_FLIP(15)
      TFLITE_EQ_TWO_DOT_PRODUCTS(8, 9)
      TFLITE_EQ_FLIP(16)
      TFLITE_EQ_TWO_DOT_PRODUCTS(10, 11)
      TFLITE_EQ_FLIP(17)
      "dec %0\n\t"
      "jnz 1b\n\t"
      : "+r"(count) : : TFLITE_EQ_CLOBBERS);
  // clang-format on
  return static_cast<double>(Now() - start);
}

}  // namespace

void MeasureSignFlips(double* quotients, int count) {
  for (int i = 0; i < count; ++i) {
    const double alone = DotProducts(kManyIterations) - DotProducts(kFewIterations);
    const double both = DotProductsAndFlips(kManyIterations) - DotProductsAndFlips(kFewIterations);
    quotients[i] = alone > 0 ? both / alone : 0;  // an interrupt makes it anything, below 0 too
  }
  __asm__ volatile("vzeroupper" ::: "memory");
}

}  // namespace tflite_eq
