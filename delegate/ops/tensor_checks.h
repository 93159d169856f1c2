// What operators ask of the tensors of a node. Each check says what is wrong, naming the tensor by its role.
#ifndef TFLITE_EQ_DELEGATE_OPS_TENSOR_CHECKS_H_
#define TFLITE_EQ_DELEGATE_OPS_TENSOR_CHECKS_H_

#include "delegate/graph/graph_view.h"
#include "delegate/kernels/reason.h"
#include "delegate/graph/shape.h"

namespace tflite_eq {

// The tensors are there, in the numbers given, and neither those that are computed nor the output is a variable. Of several outputs the
// one that is meant is looked at.
bool HasTensors(const GraphView& graph, const NodeView& node, int fewest_inputs, int most_inputs, Reason* reason,
                bool several_outputs = false);

bool HasInt8Type(TensorView tensor, const char* role, Reason* reason);

// Four dimensions of at least `least`.
bool HasFourDimensions(TensorView tensor, const char* role, int least, Reason* reason);

// One scale or more, with as many zero points or one for all of them.
bool HasQuantization(const QuantizationView& quantization, const char* role, Reason* reason);

// One positive scale and an int8 zero point.
bool PerTensor(TensorView tensor, const char* role, Reason* reason);

// int8, quantized per tensor: what most operators compute with.
bool HasInt8Codes(TensorView tensor, const char* role, Reason* reason);

// An input whose codes mean the same as the output's: for operators that move codes.
bool HasSameQuantization(TensorView input, TensorView output, Reason* reason);

// Constant, of the type, with at least `values` values of `value_bytes` bytes each in memory.
bool IsConstant(TensorView tensor, const char* role, int32_t type, size_t values, size_t value_bytes, Reason* reason);

// Constant int32 numbers, as axes, sizes and paddings are; they stay where they are, in the model.
struct ConstantInts {
  const int32_t* values = nullptr;
  int count = 0;
  int32_t operator[](int i) const { return values[i]; }
};

// An input of one dimension or none that holds such numbers.
bool ReadInts(const GraphView& graph, const NodeView& node, int input, const char* role, ConstantInts* ints, Reason* reason);

// What the model or the runtime says the shape is; false with a reason where it has too many dimensions or is too large.
bool ReadShape(TensorView tensor, const char* role, Shape* shape, Reason* reason);

// What is read of the node besides its tensors.
template <typename Parameters>
const Parameters* ReadParameters(const NodeView& node, Reason* reason) {
  if (node.parameters == nullptr) reason->Set("malformed node: its parameters are missing");
  return static_cast<const Parameters*>(node.parameters);
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_TENSOR_CHECKS_H_
