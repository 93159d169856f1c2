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

// The output codes that it lets through. False with a reason where TFLite finds no code for a bound.
inline bool ReadActivationRange(int32_t number, float scale, int32_t zero_point, int32_t* min, int32_t* max, Reason* reason) {
  Activation activation;
  if (!ReadActivation(number, &activation, reason)) return false;
  const float bound = activation == Activation::kRelu6 ? 6.0f : activation == Activation::kReluN1To1 ? 1.0f : 0.0f;
  // Negated, so that what is no number is refused, too.
  if (!(bound / scale < 2147483520.0f)) {
    reason->Set("no code is %g: the output has a scale of %g", static_cast<double>(bound), static_cast<double>(scale));
    return false;
  }
  ActivationRange(activation, scale, zero_point, min, max);
  return true;
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_ACTIVATION_H_
