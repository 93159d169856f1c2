// TFLite's int8 operators around convolutions, as its specification (and BUILTIN_REF) has them, written apart from the kernels
// that they are compared with. What TFLite refuses while preparing they refuse; where its arithmetic is undefined, too.
#ifndef TFLITE_EQ_DELEGATE_TESTING_OPERATORS_H_
#define TFLITE_EQ_DELEGATE_TESTING_OPERATORS_H_

#include "delegate/tflite_abi.h"

namespace tflite_eq {

// For one of TestOperator; an operator of another code fails to prepare. Nodes carry their TestNode as custom_initial_data.
TfLiteRegistration OperatorRegistration(int code);

// By file: conv_operators.cc, transpose_conv.cc, pool_operators.cc, elementwise_operators.cc, unary_operators.cc, reduce_operators.cc,
// shape_operators.cc, movement_operators.cc, image_operators.cc.
TfLiteRegistration Conv2dRegistration();
TfLiteRegistration DepthwiseConv2dRegistration();
TfLiteRegistration TransposeConvRegistration();
TfLiteRegistration MaxPool2dRegistration();
TfLiteRegistration AveragePool2dRegistration();
TfLiteRegistration AddRegistration();
TfLiteRegistration LeakyReluRegistration();
TfLiteRegistration MulRegistration();
TfLiteRegistration PreluRegistration();
TfLiteRegistration ReluRegistration();
TfLiteRegistration SubRegistration();
TfLiteRegistration ExtremumRegistration();
TfLiteRegistration UnaryRegistration();
TfLiteRegistration ReductionRegistration();
TfLiteRegistration MovementRegistration();
TfLiteRegistration ResizeRegistration();
TfLiteRegistration SplitRegistration();
TfLiteRegistration TransposeRegistration();
TfLiteRegistration PadRegistration();
TfLiteRegistration ConcatenationRegistration();
TfLiteRegistration ReshapeRegistration();

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_TESTING_OPERATORS_H_
