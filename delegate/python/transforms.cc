// The Winograd transforms of one tile, from the very templates the kernels are made of.
#include <string.h>

#include "delegate/kernels/winograd_1d_weights.h"
#include "delegate/kernels/winograd_2d.h"
#include "delegate/kernels/winograd_2d_weights.h"
#include "delegate/python/names.h"

namespace tflite_eq {
namespace {

// The least an `Ops` needs for the transforms alone.
struct TileOps {
  using I16 = int16_t;
  using I32 = uint32_t;
  static I16 Add16(I16 a, I16 b) { return static_cast<I16>(a + b); }
  static I16 Sub16(I16 a, I16 b) { return static_cast<I16>(a - b); }
  template <int bits>
  static I16 Shl16(I16 a) {
    return static_cast<I16>(a * (1 << bits));
  }
  static I32 Add32(I32 a, I32 b) { return a + b; }
  static I32 Sub32(I32 a, I32 b) { return a - b; }
  template <int bits>
  static I32 Shl32(I32 a) {
    return a << bits;
  }
};

// Applies a one-dimensional transform from `from` to `to` values to the columns, then to the rows, of a square tile.
template <typename T, int from, int to, typename Transform>
void Apply2d(Transform transform, const T* tile, T* result) {
  T half[to][from];
  for (int x = 0; x < from; ++x) {
    T column[from], transformed[to];
    for (int y = 0; y < from; ++y) column[y] = tile[y * from + x];
    transform(column, transformed);
    for (int y = 0; y < to; ++y) half[y][x] = transformed[y];
  }
  for (int y = 0; y < to; ++y) transform(half[y], result + y * to);
}

template <typename Scheme>
void TransformInput(const int8_t* codes, int16_t* result) {
  constexpr int n = Scheme::kInput;
  int16_t tile[n * n];
  for (int i = 0; i < n * n; ++i) tile[i] = codes[i];
  Apply2d<int16_t, n, n>(Scheme::template InputTransform<TileOps>, tile, result);
}

// The result is reduced modulo 2^32 and taken as signed.
template <typename Scheme>
void TransformOutput(const int32_t* sums, int32_t* result) {
  constexpr int n = Scheme::kInput;
  constexpr int m = Scheme::kOutput;
  uint32_t tile[n * n];
  for (int i = 0; i < n * n; ++i) tile[i] = static_cast<uint32_t>(sums[i]);
  uint32_t outputs[m * m];
  Apply2d<uint32_t, n, m>(Scheme::template OutputTransform<TileOps>, tile, outputs);
  for (int i = 0; i < m * m; ++i) result[i] = static_cast<int32_t>(outputs[i]);
}

bool ParseScheme(const char* kernel, bool* is_f43, Reason* reason) {
  Algorithm algorithm;
  if (!ParseAlgorithm(kernel, &algorithm, reason)) return false;
  *is_f43 = algorithm == Algorithm::kWinogradF43;
  if (*is_f43 || algorithm == Algorithm::kWinogradF23) return true;
  reason->Set("%s has no two-dimensional transforms", kernel);
  return false;
}

}  // namespace
}  // namespace tflite_eq

using namespace tflite_eq;

int32_t EqTileSizes(const char* kernel, int32_t sizes[2], Reason* reason) {
  bool is_f43;
  if (!ParseScheme(kernel, &is_f43, reason)) return kRefused;
  sizes[0] = is_f43 ? SchemeF43::kInput : SchemeF23::kInput;
  sizes[1] = is_f43 ? SchemeF43::kOutput : SchemeF23::kOutput;
  return kDone;
}

int32_t EqTransformFilter(const char* kernel, const int8_t* weights, int16_t* result, Reason* reason) {
  int32_t sizes[2];
  if (EqTileSizes(kernel, sizes, reason) != kDone) return kRefused;
  TransformWinograd2dFilter(sizes[1], weights, result);
  return kDone;
}

int32_t EqTransformInput(const char* kernel, const int8_t* codes, int16_t* result, Reason* reason) {
  bool is_f43;
  if (!ParseScheme(kernel, &is_f43, reason)) return kRefused;
  is_f43 ? TransformInput<SchemeF43>(codes, result) : TransformInput<SchemeF23>(codes, result);
  return kDone;
}

int32_t EqTransformOutput(const char* kernel, const int32_t* sums, int32_t* result, Reason* reason) {
  bool is_f43;
  if (!ParseScheme(kernel, &is_f43, reason)) return kRefused;
  is_f43 ? TransformOutput<SchemeF43>(sums, result) : TransformOutput<SchemeF23>(sums, result);
  return kDone;
}

int32_t EqTransformTaps(const char* form, int32_t w0, int32_t w1, int32_t w2, int8_t taps[4], Reason* reason) {
  const struct {
    const char* name;
    Winograd1dForm form;
  } known[] = {{"halve_sums", Winograd1dForm::kHalveSums},
               {"halve_weights", Winograd1dForm::kHalveWeights},
               {"two_taps", Winograd1dForm::kTwoTaps}};
  for (const auto& one : known) {
    if (strcmp(form, one.name) != 0) continue;
    TransformWinograd1dTaps(one.form, w0, w1, w2, taps);
    return kDone;
  }
  reason->Set("there is no form named %s of the 1-D kernel", form);
  return kRefused;
}
