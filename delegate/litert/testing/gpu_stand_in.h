// An accelerator for a GPU that is not there: it says who was asked.
#ifndef TFLITE_EQ_DELEGATE_LITERT_TESTING_GPU_STAND_IN_H_
#define TFLITE_EQ_DELEGATE_LITERT_TESTING_GPU_STAND_IN_H_

#include "delegate/litert/litert_abi.h"

namespace tflite_eq {

constexpr LiteRtStatus kStandInStatus = 777;
constexpr int32_t kStandInBufferType = 20;

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_LITERT_TESTING_GPU_STAND_IN_H_
