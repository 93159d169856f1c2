// The accelerator beside another one for the GPU, which is found once in a process.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "delegate/litert/accelerator.h"
#include "delegate/litert/accelerator_options.h"
#include "delegate/litert/testing/gpu_stand_in.h"

namespace tflite_eq {
namespace {

LiteRtHwAcceleratorSet wanted;
TfLiteDelegate* wrapped;

LiteRtStatus Wrap(TfLiteDelegate* delegate, void (*deleter)(TfLiteDelegate*), LiteRtDelegateWrapper*) {
  wrapped = delegate;
  deleter(delegate);
  return kLiteRtStatusOk;
}

LiteRtStatus GetHardware(LiteRtOptions, LiteRtHwAcceleratorSet* hardware) {
  *hardware = wanted;
  return kLiteRtStatusOk;
}

TEST(GpuTest, ModelsAreHandedOnToTheGpusAccelerator) {
  setenv(kOptionsVariable, ("log_level:1;gpu_library:" + std::string(getenv("GPU_STAND_IN"))).c_str(), 1);
  LiteRtHwAcceleratorSet hardware = 0;
  ASSERT_EQ(LiteRtAcceleratorImpl.get_hardware_support(nullptr, &hardware), kLiteRtStatusOk);
  EXPECT_EQ(hardware, kLiteRtHwAcceleratorCpu | kLiteRtHwAcceleratorGpu);
  EXPECT_EQ(LiteRtAcceleratorImpl.buffer_handlers.num_supported_buffer_types, 1u);
  EXPECT_EQ(LiteRtAcceleratorImpl.buffer_handlers.supported_buffer_types[0], kStandInBufferType);
  const LiteRtAcceleratorDef* made = NewAccelerator({});
  EXPECT_EQ(made->buffer_handlers.supported_buffer_types[0], kStandInBufferType);

  LiteRtRuntimeContext context = {};
  context.abi_header = {416, 1, 2, 0};
  context.wrap_delegate = Wrap;
  context.get_options_hardware_accelerators = GetHardware;
  LiteRtDelegateWrapper wrapper = nullptr;
  const LiteRtHwAcceleratorSet with_gpu[] = {kLiteRtHwAcceleratorGpu, kLiteRtHwAcceleratorCpu | kLiteRtHwAcceleratorGpu};
  for (LiteRtHwAcceleratorSet each : with_gpu) {
    wanted = each;
    EXPECT_EQ(LiteRtAcceleratorImpl.create_delegate(&context, nullptr, nullptr, nullptr, &wrapper), kStandInStatus);
    EXPECT_EQ(wrapped, nullptr);
  }
  wanted = kLiteRtHwAcceleratorCpu;
  EXPECT_EQ(LiteRtAcceleratorImpl.create_delegate(&context, nullptr, nullptr, nullptr, &wrapper), kLiteRtStatusOk);
  EXPECT_NE(wrapped, nullptr);

  // LiteRT 2.2 does not tell what a model is for: the CPU has all of them, which is told once.
  context.abi_header = {400, 1, 0, 0};
  wanted = kLiteRtHwAcceleratorGpu;
  testing::internal::CaptureStderr();
  EXPECT_EQ(LiteRtAcceleratorImpl.create_delegate(&context, nullptr, nullptr, nullptr, &wrapper), kLiteRtStatusOk);
  EXPECT_EQ(LiteRtAcceleratorImpl.create_delegate(&context, nullptr, nullptr, nullptr, &wrapper), kLiteRtStatusOk);
  const std::string log = testing::internal::GetCapturedStderr();
  const size_t told = log.find("does not tell accelerators whether a model is for the CPU or the GPU");
  EXPECT_NE(told, std::string::npos) << log;
  EXPECT_EQ(log.find("does not tell accelerators", told + 1), std::string::npos) << log;
}

}  // namespace
}  // namespace tflite_eq
