#include "delegate/ops/operator.h"

// What the tables of abstract classes name: the C++ runtime has it, and the library does without one. Nothing calls it.
extern "C" __attribute__((visibility("hidden"))) void __cxa_pure_virtual() { __builtin_trap(); }
