// C interface to LayerChain, so that a Python script can let kernels and a TFLite interpreter take turns.
#include <chrono>
#include <cstdio>
#include <string>

#include "delegate/benchmark/layer_chain.h"

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

struct Chain {
  tflite_eq::LayerChain layers;
};

bool ValuesFromName(const std::string& name, tflite_eq::Values* values) {
  *values = name == "even_triplets" ? tflite_eq::Values::kEvenTriplets
            : name == "plain_int7"  ? tflite_eq::Values::kPlainInt7
                                    : tflite_eq::Values::kInt8;
  return name == "even_triplets" || name == "plain_int7" || name == "int8";
}

}  // namespace

// Null with a message in `error` when the kernel refuses the chain. Layers are depthwise where the kernel is.
EXPORTED void* kernel_chain_create(const char* kernel, const char* isa, const char* values, int size, int input_channels,
                                   int output_channels, int filter, int stride, char* error, int error_size) {
  tflite_eq::Algorithm algorithm;
  tflite_eq::Isa instructions;
  tflite_eq::Values kind;
  if (!tflite_eq::AlgorithmFromName(kernel, &algorithm) || !tflite_eq::IsaFromName(isa, &instructions) ||
      !ValuesFromName(values, &kind)) {
    std::snprintf(error, error_size, "unknown kernel, isa or values: %s, %s, %s", kernel, isa, values);
    return nullptr;
  }
  Chain* chain = new Chain;
  tflite_eq::Reason reason;
  const bool depthwise = algorithm == tflite_eq::Algorithm::kDepthwise;
  if (!chain->layers.Prepare({size, input_channels, output_channels, filter, stride, depthwise}, kind, algorithm, instructions, 1,
                             /*seed=*/1, &reason)) {
    std::snprintf(error, error_size, "%s", reason.text);
    delete chain;
    return nullptr;
  }
  return chain;
}

// Milliseconds per layer of one pass.
EXPORTED double kernel_chain_run(void* opaque) {
  tflite_eq::SerialThreadPool pool;
  const auto start = std::chrono::steady_clock::now();
  static_cast<Chain*>(opaque)->layers.Run(&pool);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count() / tflite_eq::LayerChain::kLayers;
}

EXPORTED void kernel_chain_delete(void* opaque) { delete static_cast<Chain*>(opaque); }
