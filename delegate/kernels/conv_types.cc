#include "delegate/kernels/conv_types.h"

#include <string.h>

namespace tflite_eq {
namespace {

constexpr const char* kAlgorithmNames[kAlgorithmCount] = {"reference",    "direct",       "direct_int7", "depthwise",
                                                          "winograd_f43", "winograd_f23", "winograd_1d"};
constexpr const char* kIsaNames[kIsaCount] = {"scalar", "avx2",         "avx512_vnni",
                                                "neon",   "neon_dotprod", "neon_i8mm"};

}  // namespace

const char* AlgorithmName(Algorithm algorithm) { return kAlgorithmNames[static_cast<int>(algorithm)]; }
const char* IsaName(Isa isa) { return kIsaNames[static_cast<int>(isa)]; }

bool AlgorithmFromName(const char* name, Algorithm* algorithm) {
  for (int i = 0; i < kAlgorithmCount; ++i) {
    if (strcmp(name, kAlgorithmNames[i]) == 0) {
      *algorithm = static_cast<Algorithm>(i);
      return true;
    }
  }
  return false;
}

bool IsaFromName(const char* name, Isa* isa) {
  for (int i = 0; i < kIsaCount; ++i) {
    if (strcmp(name, kIsaNames[i]) == 0) {
      *isa = static_cast<Isa>(i);
      return true;
    }
  }
  return false;
}

}  // namespace tflite_eq
