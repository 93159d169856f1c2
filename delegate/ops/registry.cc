#include "delegate/ops/registry.h"

#include "delegate/array.h"
#include "delegate/ops/binary.h"
#include "delegate/ops/conv_2d.h"
#include "delegate/ops/depthwise_conv_2d.h"
#include "delegate/ops/fully_connected.h"
#include "delegate/ops/pool.h"
#include "delegate/ops/prelu.h"
#include "delegate/ops/shape_operators.h"
#include "delegate/ops/unary.h"

namespace tflite_eq {
namespace {

template <typename Kind>
Operator* Make() {
  return NewObject<Kind>();
}

template <bool subtract>
Operator* MakeSum() {
  void* memory = malloc(sizeof(Sum));
  return memory != nullptr ? new (memory) Sum(subtract) : nullptr;
}

constexpr OperatorKind kKinds[] = {
    {kTfLiteBuiltinAdd, "ADD", MakeSum</*subtract=*/false>},
    {kTfLiteBuiltinAveragePool2d, "AVERAGE_POOL_2D", Make<AveragePool2d>},
    {kTfLiteBuiltinConcatenation, "CONCATENATION", Make<Concatenation>},
    {kTfLiteBuiltinConv2d, "CONV_2D", Make<Conv2d>},
    {kTfLiteBuiltinDepthwiseConv2d, "DEPTHWISE_CONV_2D", Make<DepthwiseConv2d>},
    {kTfLiteBuiltinFullyConnected, "FULLY_CONNECTED", Make<FullyConnected>},
    {kTfLiteBuiltinHardSwish, "HARD_SWISH", Make<HardSwish>},
    {kTfLiteBuiltinLeakyRelu, "LEAKY_RELU", Make<LeakyRelu>},
    {kTfLiteBuiltinMaxPool2d, "MAX_POOL_2D", Make<MaxPool2d>},
    {kTfLiteBuiltinMul, "MUL", Make<Product>},
    {kTfLiteBuiltinPad, "PAD", Make<Pad>},
    {kTfLiteBuiltinPadv2, "PADV2", Make<Pad>},
    {kTfLiteBuiltinPrelu, "PRELU", Make<Prelu>},
    {kTfLiteBuiltinQuantize, "QUANTIZE", Make<Requantize>},
    {kTfLiteBuiltinRelu, "RELU", Make<Relu<Activation::kRelu>>},
    {kTfLiteBuiltinRelu6, "RELU6", Make<Relu<Activation::kRelu6>>},
    {kTfLiteBuiltinReluN1To1, "RELU_N1_TO_1", Make<Relu<Activation::kReluN1To1>>},
    {kTfLiteBuiltinReshape, "RESHAPE", Make<Reshape>},
    {kTfLiteBuiltinSqueeze, "SQUEEZE", Make<Squeeze>},
    {kTfLiteBuiltinSub, "SUB", MakeSum</*subtract=*/true>},
};

}  // namespace

OperatorKinds AllOperators() { return {kKinds, sizeof(kKinds) / sizeof(kKinds[0])}; }

const OperatorKind* FindOperator(int32_t builtin_code) {
  for (const OperatorKind& kind : kKinds) {
    if (kind.builtin_code == builtin_code) return &kind;
  }
  return nullptr;
}

bool OperatorHolder::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  DeleteOperator(held_);
  held_ = nullptr;
  kind_ = FindOperator(node.builtin_code);
  if (kind_ == nullptr) {
    reason->Set("the delegate does not run operators of this kind");
    return false;
  }
  held_ = kind_->make();
  if (held_ == nullptr) {
    reason->Set("out of memory");
    return false;
  }
  return held_->Read(graph, node, reason);
}

}  // namespace tflite_eq
