// Requantization, as kernels/requantize.h has it.
#include "delegate/kernels/requantize.h"

#include "delegate/python/module.h"

namespace py = pybind11;

namespace tflite_eq {
namespace {

Activation ParseActivation(const std::string& name) {
  if (name == "NONE") return Activation::kNone;
  if (name == "RELU") return Activation::kRelu;
  if (name == "RELU6") return Activation::kRelu6;
  if (name == "RELU_N1_TO_1") return Activation::kReluN1To1;
  throw py::value_error("no kernel fuses the activation function " + name);
}

py::array_t<int32_t> Multiply(const InputArray<int32_t>& accumulators, int32_t multiplier, int shift) {
  if (multiplier < 0 || shift < -31 || shift > 30) throw py::value_error("multiplier or shift out of range");
  py::array_t<int32_t> result(std::vector<py::ssize_t>(accumulators.shape(), accumulators.shape() + accumulators.ndim()));
  for (py::ssize_t i = 0; i < accumulators.size(); ++i) {
    result.mutable_data()[i] = MultiplyByQuantizedMultiplier(accumulators.data()[i], multiplier, shift);
  }
  return result;
}

}  // namespace

void BindArithmetic(py::module_& m) {
  m.def("effective_scale", EffectiveScale, py::arg("input_scale"), py::arg("weight_scale"), py::arg("output_scale"));
  m.def(
      "quantize_multiplier",
      [](double scale) {
        if (!(scale >= 0 && scale < 1 << 30)) throw py::value_error("scale must be in [0, 2^30)");
        int32_t multiplier;
        int shift;
        QuantizeMultiplier(scale, &multiplier, &shift);
        return std::make_pair(multiplier, shift);
      },
      py::arg("scale"));
  m.def("multiply_by_quantized_multiplier", Multiply, py::arg("accumulators"), py::arg("multiplier"), py::arg("shift"));
  m.def(
      "activation_range",
      [](const std::string& activation, float scale, int32_t zero_point) {
        int32_t low;
        int32_t high;
        ActivationRange(ParseActivation(activation), scale, zero_point, &low, &high);
        return std::make_pair(low, high);
      },
      py::arg("activation"), py::arg("output_scale"), py::arg("output_zero_point"));
}

}  // namespace tflite_eq
