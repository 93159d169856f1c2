#include "delegate/ops/tensor_checks.h"

#include "delegate/tflite_abi.h"

namespace tflite_eq {
namespace {

const char* TypeName(int32_t type) {
  switch (type) {
    case kTfLiteFloat32:
      return "float32";
    case kTfLiteInt32:
      return "int32";
    case kTfLiteInt16:
      return "int16";
    case kTfLiteInt8:
      return "int8";
    default:
      return "another type";
  }
}

}  // namespace

bool HasTensors(const GraphView& graph, const NodeView& node, int fewest_inputs, int most_inputs, Reason* reason,
                bool several_outputs) {
  const bool has_outputs = node.outputs.size() == 1 || (several_outputs && node.outputs.size() > 1);
  if (node.inputs.size() < fewest_inputs || node.inputs.size() > most_inputs || !has_outputs) {
    reason->Set("malformed node: %d inputs and %d outputs, not %d and 1", node.inputs.size(), node.outputs.size(), most_inputs);
    return false;
  }
  for (int tensor : node.inputs) {
    // Optional ones are the operator's to ask for.
    if (tensor == kNoTensor) continue;
    const TensorView view = graph.tensor(tensor);
    if (!view.exists()) {
      reason->Set("malformed node: there is no tensor %d", tensor);
      return false;
    }
    if (view.is_variable()) {
      reason->Set("input is a variable");
      return false;
    }
  }
  const TensorView output = graph.tensor(node.outputs.at(node.output, kNoTensor));
  if (!output.exists()) {
    reason->Set("malformed node: there is no output");
    return false;
  }
  if (output.is_variable()) {
    reason->Set("output is a variable");
    return false;
  }
  return true;
}

bool HasInt8Type(TensorView tensor, const char* role, Reason* reason) {
  if (!tensor.exists()) {
    reason->Set("malformed node: it has no %s", role);
    return false;
  }
  if (tensor.type() == kTfLiteInt8) return true;
  reason->Set("%s is %s, not int8", role, TypeName(tensor.type()));
  return false;
}

bool HasFourDimensions(TensorView tensor, const char* role, int least, Reason* reason) {
  const IntView shape = tensor.shape();
  if (shape.size() != 4) {
    reason->Set("%s has %d dimensions, not 4", role, shape.size());
    return false;
  }
  for (int dimension : shape) {
    if (dimension < least) {
      reason->Set("%s has a dimension of %d", role, dimension);
      return false;
    }
  }
  return true;
}

bool HasQuantization(const QuantizationView& quantization, const char* role, Reason* reason) {
  const int scales = quantization.scales.size();
  if (scales < 1 || quantization.zero_points.size() < 1) {
    reason->Set("%s has no affine quantization", role);
    return false;
  }
  // One stands for all of them.
  if (quantization.zero_points.size() != 1 && quantization.zero_points.size() != scales) {
    reason->Set("%s has %d zero points for %d scales", role, quantization.zero_points.size(), scales);
    return false;
  }
  return true;
}

// Kernels read the scale and the zero point of a tensor that is quantized as a whole in a place of their own.
bool PerTensor(TensorView tensor, const char* role, Reason* reason) {
  const QuantizationView quantization = tensor.quantization();
  if (!HasQuantization(quantization, role, reason)) return false;
  if (quantization.scales.size() != 1 || !(tensor.scale() > 0) || tensor.zero_point() < -128 || tensor.zero_point() > 127) {
    reason->Set("%s is not quantized per tensor with a positive scale and an int8 zero point", role);
    return false;
  }
  if (tensor.scale() != quantization.scales.at(0, 0) || tensor.zero_point() != quantization.zero_points.at(0, 0)) {
    reason->Set("%s says that it has scale %g, zero point %d, and scale %g, zero point %d", role, tensor.scale(),
                tensor.zero_point(), quantization.scales.at(0, 0), quantization.zero_points.at(0, 0));
    return false;
  }
  return true;
}

bool HasInt8Codes(TensorView tensor, const char* role, Reason* reason) {
  return HasInt8Type(tensor, role, reason) && PerTensor(tensor, role, reason);
}

bool HasSameQuantization(TensorView input, TensorView output, Reason* reason) {
  if (input.scale() == output.scale() && input.zero_point() == output.zero_point()) return true;
  reason->Set("input and output have different scales");
  return false;
}

bool IsConstant(TensorView tensor, const char* role, int32_t type, size_t values, size_t value_bytes, Reason* reason) {
  if (!tensor.exists() || tensor.type() != type || !tensor.is_constant() || tensor.data() == nullptr) {
    reason->Set("%s is not a constant %s tensor", role, TypeName(type));
    return false;
  }
  if (tensor.is_sparse()) {
    reason->Set("%s is sparse", role);
    return false;
  }
  size_t bytes;
  if (__builtin_mul_overflow(values, value_bytes, &bytes) || tensor.bytes() < bytes) {
    reason->Set("%s holds fewer values than its shape says", role);
    return false;
  }
  return true;
}

bool ReadInts(const GraphView& graph, const NodeView& node, int input, const char* role, ConstantInts* ints, Reason* reason) {
  const TensorView tensor = graph.tensor(node.inputs.at(input, kNoTensor));
  Shape shape;
  if (tensor.exists() && !ReadShape(tensor, role, &shape, reason)) return false;
  if (shape.rank > 1) {
    reason->Set("%s has %d dimensions", role, shape.rank);
    return false;
  }
  ints->count = static_cast<int>(shape.elements());
  if (!IsConstant(tensor, role, kTfLiteInt32, static_cast<size_t>(ints->count), sizeof(int32_t), reason)) return false;
  ints->values = static_cast<const int32_t*>(tensor.data());
  return true;
}

bool ReadShape(TensorView tensor, const char* role, Shape* shape, Reason* reason) {
  const IntView dims = tensor.shape();
  if (dims.size() > Shape::kMostDimensions) {
    reason->Set("%s has %d dimensions", role, dims.size());
    return false;
  }
  shape->rank = dims.size();
  for (int i = 0; i < dims.size(); ++i) shape->dims[i] = dims.at(i, 0);
  if (shape->IsValid()) return true;
  reason->Set("%s has a negative dimension or is too large", role);
  return false;
}

}  // namespace tflite_eq
