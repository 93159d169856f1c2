// What the delegate would claim of a whole model, by the code that decides inside a runtime, over a model described from
// Python. This file stands in for the runtime.
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "delegate/ops/registry.h"
#include "delegate/options.h"
#include "delegate/python/module.h"
#include "delegate/python/parameters.h"
#include "delegate/selection.h"
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
             const std::vector<int>& zero_points, int quantized_dimension, const std::optional<std::string>& data,
             const std::string& name, bool variable, bool sparse)
      : name_(name),
        shape_(MakeArray<TfLiteIntArray>(shape)),
        scales_(MakeArray<TfLiteFloatArray>(scales)),
        zero_points_(MakeArray<TfLiteIntArray>(zero_points)),
        affine_{scales_.get(), zero_points_.get(), quantized_dimension} {
    if (data) data_ = *data;
    tensor_.name = name_.c_str();
    tensor_.type = TypeCode(type);
    tensor_.dims = shape_.get();
    tensor_.allocation_type = data ? kTfLiteMmapRo : kTfLiteArenaRw;
    tensor_.data.raw = data ? data_.data() : nullptr;
    tensor_.bytes = data_.size();
    tensor_.is_variable = variable;
    tensor_.sparsity = sparse ? this : nullptr;  // nobody looks into it
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

  std::string name_;
  std::unique_ptr<TfLiteIntArray, Free> shape_;
  std::unique_ptr<TfLiteFloatArray, Free> scales_;
  std::unique_ptr<TfLiteIntArray, Free> zero_points_;
  TfLiteAffineQuantizationParams affine_;
  std::string data_;
  TfLiteTensor tensor_ = {};
};

struct ModelNode {
  std::vector<int> inputs;
  std::vector<int> outputs;
  const OperatorKind* kind = nullptr;  // null for operators that are the runtime's alone
  std::shared_ptr<void> parameters;    // as the runtime would hand them over; null where it has none
};

const OperatorKind* KindNamed(const std::string& name) {
  for (const OperatorKind& kind : AllOperators()) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

ModelNode MakeModelNode(const std::string& kind, const std::vector<int>& inputs, const std::vector<int>& outputs,
                        const py::dict& options) {
  ModelNode node = {inputs, outputs, KindNamed(kind), nullptr};
  if (node.kind != nullptr) node.parameters = MakeParameters(*node.kind, options);
  return node;
}

std::vector<std::string> OperatorNames() {
  std::vector<std::string> names;
  for (const OperatorKind& kind : AllOperators()) names.emplace_back(kind.name);
  return names;
}

struct Decision {
  int node;
  std::string kind;
  bool claimed;
  std::string reason;
  double saved_multiplications;
};

// A model behind the functions of a TfLiteContext that a selection calls.
class MockRuntime {
 public:
  MockRuntime(const std::vector<const NodeTensor*>& tensors, const std::vector<ModelNode>& nodes)
      : described_(nodes), nodes_(nodes.size()), registrations_(nodes.size()) {
    for (const NodeTensor* tensor : tensors) tensors_.push_back(tensor->tensor());
    std::vector<int> plan;
    for (size_t i = 0; i < nodes.size(); ++i) {
      arrays_.push_back(MakeArray<TfLiteIntArray>(nodes[i].inputs));
      nodes_[i].inputs = arrays_.back().get();
      arrays_.push_back(MakeArray<TfLiteIntArray>(nodes[i].outputs));
      nodes_[i].outputs = arrays_.back().get();
      nodes_[i].builtin_data = nodes[i].parameters.get();
      registrations_[i].builtin_code = nodes[i].kind != nullptr ? nodes[i].kind->builtin_code : -1;
      plan.push_back(static_cast<int>(i));
    }
    plan_ = MakeArray<TfLiteIntArray>(plan);
    context_.tensors = tensors_.data();
    context_.tensors_size = tensors_.size();
    context_.impl_ = this;
    context_.GetExecutionPlan = [](TfLiteContext* context, TfLiteIntArray** plan) {
      *plan = Self(context).plan_.get();
      return kTfLiteOk;
    };
    context_.GetNodeAndRegistration = [](TfLiteContext* context, int index, TfLiteNode** node,
                                         TfLiteRegistration** registration) {
      *node = &Self(context).nodes_[index];
      *registration = &Self(context).registrations_[index];
      return kTfLiteOk;
    };
    context_.PreviewDelegatePartitioning = [](TfLiteContext* context, const TfLiteIntArray* chosen,
                                              TfLiteDelegateParams** partitions, int* count) {
      MockRuntime& self = Self(context);
      self.Partition({chosen->data, chosen->data + chosen->size});
      *partitions = self.partitions_.data();
      *count = static_cast<int>(self.partitions_.size());
      return kTfLiteOk;
    };
    context_.ReportError = Ignore;
  }
  MockRuntime(const MockRuntime&) = delete;

  std::vector<Decision> Select(const DelegateOptions& options, const CpuProfile& cpu) {
    Selection selection;
    if (!selection.Select(&context_, options, cpu)) throw std::bad_alloc();
    std::vector<Decision> decisions;
    for (const Selection::Candidate& candidate : selection.candidates()) {
      if (candidate.kind == nullptr) continue;
      const double saved = candidate.claimed ? candidate.saved_multiplications : 0;
      decisions.push_back({candidate.node, candidate.kind->name, candidate.claimed, candidate.reason.text, saved});
    }
    return decisions;
  }

 private:
  static void Ignore(TfLiteContext*, const char*, ...) {}

  static MockRuntime& Self(TfLiteContext* context) { return *static_cast<MockRuntime*>(context->impl_); }

  // As TFLite does it: nodes whose inputs are there join the current set while they are of its kind, chosen or not; when none
  // is left, the next set begins.
  void Partition(const std::vector<int>& chosen) {
    std::vector<bool> is_chosen(nodes_.size());
    for (int node : chosen) is_chosen[node] = true;
    std::vector<bool> ready(tensors_.size(), true);
    for (const ModelNode& node : described_) {
      for (int output : node.outputs) ready[output] = false;
    }
    std::vector<bool> done(nodes_.size());
    const auto is_ready = [&](size_t node) {
      return std::all_of(described_[node].inputs.begin(), described_[node].inputs.end(),
                         [&](int input) { return input < 0 || ready[input]; });
    };
    for (size_t left = nodes_.size(); left > 0;) {
      std::vector<int> members;
      for (bool grew = true; grew;) {
        grew = false;
        for (size_t i = 0; i < nodes_.size(); ++i) {
          if (done[i] || !is_ready(i) || (!members.empty() && is_chosen[i] != is_chosen[members[0]])) continue;
          members.push_back(static_cast<int>(i));
          for (int output : described_[i].outputs) ready[output] = true;
          done[i] = grew = true;
        }
      }
      if (members.empty()) break;  // a cycle: no valid model
      left -= members.size();
      if (!is_chosen[members[0]]) continue;
      arrays_.push_back(MakeArray<TfLiteIntArray>(members));
      TfLiteDelegateParams partition = {};
      partition.nodes_to_replace = arrays_.back().get();
      partitions_.push_back(partition);
    }
  }

  std::vector<ModelNode> described_;
  std::vector<TfLiteTensor> tensors_;
  std::vector<TfLiteNode> nodes_;
  std::vector<TfLiteRegistration> registrations_;
  std::vector<std::unique_ptr<TfLiteIntArray, Free>> arrays_;
  std::unique_ptr<TfLiteIntArray, Free> plan_;
  std::vector<TfLiteDelegateParams> partitions_;
  TfLiteContext context_ = {};
};

std::vector<Decision> SelectNodes(const std::vector<const NodeTensor*>& tensors, const std::vector<ModelNode>& nodes,
                                  const CpuProfile& cpu, int threads, const std::map<std::string, std::string>& texts) {
  const int count = static_cast<int>(tensors.size());
  for (const ModelNode& node : nodes) {
    for (int index : node.inputs) {
      if (index < -1 || index >= count) throw py::value_error("a node has an input that is no tensor");
    }
    for (int index : node.outputs) {
      if (index < 0 || index >= count) throw py::value_error("a node has an output that is no tensor");
    }
  }
  if (threads < 1) throw py::value_error("threads must be positive");
  DelegateOptions options;
  for (const auto& [key, value] : texts) {
    const char* name = key.c_str();
    const char* text = value.c_str();
    Reason error;
    if (!ParseOptions(&name, &text, 1, &options, &error)) throw py::value_error(error.text);
  }
  options.num_threads = threads;
  options.log_level = 1;  // an expression that matches no layer is told
  return MockRuntime(tensors, nodes).Select(options, cpu);
}

}  // namespace

void BindModel(py::module_& m) {
  py::class_<NodeTensor>(m, "NodeTensor")
      .def(py::init([](const std::string& type, const std::vector<int>& shape, const std::vector<float>& scales,
                       const std::vector<int>& zero_points, int quantized_dimension, const std::optional<py::bytes>& data,
                       const std::string& name, bool variable, bool sparse) {
             std::optional<std::string> text;
             if (data) text = std::string(*data);
             return std::make_unique<NodeTensor>(type, shape, scales, zero_points, quantized_dimension, text, name, variable,
                                                 sparse);
           }),
           py::arg("type"), py::arg("shape"), py::kw_only(), py::arg("scales") = std::vector<float>(),
           py::arg("zero_points") = std::vector<int>(), py::arg("quantized_dimension") = 0,
           py::arg("data") = py::none(), py::arg("name") = "", py::arg("variable") = false, py::arg("sparse") = false);
  py::class_<ModelNode>(m, "ModelNode")
      .def(py::init(&MakeModelNode), py::arg("kind"), py::arg("inputs"), py::arg("outputs"), py::arg("options") = py::dict());
  py::class_<Decision>(m, "Decision")
      .def_readonly("node", &Decision::node)
      .def_readonly("kind", &Decision::kind)
      .def_readonly("claimed", &Decision::claimed)
      .def_readonly("reason", &Decision::reason)
      .def_readonly("saved_multiplications", &Decision::saved_multiplications);
  m.def("operators", OperatorNames);
  m.def("select", SelectNodes, py::arg("tensors"), py::arg("nodes"), py::arg("cpu"), py::arg("threads") = 1,
        py::arg("options") = std::map<std::string, std::string>());
}

}  // namespace tflite_eq
