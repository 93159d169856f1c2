#include "delegate/kernels/conv_types.h"

#include <string.h>

namespace tflite_eq {
namespace {

constexpr const char* kAlgorithmNames[kAlgorithmCount] = {"reference",    "direct",       "direct_int7", "depthwise",
                                                          "winograd_f43", "winograd_f23", "winograd_1d"};

}  // namespace

const char* AlgorithmName(Algorithm algorithm) { return kAlgorithmNames[static_cast<int>(algorithm)]; }

bool AlgorithmFromName(const char* name, Algorithm* algorithm) {
  for (int i = 0; i < kAlgorithmCount; ++i) {
    if (strcmp(name, kAlgorithmNames[i]) == 0) {
      *algorithm = static_cast<Algorithm>(i);
      return true;
    }
  }
  return false;
}

}  // namespace tflite_eq
