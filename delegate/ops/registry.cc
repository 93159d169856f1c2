#include "delegate/ops/registry.h"

#include "delegate/array.h"
#include "delegate/ops/binary.h"
#include "delegate/ops/conv_2d.h"
#include "delegate/ops/depthwise_conv_2d.h"
#include "delegate/ops/mean.h"
#include "delegate/ops/movement.h"
#include "delegate/ops/pool.h"
#include "delegate/ops/prelu.h"
#include "delegate/ops/reduction.h"
#include "delegate/ops/resize.h"
#include "delegate/ops/shape_operators.h"
#include "delegate/ops/transpose_conv.h"
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

// Not among them, with the reasons in docs/delegate.md: FULLY_CONNECTED, SOFTMAX, SUM.
constexpr OperatorKind kKinds[] = {
    {kTfLiteBuiltinAbs, "ABS", Make<Abs>},
    {kTfLiteBuiltinAdd, "ADD", MakeOf<Sum, /*subtract=*/false>},
    {kTfLiteBuiltinAveragePool2d, "AVERAGE_POOL_2D", Make<AveragePool2d>},
    {kTfLiteBuiltinConcatenation, "CONCATENATION", Make<Concatenation>},
    {kTfLiteBuiltinConv2d, "CONV_2D", Make<Conv2d>},
    {kTfLiteBuiltinDepthwiseConv2d, "DEPTHWISE_CONV_2D", Make<DepthwiseConv2d>},
    {kTfLiteBuiltinDepthToSpace, "DEPTH_TO_SPACE", MakeOf<Movement, &kDepthToSpace>},
    {kTfLiteBuiltinExp, "EXP", MakeOf<CertainUnary, ExpTable>},
    {kTfLiteBuiltinExpandDims, "EXPAND_DIMS", Make<ExpandDims>},
    {kTfLiteBuiltinGelu, "GELU", Make<Gelu>},
    {kTfLiteBuiltinHardSwish, "HARD_SWISH", Make<HardSwish>},
    {kTfLiteBuiltinLeakyRelu, "LEAKY_RELU", Make<LeakyRelu>},
    {kTfLiteBuiltinLogistic, "LOGISTIC", MakeOf<CertainUnary, LogisticTable>},
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
    {kTfLiteBuiltinReduceMax, "REDUCE_MAX", MakeOf<ReduceExtremum, /*minimum=*/false>},
    {kTfLiteBuiltinReduceMin, "REDUCE_MIN", MakeOf<ReduceExtremum, /*minimum=*/true>},
    {kTfLiteBuiltinRelu, "RELU", Make<Relu<Activation::kRelu>>},
    {kTfLiteBuiltinRelu6, "RELU6", Make<Relu<Activation::kRelu6>>},
    {kTfLiteBuiltinRelu0To1, "RELU_0_TO_1", Make<Relu<Activation::kRelu0To1>>},
    {kTfLiteBuiltinReluN1To1, "RELU_N1_TO_1", Make<Relu<Activation::kReluN1To1>>},
    {kTfLiteBuiltinReshape, "RESHAPE", Make<Reshape>},
    {kTfLiteBuiltinResizeBilinear, "RESIZE_BILINEAR", Make<ResizeBilinear>},
    {kTfLiteBuiltinResizeNearestNeighbor, "RESIZE_NEAREST_NEIGHBOR", Make<ResizeNearestNeighbor>},
    {kTfLiteBuiltinSlice, "SLICE", MakeOf<Movement, &kSlice>},
    {kTfLiteBuiltinSpaceToDepth, "SPACE_TO_DEPTH", MakeOf<Movement, &kSpaceToDepth>},
    {kTfLiteBuiltinSplit, "SPLIT", MakeOf<Movement, &kSplit>},
    {kTfLiteBuiltinSplitV, "SPLIT_V", MakeOf<Movement, &kSplitV>},
    {kTfLiteBuiltinSqueeze, "SQUEEZE", Make<Squeeze>},
    {kTfLiteBuiltinStridedSlice, "STRIDED_SLICE", MakeOf<Movement, &kStridedSlice>},
    {kTfLiteBuiltinSub, "SUB", MakeOf<Sum, /*subtract=*/true>},
    {kTfLiteBuiltinTanh, "TANH", MakeOf<CertainUnary, TanhTable>},
    {kTfLiteBuiltinTranspose, "TRANSPOSE", MakeOf<Movement, &kTranspose>},
    {kTfLiteBuiltinTransposeConv, "TRANSPOSE_CONV", Make<TransposeConv>},
    {kTfLiteBuiltinUnpack, "UNPACK", MakeOf<Movement, &kUnpack>},
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
