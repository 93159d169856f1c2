// The parts of the NEON kernels that are not loops of multiplications, each as a function without branches, for mca.py to put
// through llvm-mca. Compiled once for every instruction set, with its flags, and never linked.
//
// Transforms and stores are private to the drivers, and stay so for everyone else.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "delegate/kernels/certificate.h"
#include "delegate/kernels/prepared_conv.h"
#define private public
#include "delegate/kernels/winograd_2d_neon.cc"
#if defined(__ARM_FEATURE_MATMUL_INT8)
#include "delegate/kernels/int8_neon_i8mm.cc"
#elif defined(__ARM_FEATURE_DOTPROD)
#include "delegate/kernels/int8_neon_dotprod.cc"
#else
#include "delegate/kernels/direct_neon.cc"
#endif

namespace tflite_eq {

using F43 = Winograd2d<NeonOps, SchemeF43>;

// One tile, 8 of the 32 channels of a block.
extern "C" void f43_input(const int8_t* x, ptrdiff_t row, ptrdiff_t column, int16_t* v, size_t plane) {
  int16x8_t rows[6][6];
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) {
    int16x8_t d[6];
    int16x8_t t[6];
    for (int k = 0; k < 6; ++k) d[k] = NeonOps::LoadCodes(x + i * row + k * column);
    SchemeF43::InputTransform<NeonOps>(d, t);
    for (int k = 0; k < 6; ++k) rows[k][i] = t[k];
  }
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) {
    int16x8_t t[6];
    SchemeF43::InputTransform<NeonOps>(rows[i], t);
    for (int k = 0; k < 6; ++k) NeonOps::Store16(v + (k * 6 + i) * plane, t[k]);
  }
}

// One tile, 4 output channels: 16 codes each.
extern "C" void f43_output(const int32_t* m, const NeonOps::Constants& constants, int8_t* out, size_t pixel, size_t line) {
  if (!constants.fast) __builtin_unreachable();
  int32x4_t half[4][6];
  F43::TransformColumns(m, half);
#pragma GCC unroll 4
  for (int row = 0; row < 4; ++row) {
    int32x4_t y[4];
    SchemeF43::OutputTransform<NeonOps>(half[row], y);
    NeonOps::Store<4, false>(constants, y, out + row * line, pixel, 4, 4);
  }
}

#if defined(__ARM_FEATURE_DOTPROD)
#if defined(__ARM_FEATURE_MATMUL_INT8)
using DotOps = SmmlaOps;
#else
using DotOps = SdotOps;
#endif

// 16 channels of the two columns that a pair of outputs adds to the one before.
extern "C" void f23_1d_input(const int8_t* codes, size_t column, int8x16_t d0, int8x16_t d1, const CodeWindow& window,
                             int8_t* line, size_t plane, size_t tap, int8x16_t* outside) {
  const int8x16_t d2 = window.Move(vld1q_s8(codes));
  const int8x16_t d3 = window.Move(vld1q_s8(codes + column));
  *outside = vorrq_s8(*outside, vorrq_s8(CodeWindow::Outside(d2), CodeWindow::Outside(d3)));
  Winograd1dNeon<DotOps>::TransformPair<false>(d0, d1, d2, d3, line, plane, tap);
}

// Between the phases and at the end: two pairs of outputs, 8 output channels, 32 codes.
extern "C" void f23_1d_output(int32x4_t (&a)[4], int32x4_t (&b)[4], const int32_t* biases, const StoreCodesNeon<2>& store,
                              int8_t* out, size_t pixel) {
  if (!store.fast_ || store.channels_ != 8) __builtin_unreachable();
  int32x4_t sum[4], difference[4], y0[4], y1[4];
  for (int i = 0; i < 4; ++i) {
    sum[i] = vaddq_s32(a[i], b[i]);
    difference[i] = vsubq_s32(a[i], b[i]);
  }
  DotOps::Sort(sum, y0);
  DotOps::Sort(difference, y1);
  const int32x4_t bias[2] = {vld1q_s32(biases), vld1q_s32(biases + 4)};
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const int32x4_t sums[4] = {vaddq_s32(y0[2 * i], bias[0]), vaddq_s32(y0[2 * i + 1], bias[1]),
                               vaddq_s32(y1[2 * i], bias[0]), vaddq_s32(y1[2 * i + 1], bias[1])};
    int8_t* const pixels[2] = {out + 2 * i * pixel, out + (2 * i + 1) * pixel};
    if (pixels[0] == nullptr || pixels[1] == nullptr) __builtin_unreachable();
    store.Store(sums, pixels);
  }
}
#else
// 16 channels of one position, into a plane.
extern "C" void int7_input(const int8_t* codes, const CodeWindow& window, int8_t* line, int8x16_t* outside) {
  const int8x16_t moved = window.Move(vld1q_s8(codes));
  *outside = vorrq_s8(*outside, CodeWindow::Outside(moved));
  vst1q_s8(line, moved);
}

// 3 outputs, 4 output channels.
extern "C" void int7_output(const Int7Ops::Sums<3>& tile, const int32_t* bias, const StoreCodesNeon<1>& store, int8_t* out,
                            size_t pixel) {
  if (!store.fast_ || store.channels_ != 4) __builtin_unreachable();
  int32x4_t sums[4];
  tile.Get(0, sums);
  for (int32x4_t& sum : sums) sum = vaddq_s32(sum, vld1q_s32(bias));
  int8_t* const pixels[4] = {out, out + pixel, out + 2 * pixel, nullptr};
  for (int i = 0; i < 3; ++i) {
    if (pixels[i] == nullptr) __builtin_unreachable();
  }
  store.Store(sums, pixels);
}
#endif

}  // namespace tflite_eq
