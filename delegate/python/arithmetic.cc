// Requantization, as kernels/requantize.h has it.
#include "delegate/kernels/requantize.h"

#include <string.h>

#include "delegate/python/kernels_api.h"

using namespace tflite_eq;

namespace {

bool ParseActivation(const char* name, Activation* activation) {
  const struct {
    const char* name;
    Activation activation;
  } known[] = {{"NONE", Activation::kNone},
               {"RELU", Activation::kRelu},
               {"RELU6", Activation::kRelu6},
               {"RELU_N1_TO_1", Activation::kReluN1To1}};
  for (const auto& one : known) {
    if (strcmp(name, one.name) != 0) continue;
    *activation = one.activation;
    return true;
  }
  return false;
}

}  // namespace

double EqEffectiveScale(float input_scale, float weight_scale, float output_scale) {
  return EffectiveScale(input_scale, weight_scale, output_scale);
}

int32_t EqQuantizeMultiplier(double scale, int32_t* multiplier, int32_t* shift, Reason* reason) {
  if (!(scale >= 0 && scale < 1 << 30)) {
    reason->Set("scale must be in [0, 2^30)");
    return kRefused;
  }
  QuantizeMultiplier(scale, multiplier, shift);
  return kDone;
}

int32_t EqMultiply(const int32_t* accumulators, size_t count, int32_t multiplier, int32_t shift, int32_t* results,
                   Reason* reason) {
  if (multiplier < 0 || shift < -31 || shift > 30) {
    reason->Set("multiplier or shift out of range");
    return kRefused;
  }
  for (size_t i = 0; i < count; ++i) results[i] = MultiplyByQuantizedMultiplier(accumulators[i], multiplier, shift);
  return kDone;
}

int32_t EqActivationRange(const char* activation, float scale, int32_t zero_point, int32_t range[2], Reason* reason) {
  Activation parsed;
  if (!ParseActivation(activation, &parsed)) {
    reason->Set("no kernel fuses the activation function %s", activation);
    return kRefused;
  }
  ActivationRange(parsed, scale, zero_point, &range[0], &range[1]);
  return kDone;
}
