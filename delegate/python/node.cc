// The delegate's decision on a CONV_2D node, by the code that decides inside a runtime, over tensors described from Python.
#include <stdlib.h>
#include <string.h>

#include <memory>
#include <optional>
#include <vector>

#include "delegate/conv_node.h"
#include "delegate/options.h"
#include "delegate/python/module.h"
#include "delegate/tflite_abi.h"

namespace py = pybind11;

namespace tflite_eq {
namespace {

struct Free {
  void operator()(void* memory) const { free(memory); }
};

// TFLite's arrays: a size, then the values.
template <typename Array, typename T>
std::unique_ptr<Array, Free> MakeArray(const std::vector<T>& values) {
  std::unique_ptr<Array, Free> array(static_cast<Array*>(malloc(sizeof(Array) + values.size() * sizeof(T))));
  if (array == nullptr) throw std::bad_alloc();
  array->size = static_cast<int>(values.size());
  if (!values.empty()) memcpy(array->data, values.data(), values.size() * sizeof(T));
  return array;
}

// What a model file says of a tensor, held in TFLite's form.
class NodeTensor {
 public:
  NodeTensor(const std::string& type, const std::vector<int>& shape, const std::vector<float>& scales,
             const std::vector<int>& zero_points, int quantized_dimension, const std::optional<std::string>& data)
      : shape_(MakeArray<TfLiteIntArray>(shape)),
        scales_(MakeArray<TfLiteFloatArray>(scales)),
        zero_points_(MakeArray<TfLiteIntArray>(zero_points)),
        affine_{scales_.get(), zero_points_.get(), quantized_dimension} {
    if (data) data_ = *data;
    tensor_.type = TypeCode(type);
    tensor_.dims = shape_.get();
    tensor_.allocation_type = data ? kTfLiteMmapRo : kTfLiteArenaRw;
    tensor_.data.raw = data ? data_.data() : nullptr;
    tensor_.bytes = data_.size();
    if (!scales.empty()) {
      tensor_.quantization.type = kTfLiteAffineQuantization;
      tensor_.quantization.params = &affine_;
    }
    if (scales.size() == 1) {
      tensor_.params.scale = scales[0];
      tensor_.params.zero_point = zero_points.empty() ? 0 : zero_points[0];
    }
  }
  NodeTensor(const NodeTensor&) = delete;

  const TfLiteTensor& tensor() const { return tensor_; }

 private:
  static int32_t TypeCode(const std::string& type) {
    constexpr int32_t kAnother = 3;
    return type == "FLOAT32" ? kTfLiteFloat32
           : type == "INT32" ? kTfLiteInt32
           : type == "INT16" ? kTfLiteInt16
           : type == "INT8"  ? kTfLiteInt8
                             : kAnother;
  }

  std::unique_ptr<TfLiteIntArray, Free> shape_;
  std::unique_ptr<TfLiteFloatArray, Free> scales_;
  std::unique_ptr<TfLiteIntArray, Free> zero_points_;
  TfLiteAffineQuantizationParams affine_;
  std::string data_;
  TfLiteTensor tensor_ = {};
};

Plan PlanNode(const NodeTensor& input, const NodeTensor& filter, const NodeTensor* bias, const NodeTensor& output,
              const std::string& padding, std::pair<int, int> stride, std::pair<int, int> dilation, int activation,
              const CpuProfile& cpu, const std::string& kernel) {
  TfLiteTensor tensors[4] = {input.tensor(), filter.tensor(), output.tensor()};
  if (bias != nullptr) tensors[3] = bias->tensor();
  TfLiteContext context = {};
  context.tensors = tensors;
  context.tensors_size = 4;
  const auto inputs = MakeArray<TfLiteIntArray>(bias != nullptr ? std::vector<int>{0, 1, 3} : std::vector<int>{0, 1});
  const auto outputs = MakeArray<TfLiteIntArray>(std::vector<int>{2});
  TfLiteConvParams parameters = {};
  parameters.padding = padding == "same"    ? kTfLitePaddingSame
                       : padding == "valid" ? kTfLitePaddingValid
                                            : kTfLitePaddingUnknown;
  parameters.stride_height = stride.first;
  parameters.stride_width = stride.second;
  parameters.dilation_height_factor = dilation.first;
  parameters.dilation_width_factor = dilation.second;
  parameters.activation = activation;
  TfLiteNode node = {};
  node.inputs = inputs.get();
  node.outputs = outputs.get();
  node.builtin_data = &parameters;

  DelegateOptions options;
  options.any_kernel = kernel == "auto";
  if (!options.any_kernel) options.kernel = ParseAlgorithm(kernel);
  ConvNode conv;
  Plan plan;
  if (!conv.Read(context, node, &plan.reason)) return plan;
  return conv.Choose(options, cpu);
}

}  // namespace

void BindNode(py::module_& m) {
  py::class_<NodeTensor>(m, "NodeTensor")
      .def(py::init([](const std::string& type, const std::vector<int>& shape, const std::vector<float>& scales,
                       const std::vector<int>& zero_points, int quantized_dimension, const std::optional<py::bytes>& data) {
             std::optional<std::string> text;
             if (data) text = std::string(*data);
             return std::make_unique<NodeTensor>(type, shape, scales, zero_points, quantized_dimension, text);
           }),
           py::arg("type"), py::arg("shape"), py::kw_only(), py::arg("scales") = std::vector<float>(),
           py::arg("zero_points") = std::vector<int>(), py::arg("quantized_dimension") = 0,
           py::arg("data") = py::none());
  m.def("plan_node", PlanNode, py::arg("input"), py::arg("filter"), py::arg("bias"), py::arg("output"), py::kw_only(),
        py::arg("padding"), py::arg("stride"), py::arg("dilation"), py::arg("activation"), py::arg("cpu"),
        py::arg("kernel") = "auto");
}

}  // namespace tflite_eq
