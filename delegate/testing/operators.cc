#include "delegate/testing/operators.h"

#include "delegate/testing/graph.h"

namespace tflite_eq {

TfLiteRegistration OperatorRegistration(int code) {
  TfLiteRegistration registration = {};
  switch (code) {
    case kOperatorConv2d:
      registration = Conv2dRegistration();
      break;
    case kOperatorDepthwiseConv2d:
      registration = DepthwiseConv2dRegistration();
      break;
    case kOperatorMaxPool2d:
      registration = MaxPool2dRegistration();
      break;
    case kOperatorAveragePool2d:
      registration = AveragePool2dRegistration();
      break;
    case kOperatorAdd:
      registration = AddRegistration();
      break;
    case kOperatorSub:
      registration = SubRegistration();
      break;
    case kOperatorMul:
      registration = MulRegistration();
      break;
    case kOperatorLeakyRelu:
      registration = LeakyReluRegistration();
      break;
    case kOperatorPrelu:
      registration = PreluRegistration();
      break;
    case kOperatorRelu:
      registration = ReluRegistration();
      break;
    case kOperatorPad:
      registration = PadRegistration();
      break;
    case kOperatorConcatenation:
      registration = ConcatenationRegistration();
      break;
    case kOperatorReshape:
      registration = ReshapeRegistration();
      break;
    case kOperatorMean:
      registration = MeanRegistration();
      break;
    case kOperatorResizeBilinear:
    case kOperatorResizeNearestNeighbor:
      registration = ResizeRegistration();
      break;
    case kOperatorSplit:
      registration = SplitRegistration();
      break;
    case kOperatorTranspose:
      registration = TransposeRegistration();
      break;
    default:
      break;
  }
  registration.builtin_code = code;
  registration.version = 1;
  return registration;
}

}  // namespace tflite_eq
