// The delegate as an accelerator of LiteRT 2's CompiledModel.
//
// The runtime applies accelerators in a fixed order, the one in the GPU's place before its own XNNPACK, wherever what a model asks for
// and what an accelerator supports overlap. This one supports the CPU: a model that asks for the CPU gets it, and XNNPACK what it
// leaves. It holds the GPU's place, so it also answers for the GPU's own accelerator, where there is one: it supports what that
// supports, hands on models that ask for it, and passes on how that makes tensors.
#ifndef TFLITE_EQ_DELEGATE_LITERT_ACCELERATOR_H_
#define TFLITE_EQ_DELEGATE_LITERT_ACCELERATOR_H_

#include "delegate/litert/litert_abi.h"
#include "delegate/options.h"

namespace tflite_eq {

inline constexpr char kAcceleratorName[] = "tflite_eq";

// The functions of a definition. Those of all definitions are the same: an accelerator with options is told by the environment's
// option kLiteRtEnvOptionTagSystemGpuAcceleratorHandle, any other has those of ReadAcceleratorOptions.
LiteRtStatus GetAcceleratorName(LiteRtAccelerator accelerator, const char** name);
LiteRtStatus GetAcceleratorVersion(LiteRtAccelerator accelerator, LiteRtApiVersion* version);
LiteRtStatus GetAcceleratorHardware(LiteRtAccelerator accelerator, LiteRtHwAcceleratorSet* hardware);
LiteRtStatus IsAcceleratorCompiler(LiteRtAccelerator accelerator, bool* responsible);
LiteRtStatus CreateAcceleratorDelegate(LiteRtRuntimeContext* runtime, LiteRtEnvironment environment, LiteRtAccelerator accelerator,
                                       LiteRtOptions options, LiteRtDelegateWrapper* wrapper);

// An accelerator with options of its own, for environments that are given its definition. It lives as long as the process: nothing
// tells when the last environment is gone. Null when memory runs out.
const LiteRtAcceleratorDef* NewAccelerator(const DelegateOptions& options);

}  // namespace tflite_eq

// The definition that the runtime finds by its name, in a library that exports it. How it makes tensors is taken from the GPU's
// accelerator when the runtime asks for name or hardware, which LiteRT 2.2 to 2.4 do before they read it.
extern "C" __attribute__((visibility("default"))) LiteRtAcceleratorDef LiteRtAcceleratorImpl;

#endif  // TFLITE_EQ_DELEGATE_LITERT_ACCELERATOR_H_
