// The Winograd transforms of one tile, from the very templates the kernels are made of.
#include "delegate/kernels/winograd_1d_weights.h"
#include "delegate/kernels/winograd_2d.h"
#include "delegate/kernels/winograd_2d_weights.h"
#include "delegate/python/module.h"

namespace py = pybind11;

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

template <typename T>
void CheckSquare(const InputArray<T>& tile, int size) {
  if (tile.ndim() != 2 || tile.shape(0) != size || tile.shape(1) != size) {
    throw py::value_error("the tile must be " + std::to_string(size) + "x" + std::to_string(size));
  }
}

template <typename Scheme>
py::array_t<int16_t> TransformInput(const InputArray<int8_t>& codes) {
  constexpr int n = Scheme::kInput;
  CheckSquare(codes, n);
  int16_t tile[n * n];
  for (int i = 0; i < n * n; ++i) tile[i] = codes.data()[i];
  py::array_t<int16_t> result({n, n});
  Apply2d<int16_t, n, n>(Scheme::template InputTransform<TileOps>, tile, result.mutable_data());
  return result;
}

// The result is reduced modulo 2^32 and taken as signed.
template <typename Scheme>
py::array_t<int32_t> TransformOutput(const InputArray<int32_t>& sums) {
  constexpr int n = Scheme::kInput;
  constexpr int m = Scheme::kOutput;
  CheckSquare(sums, n);
  uint32_t tile[n * n];
  for (int i = 0; i < n * n; ++i) tile[i] = static_cast<uint32_t>(sums.data()[i]);
  uint32_t outputs[m * m];
  Apply2d<uint32_t, n, m>(Scheme::template OutputTransform<TileOps>, tile, outputs);
  py::array_t<int32_t> result({m, m});
  for (int i = 0; i < m * m; ++i) result.mutable_data()[i] = static_cast<int32_t>(outputs[i]);
  return result;
}

bool IsF43(const std::string& kernel) {
  const Algorithm algorithm = ParseAlgorithm(kernel);
  if (algorithm != Algorithm::kWinogradF43 && algorithm != Algorithm::kWinogradF23) {
    throw py::value_error(kernel + " has no two-dimensional transforms");
  }
  return algorithm == Algorithm::kWinogradF43;
}

py::array_t<int16_t> TransformFilter(const std::string& kernel, const InputArray<int8_t>& weights) {
  const int output = IsF43(kernel) ? 4 : 2;
  CheckSquare(weights, 3);
  py::array_t<int16_t> result({output + 2, output + 2});
  TransformWinograd2dFilter(output, weights.data(), result.mutable_data());
  return result;
}

py::array_t<int8_t> TransformTaps(const std::string& form, int w0, int w1, int w2) {
  py::array_t<int8_t> result(4);
  Winograd1dForm parsed;
  if (form == "halve_sums") {
    parsed = Winograd1dForm::kHalveSums;
  } else if (form == "halve_weights") {
    parsed = Winograd1dForm::kHalveWeights;
  } else if (form == "two_taps") {
    parsed = Winograd1dForm::kTwoTaps;
  } else {
    throw py::value_error("there is no form named " + form + " of the 1-D kernel");
  }
  TransformWinograd1dTaps(parsed, w0, w1, w2, result.mutable_data());
  return result;
}

}  // namespace

void BindTransforms(py::module_& m) {
  m.def("transform_filter", TransformFilter, py::arg("kernel"), py::arg("weights"));
  m.def(
      "transform_input",
      [](const std::string& kernel, const InputArray<int8_t>& codes) {
        return IsF43(kernel) ? TransformInput<SchemeF43>(codes) : TransformInput<SchemeF23>(codes);
      },
      py::arg("kernel"), py::arg("codes"));
  m.def(
      "transform_output",
      [](const std::string& kernel, const InputArray<int32_t>& sums) {
        return IsF43(kernel) ? TransformOutput<SchemeF43>(sums) : TransformOutput<SchemeF23>(sums);
      },
      py::arg("kernel"), py::arg("sums"));
  m.def("transform_taps", TransformTaps, py::arg("form"), py::arg("w0"), py::arg("w1"), py::arg("w2"));
}

}  // namespace tflite_eq
