#include "delegate/kernels/requantize_neon.h"
#include "delegate/kernels/requantize_vectors_for_test.h"

namespace tflite_eq {
namespace {

void RequantizeForTestNeon(const Requantization& r, const int32_t* acc, int count, int32_t* z) {
  const RequantizeNeon constants(r, 0);
  const bool fast = RequantizeNeon::IsFast(r, 0, 16);
  for (int i = 0; i < count; i += 4) {
    const int32x4_t x = vld1q_s32(acc + i);
    const int32x4_t rounded = fast ? constants.Fast(x) : constants.General(x);
    vst1q_s32(z + i, vqaddq_s32(rounded, vdupq_n_s32(r.zero_point())));
  }
}

}  // namespace

// The same instructions serve all three.
std::vector<VectorRequantizeFunction> VectorRequantizeFunctions() { return {{Isa::kNeon, RequantizeForTestNeon}}; }

}  // namespace tflite_eq
