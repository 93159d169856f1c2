// The delegate's options: from strings, checked.
#ifndef TFLITE_EQ_DELEGATE_OPTIONS_H_
#define TFLITE_EQ_DELEGATE_OPTIONS_H_

#include <stddef.h>

#include "delegate/kernels/certificate.h"
#include "delegate/kernels/conv_types.h"
#include "delegate/name_pattern.h"
#include "delegate/tflite_eq_delegate.h"

namespace tflite_eq {

// More are neither accepted nor taken from an interpreter.
inline constexpr int kMostThreads = 256;

// When steps are run in stripes of rows (stripes.h). No option says so; tests choose others.
struct StripeLimits {
  size_t least = 256 << 10;   // bytes between two steps: fewer stay in a cache as they are
  size_t target = 256 << 10;  // bytes that a worker holds, to stay in a second-level cache beside weights
  int fewest_rows = 16;       // in a stripe: with fewer, what steps do once for each stripe takes longer than is gained
};

struct DelegateOptions {
  int num_threads = 0;  // 0: the interpreter's
  // For an interpreter that has so many.
  int ThreadsFor(int interpreters) const {
    const int wanted = num_threads > 0 ? num_threads : interpreters;
    return wanted < 1 ? 1 : wanted < kMostThreads ? wanted : kMostThreads;
  }
  bool any_kernel = true;
  Algorithm kernel = Algorithm::kReference;  // when any_kernel is false
  Isa isa = Isa::kScalar;                    // the most that may be used
  bool any_isa = true;
  bool verify = false;
  bool require_delegation = false;
  int log_level = 1;
  bool profile = false;
  bool reference_in_place = false;
  bool fuse = true;  // fusion.h
  StripeLimits stripes;
  // By the names of their output tensors: layers that are never claimed, and layers that are wherever a kernel is exact, what the
  // policy says notwithstanding. The former goes before the latter.
  NamePattern leave;
  NamePattern claim;
  // What a partition must save to be claimed, in thousands of multiplications (Plan::saved_multiplications); kAutomatic: what the
  // CPU's profile says a switch between delegates costs.
  static constexpr int kAutomatic = -1;
  int min_saving = kAutomatic;
};

// False with a message naming the option, what was found and what is allowed.
bool ParseOptions(const char* const* keys, const char* const* values, size_t count, DelegateOptions* options,
                  Reason* error);
bool OptionsFromC(const TfLiteEqDelegateOptions& c, DelegateOptions* options, Reason* error);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPTIONS_H_
