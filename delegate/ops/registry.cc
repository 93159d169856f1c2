#include "delegate/ops/registry.h"

#include "delegate/array.h"
#include "delegate/ops/binary.h"
#include "delegate/ops/conv_2d.h"
#include "delegate/ops/depthwise_conv_2d.h"
#include "delegate/ops/mean.h"
#include "delegate/ops/movement.h"
#include "delegate/ops/pool.h"
#include "delegate/ops/prelu.h"
#include "delegate/ops/resize.h"
#include "delegate/ops/shape_operators.h"
#include "delegate/ops/unary.h"

namespace tflite_eq {
namespace {

template <typename Kind>
Operator* Make() {
  return NewObject<Kind>();
}

// One that is told which of its kind it is.
template <typename Kind, auto which>
Operator* MakeOf() {
  void* memory = malloc(sizeof(Kind));
  return memory != nullptr ? new (memory) Kind(which) : nullptr;
}

// Not among them: FULLY_CONNECTED, of which LiteRT 2.3 rounds once where tflite-runtime 2.14 and TensorFlow 2.19 round twice: some codes
// differ by one, and a delegate is told neither the runtime's version nor which of its kernels run; SOFTMAX, which on aarch64 computes with
// other tables than elsewhere; SUM, which is computed in single precision, as the compiler contracts it.
constexpr OperatorKind kKinds[] = {
    {kTfLiteBuiltinAdd, "ADD", MakeOf<Sum, /*subtract=*/false>},
    {kTfLiteBuiltinAveragePool2d, "AVERAGE_POOL_2D", Make<AveragePool2d>},
    {kTfLiteBuiltinConcatenation, "CONCATENATION", Make<Concatenation>},
    {kTfLiteBuiltinConv2d, "CONV_2D", Make<Conv2d>},
    {kTfLiteBuiltinDepthwiseConv2d, "DEPTHWISE_CONV_2D", Make<DepthwiseConv2d>},
    {kTfLiteBuiltinDepthToSpace, "DEPTH_TO_SPACE", MakeOf<Blocks, DepthToSpaceView>},
    {kTfLiteBuiltinExpandDims, "EXPAND_DIMS", Make<ExpandDims>},
    {kTfLiteBuiltinHardSwish, "HARD_SWISH", Make<HardSwish>},
    {kTfLiteBuiltinLeakyRelu, "LEAKY_RELU", Make<LeakyRelu>},
    {kTfLiteBuiltinLogistic, "LOGISTIC", MakeOf<Sigmoid, LogisticTable>},
    {kTfLiteBuiltinMaximum, "MAXIMUM", MakeOf<Extremum, /*minimum=*/false>},
    {kTfLiteBuiltinMaxPool2d, "MAX_POOL_2D", Make<MaxPool2d>},
    {kTfLiteBuiltinMean, "MEAN", Make<Mean>},
    {kTfLiteBuiltinMinimum, "MINIMUM", MakeOf<Extremum, /*minimum=*/true>},
    {kTfLiteBuiltinMirrorPad, "MIRROR_PAD", Make<MirrorPad>},
    {kTfLiteBuiltinMul, "MUL", Make<Product>},
    {kTfLiteBuiltinPack, "PACK", Make<Pack>},
    {kTfLiteBuiltinPad, "PAD", Make<Pad>},
    {kTfLiteBuiltinPadv2, "PADV2", Make<Pad>},
    {kTfLiteBuiltinPrelu, "PRELU", Make<Prelu>},
    {kTfLiteBuiltinQuantize, "QUANTIZE", Make<Requantize>},
    {kTfLiteBuiltinRelu, "RELU", Make<Relu<Activation::kRelu>>},
    {kTfLiteBuiltinRelu6, "RELU6", Make<Relu<Activation::kRelu6>>},
    {kTfLiteBuiltinReluN1To1, "RELU_N1_TO_1", Make<Relu<Activation::kReluN1To1>>},
    {kTfLiteBuiltinReshape, "RESHAPE", Make<Reshape>},
    {kTfLiteBuiltinResizeBilinear, "RESIZE_BILINEAR", Make<ResizeBilinear>},
    {kTfLiteBuiltinResizeNearestNeighbor, "RESIZE_NEAREST_NEIGHBOR", Make<ResizeNearestNeighbor>},
    {kTfLiteBuiltinSlice, "SLICE", Make<Slice>},
    {kTfLiteBuiltinSpaceToDepth, "SPACE_TO_DEPTH", MakeOf<Blocks, SpaceToDepthView>},
    {kTfLiteBuiltinSplit, "SPLIT", Make<Split>},
    {kTfLiteBuiltinSplitV, "SPLIT_V", Make<SplitV>},
    {kTfLiteBuiltinSqueeze, "SQUEEZE", Make<Squeeze>},
    {kTfLiteBuiltinStridedSlice, "STRIDED_SLICE", Make<StridedSlice>},
    {kTfLiteBuiltinSub, "SUB", MakeOf<Sum, /*subtract=*/true>},
    {kTfLiteBuiltinTanh, "TANH", MakeOf<Sigmoid, TanhTable>},
    {kTfLiteBuiltinTranspose, "TRANSPOSE", Make<Transpose>},
    {kTfLiteBuiltinUnpack, "UNPACK", Make<Unpack>},
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
