// Fused activations, as nodes name them.
#ifndef TFLITE_EQ_DELEGATE_OPS_ACTIVATION_H_
#define TFLITE_EQ_DELEGATE_OPS_ACTIVATION_H_

#include "delegate/kernels/reason.h"
#include "delegate/kernels/requantize.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

// False with a reason for numbers that are none of TFLite's four.
inline bool ReadActivation(int32_t number, Activation* activation, Reason* reason) {
  constexpr Activation kActivations[] = {Activation::kNone, Activation::kRelu, Activation::kReluN1To1, Activation::kRelu6};
  if (number < kTfLiteActNone || number > kTfLiteActRelu6) {
    reason->Set("fused activation %d is none of none, relu, relu6, relu_n1_to_1", number);
    return false;
  }
  *activation = kActivations[number];
  return true;
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_ACTIVATION_H_
