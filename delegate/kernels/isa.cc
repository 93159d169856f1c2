#include "delegate/kernels/isa.h"

#include <string.h>

namespace tflite_eq {
namespace {

constexpr const char* kNames[] = {"scalar", "avx2", "avx512_vnni", "neon", "neon_dotprod", "neon_i8mm"};
constexpr int kCount = sizeof(kIsas) / sizeof(kIsas[0]);
static_assert(sizeof(kNames) / sizeof(kNames[0]) == kCount, "a name each");

}  // namespace

Isa LimitedTo(Isa most, Isa set) {
  uint32_t named = 0;
  for (Isa isa : kIsas) named |= static_cast<uint32_t>(isa);
  return static_cast<Isa>(static_cast<uint32_t>(set) & ~(named & ~static_cast<uint32_t>(most)));
}

const char* IsaName(Isa isa) {
  int last = kCount - 1;
  while (!Includes(isa, kIsas[last])) --last;  // the first is a part of every set
  return kNames[last];
}

bool IsaFromName(const char* name, Isa* isa) {
  for (int i = 0; i < kCount; ++i) {
    if (strcmp(name, kNames[i]) != 0) continue;
    *isa = kIsas[i];
    return true;
  }
  return false;
}

}  // namespace tflite_eq
