// What kernels need of a CPU, and what a CPU has: sets of capabilities.
//
// A kernel runs wherever its set is a part of the CPU's; of several, the one that kernel_list.h has first is taken. Every build knows the
// capabilities of all architectures, since the policy answers for other machines too.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ISA_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ISA_H_

#include <stdint.h>

#include "delegate/kernels/always_inline.h"

namespace tflite_eq {

// What a CPU and its operating system have or lack, as far as some kernel needs it. A bit each.
enum Capability : uint32_t {
  kHasAvx2 = 1u << 0,        // and FMA
  kHasAvx512Vnni = 1u << 1,  // VNNI, F, BW, DQ and VL, all of 512 bits
  kHasAvx512Vbmi = 1u << 2,  // permutations of bytes: all CPUs with VNNI of 512 bits have them, but for the first
  kHasNeon = 1u << 16,       // Advanced SIMD of ARMv8.0
  kHasDotprod = 1u << 17,    // sdot, ARMv8.2 (optional) to 8.4
  kHasI8mm = 1u << 18,       // smmla, ARMv8.6
};

// A set of them: those listed here, and any other.
enum class Isa : uint32_t {
  kScalar = 0,
  kAvx2 = kHasAvx2,
  kAvx512Vnni = kAvx2 | kHasAvx512Vnni,
  kAvx512Vbmi = kAvx512Vnni | kHasAvx512Vbmi,
  kNeon = kHasNeon,
  kNeonDotprod = kNeon | kHasDotprod,
  kNeonI8mm = kNeonDotprod | kHasI8mm,
};

// Those that have names, by which the option `isa` takes them; within an architecture the later are faster where they run.
inline constexpr Isa kIsas[] = {Isa::kScalar, Isa::kAvx2, Isa::kAvx512Vnni, Isa::kNeon, Isa::kNeonDotprod, Isa::kNeonI8mm};

TFLITE_EQ_ALWAYS_INLINE constexpr bool Includes(Isa set, Isa part) {
  return (static_cast<uint32_t>(part) & ~static_cast<uint32_t>(set)) == 0;
}

// With the capability added where it is there.
TFLITE_EQ_ALWAYS_INLINE constexpr Isa With(Isa set, Capability capability, bool there) {
  return static_cast<Isa>(static_cast<uint32_t>(set) | (there ? capability : 0u));
}

// What is left of a set where a named one is the most that may be used. Capabilities that no name stands for are left alone.
Isa LimitedTo(Isa most, Isa set);

// Of the fastest named set that is a part of this one.
const char* IsaName(Isa isa);
// False when there is none of that name.
bool IsaFromName(const char* name, Isa* isa);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ISA_H_
