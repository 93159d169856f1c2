#include "delegate/litert/testing/gpu_stand_in.h"

namespace {

LiteRtStatus GetHardware(LiteRtAccelerator, LiteRtHwAcceleratorSet* hardware) {
  *hardware = kLiteRtHwAcceleratorGpu;
  return kLiteRtStatusOk;
}

LiteRtStatus Create(LiteRtRuntimeContext*, LiteRtEnvironment, LiteRtAccelerator, LiteRtOptions, LiteRtDelegateWrapper*) {
  return tflite_eq::kStandInStatus;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) LiteRtAcceleratorDef LiteRtAcceleratorImpl;
LiteRtAcceleratorDef LiteRtAcceleratorImpl = {{sizeof(LiteRtAcceleratorDef), 1, 0, 0},
                                              nullptr,
                                              nullptr,
                                              GetHardware,
                                              nullptr,
                                              Create,
                                              {},
                                              {{}, 8, 9, 1, {tflite_eq::kStandInBufferType}}};
