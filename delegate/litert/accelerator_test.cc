// The accelerator in a stand-in for LiteRT: which interfaces it takes, what it makes of options, and to whom it hands models on.
#include "delegate/litert/accelerator.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "delegate/delegate.h"
#include "delegate/litert/accelerator_options.h"
#include "delegate/testing/conv_chain.h"

namespace tflite_eq {
namespace {

// What the stand-in was given, and what it answers.
struct Runtime {
  TfLiteDelegate* delegate = nullptr;
  void (*deleter)(TfLiteDelegate*) = nullptr;
  LiteRtHwAcceleratorSet wanted = kLiteRtHwAcceleratorCpu;
  const void* given_accelerator = nullptr;
  LiteRtStatus wrapping = kLiteRtStatusOk;
};
Runtime runtime;

LiteRtStatus GetOptions(LiteRtEnvironment, LiteRtEnvironmentOptions*) { return kLiteRtStatusOk; }

LiteRtStatus GetOption(LiteRtEnvironmentOptions, int32_t tag, LiteRtAny* value) {
  if (tag != kLiteRtEnvOptionTagSystemGpuAcceleratorHandle || runtime.given_accelerator == nullptr) return 6;
  value->type = kLiteRtAnyTypeVoidPtr;
  value->ptr_value = runtime.given_accelerator;
  return kLiteRtStatusOk;
}

LiteRtStatus Wrap(TfLiteDelegate* delegate, void (*deleter)(TfLiteDelegate*), LiteRtDelegateWrapper*) {
  if (runtime.wrapping != kLiteRtStatusOk) return runtime.wrapping;
  runtime.delegate = delegate;
  runtime.deleter = deleter;
  return kLiteRtStatusOk;
}

LiteRtStatus GetHardware(LiteRtOptions, LiteRtHwAcceleratorSet* hardware) {
  *hardware = runtime.wanted;
  return kLiteRtStatusOk;
}

class AcceleratorTest : public testing::Test {
 protected:
  AcceleratorTest() {
    runtime = {};
    context_.abi_header = {416, 1, 2, 0};  // LiteRT 2.3's
    context_.get_environment_options = GetOptions;
    context_.get_environment_options_value = GetOption;
    context_.wrap_delegate = Wrap;
    context_.get_options_hardware_accelerators = GetHardware;
    setenv(kOptionsVariable, "log_level:0", 1);
  }
  ~AcceleratorTest() override {
    if (runtime.delegate != nullptr) runtime.deleter(runtime.delegate);
    unsetenv(kOptionsVariable);
  }

  LiteRtStatus Create() {
    testing::internal::CaptureStderr();
    LiteRtDelegateWrapper wrapper = nullptr;
    const LiteRtStatus status =
        LiteRtAcceleratorImpl.create_delegate(&context_, nullptr, nullptr, nullptr, &wrapper);
    log_ = testing::internal::GetCapturedStderr();
    return status;
  }

  LiteRtRuntimeContext context_ = {};
  std::string log_;
};

TEST_F(AcceleratorTest, DefinitionIsOfTheKnownInterface) {
  EXPECT_EQ(LiteRtAcceleratorImpl.abi_header.struct_size, 200);
  EXPECT_EQ(LiteRtAcceleratorImpl.abi_header.major_version, 1);
  const char* name = nullptr;
  ASSERT_EQ(LiteRtAcceleratorImpl.get_name(nullptr, &name), kLiteRtStatusOk);
  EXPECT_STREQ(name, kAcceleratorName);
  LiteRtApiVersion version = {};
  ASSERT_EQ(LiteRtAcceleratorImpl.get_version(nullptr, &version), kLiteRtStatusOk);
  EXPECT_EQ(version.minor, 1);
  bool compiles = false;
  ASSERT_EQ(LiteRtAcceleratorImpl.is_tflite_delegate_responsible_for_jit_compilation(nullptr, &compiles), kLiteRtStatusOk);
  EXPECT_TRUE(compiles);
}

TEST_F(AcceleratorTest, ModelsForTheCpuGetTheDelegate) {
  setenv(kOptionsVariable, "log_level:0;kernel:winograd_f43", 1);
  ASSERT_EQ(Create(), kLiteRtStatusOk);
  ASSERT_NE(runtime.delegate, nullptr);
  const TestGraph chain = MakeConvChain("c-c", 32, Values::kInt8, 1, 6);
  ChainRuntime interpreter(chain);
  ASSERT_TRUE(interpreter.Apply(runtime.delegate)) << interpreter.error();
  ASSERT_TRUE(interpreter.Resize(1, 6, 6)) << interpreter.error();
  for (size_t i = 0; i < interpreter.input().size(); ++i) interpreter.input()[i] = static_cast<int8_t>(i * 37);
  ASSERT_TRUE(interpreter.Invoke()) << interpreter.error();
  EXPECT_EQ(interpreter.delegated(), 2);
  EXPECT_EQ(interpreter.output(), RunChain(chain, 1, 6, 6, interpreter.input()));
}

TEST_F(AcceleratorTest, OtherInterfacesAreRefused) {
  const LiteRtAbiHeader others[] = {
      {416, 2, 0, 0},  // another layout
      {416, 0, 1, 0},
      {144, 1, 0, 0},  // without wrap_delegate
      {0, 0, 0, 0},
  };
  for (const LiteRtAbiHeader& other : others) {
    context_.abi_header = other;
    EXPECT_EQ(Create(), kLiteRtStatusErrorWrongVersion);
    const std::string found = "this LiteRT has an interface of version " + std::to_string(other.major_version) + "." +
                              std::to_string(other.minor_version) + " and " + std::to_string(other.struct_size) + " bytes";
    EXPECT_NE(log_.find(found), std::string::npos) << log_;
    EXPECT_NE(log_.find("use LiteRT 2.2"), std::string::npos) << log_;
  }
  context_.abi_header = {416, 1, 2, 0};
  context_.wrap_delegate = nullptr;
  EXPECT_EQ(Create(), kLiteRtStatusErrorWrongVersion);
  EXPECT_EQ(LiteRtAcceleratorImpl.create_delegate(nullptr, nullptr, nullptr, nullptr, nullptr), kLiteRtStatusErrorWrongVersion);
  EXPECT_EQ(runtime.delegate, nullptr);
}

TEST_F(AcceleratorTest, OldestAndNewerInterfacesOfTheSameLayoutAreTaken) {
  context_.abi_header = {400, 1, 0, 0};  // LiteRT 2.2's, in which what a model is for cannot be asked
  EXPECT_EQ(Create(), kLiteRtStatusOk);
  runtime.deleter(runtime.delegate);
  context_.abi_header = {1024, 1, 9, 0};
  EXPECT_EQ(Create(), kLiteRtStatusOk);
}

TEST_F(AcceleratorTest, BadOptionsAreRefused) {
  setenv(kOptionsVariable, "log_level:0;num_threads:x", 1);
  EXPECT_EQ(Create(), kLiteRtStatusErrorInvalidArgument);
  EXPECT_EQ(log_, "tflite_eq: TFLITE_EQ_ACCELERATOR_OPTIONS, entry 2: option num_threads: \"x\" is not an integer from 0 to 256\n");
}

TEST_F(AcceleratorTest, EnvironmentsHaveTheOptionsOfTheAcceleratorTheyWereGiven) {
  setenv(kOptionsVariable, "garbage", 1);  // is not read
  DelegateOptions options;
  options.log_level = 0;
  options.require_delegation = true;
  Reason error;
  ASSERT_TRUE(options.leave.Set("leave", ".", &error)) << error.text;
  const LiteRtAcceleratorDef* own = NewAccelerator(options);
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->abi_header.struct_size, 200);
  runtime.given_accelerator = own;
  ASSERT_EQ(Create(), kLiteRtStatusOk) << log_;
  const TestGraph chain = MakeConvChain("-", 32, Values::kInt8, 1, 6);
  ChainRuntime interpreter(chain);
  EXPECT_FALSE(interpreter.Apply(runtime.delegate));
  EXPECT_NE(interpreter.error().find("require_delegation"), std::string::npos) << interpreter.error();
  runtime.given_accelerator = &options;  // somebody else's
  EXPECT_EQ(Create(), kLiteRtStatusErrorInvalidArgument);
}

TEST_F(AcceleratorTest, DelegateThatCannotBeWrappedIsDeleted) {
  runtime.wrapping = 3;
  EXPECT_EQ(Create(), 3);  // the leak checker looks for the delegate
}

}  // namespace
}  // namespace tflite_eq
