#include "delegate/testing/operators.h"

#include "delegate/testing/graph.h"

namespace tflite_eq {
namespace {

constexpr struct {
  int code;
  TfLiteRegistration (*registration)();
} kOperators[] = {
    {kOperatorAbs, UnaryRegistration},
    {kOperatorAdd, AddRegistration},
    {kOperatorAveragePool2d, AveragePool2dRegistration},
    {kOperatorConcatenation, ConcatenationRegistration},
    {kOperatorConv2d, Conv2dRegistration},
    {kOperatorDepthToSpace, MovementRegistration},
    {kOperatorDepthwiseConv2d, DepthwiseConv2dRegistration},
    {kOperatorExp, UnaryRegistration},
    {kOperatorExpandDims, MovementRegistration},
    {kOperatorGelu, UnaryRegistration},
    {kOperatorHardSwish, UnaryRegistration},
    {kOperatorLeakyRelu, LeakyReluRegistration},
    {kOperatorLogistic, UnaryRegistration},
    {kOperatorMaximum, ExtremumRegistration},
    {kOperatorMaxPool2d, MaxPool2dRegistration},
    {kOperatorMean, ReductionRegistration},
    {kOperatorMinimum, ExtremumRegistration},
    {kOperatorMirrorPad, MovementRegistration},
    {kOperatorMul, MulRegistration},
    {kOperatorPack, MovementRegistration},
    {kOperatorPad, PadRegistration},
    {kOperatorPadv2, MovementRegistration},
    {kOperatorPrelu, PreluRegistration},
    {kOperatorQuantize, UnaryRegistration},
    {kOperatorReduceMax, ReductionRegistration},
    {kOperatorReduceMin, ReductionRegistration},
    {kOperatorRelu, ReluRegistration},
    {kOperatorRelu0To1, UnaryRegistration},
    {kOperatorRelu6, UnaryRegistration},
    {kOperatorReluN1To1, UnaryRegistration},
    {kOperatorReshape, ReshapeRegistration},
    {kOperatorResizeBilinear, ResizeRegistration},
    {kOperatorResizeNearestNeighbor, ResizeRegistration},
    {kOperatorSlice, MovementRegistration},
    {kOperatorSpaceToDepth, MovementRegistration},
    {kOperatorSplit, SplitRegistration},
    {kOperatorSplitV, MovementRegistration},
    {kOperatorSqueeze, MovementRegistration},
    {kOperatorStridedSlice, MovementRegistration},
    {kOperatorSub, SubRegistration},
    {kOperatorTanh, UnaryRegistration},
    {kOperatorTranspose, TransposeRegistration},
    {kOperatorTransposeConv, TransposeConvRegistration},
    {kOperatorUnpack, MovementRegistration},
};

}  // namespace

TfLiteRegistration OperatorRegistration(int code) {
  TfLiteRegistration registration = {};
  for (const auto& known : kOperators) {
    if (known.code == code) registration = known.registration();
  }
  registration.builtin_code = code;
  registration.version = 1;
  return registration;
}

}  // namespace tflite_eq
