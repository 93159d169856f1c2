#include "delegate/options.h"

#include <stdlib.h>
#include <string.h>

#include "delegate/kernels/cpu_features.h"
#include "delegate/quoted.h"
#include "delegate/version.h"

namespace tflite_eq {
namespace {

constexpr int kMostSaving = 1000000000;

bool ParseInteger(const char* key, const char* value, int low, int high, int* result, Reason* error) {
  char* end;
  const long number = strtol(value, &end, 10);
  if (end == value || *end != '\0' || number < low || number > high) {
    error->Set("option %s: \"%s\" is not an integer from %d to %d", key, Quoted(value).text, low, high);
    return false;
  }
  *result = static_cast<int>(number);
  return true;
}

bool ParseBoolean(const char* key, const char* value, bool* result, Reason* error) {
  const bool yes = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
  if (!yes && strcmp(value, "0") != 0 && strcmp(value, "false") != 0) {
    error->Set("option %s: \"%s\" is none of 0, 1, false, true", key, Quoted(value).text);
    return false;
  }
  *result = yes;
  return true;
}

bool ParseKernel(const char* value, DelegateOptions* options, Reason* error) {
  options->any_kernel = strcmp(value, "auto") == 0;
  if (options->any_kernel || AlgorithmFromName(value, &options->kernel)) return true;
  error->Set("option kernel: \"%s\" is none of auto, winograd_f43, winograd_f23, winograd_1d, direct_int7, direct, depthwise, reference",
             Quoted(value).text);
  return false;
}

bool ParseIsa(const char* value, DelegateOptions* options, Reason* error) {
  options->any_isa = strcmp(value, "auto") == 0;
  if (options->any_isa) return true;
  if (!IsaFromName(value, &options->isa)) {
    error->Set("option isa: \"%s\" is none of auto, scalar, avx2, avx512_vnni, neon, neon_dotprod, neon_i8mm",
               Quoted(value).text);
    return false;
  }
  if (!CpuSupports(options->isa)) {
    error->Set("option isa: this CPU does not support %s; the best it has is %s, which auto takes", value, IsaName(CpuIsa()));
    return false;
  }
  return true;
}

bool ParseMinSaving(const char* value, DelegateOptions* options, Reason* error) {
  if (strcmp(value, "auto") == 0) {
    options->min_saving = DelegateOptions::kAutomatic;
    return true;
  }
  if (ParseInteger("min_saving", value, 0, kMostSaving, &options->min_saving, error)) return true;
  error->Set("option min_saving: \"%s\" is neither auto nor an integer from 0 to %d (thousands of multiplications)",
             Quoted(value).text, kMostSaving);
  return false;
}

bool ParseOption(const char* key, const char* value, DelegateOptions* options, Reason* error) {
  if (strcmp(key, "num_threads") == 0) return ParseInteger(key, value, 0, kMostThreads, &options->num_threads, error);
  if (strcmp(key, "kernel") == 0) return ParseKernel(value, options, error);
  if (strcmp(key, "isa") == 0) return ParseIsa(value, options, error);
  if (strcmp(key, "verify") == 0) return ParseBoolean(key, value, &options->verify, error);
  if (strcmp(key, "require_delegation") == 0) return ParseBoolean(key, value, &options->require_delegation, error);
  if (strcmp(key, "log_level") == 0) return ParseInteger(key, value, 0, 2, &options->log_level, error);
  if (strcmp(key, "profile") == 0) return ParseBoolean(key, value, &options->profile, error);
  if (strcmp(key, "reference_in_place") == 0) return ParseBoolean(key, value, &options->reference_in_place, error);
  // For tests: not among those that are offered.
  if (strcmp(key, "fuse") == 0) return ParseBoolean(key, value, &options->fuse, error);
  if (strcmp(key, "leave") == 0) return options->leave.Set(key, value, error);
  if (strcmp(key, "claim") == 0) return options->claim.Set(key, value, error);
  if (strcmp(key, "min_saving") == 0) return ParseMinSaving(value, options, error);
  error->Set(
      "unknown option \"%s\"; there are num_threads, kernel, isa, verify, require_delegation, log_level, profile, "
      "reference_in_place, leave, claim, min_saving",
      Quoted(key).text);
  return false;
}

}  // namespace

bool ParseOptions(const char* const* keys, const char* const* values, size_t count, DelegateOptions* options,
                  Reason* error) {
  for (size_t i = 0; i < count; ++i) {
    if (keys[i] == nullptr || values[i] == nullptr) {
      error->Set("option %zu has no %s", i, keys[i] == nullptr ? "name" : "value");
      return false;
    }
    if (!ParseOption(keys[i], values[i], options, error)) return false;
  }
  return true;
}

bool OptionsFromC(const TfLiteEqDelegateOptions& c, DelegateOptions* options, Reason* error) {
  static_assert(sizeof(TfLiteEqDelegateOptions) == 264 && sizeof(TfLiteEqDelegateOptions) > kMostThreads, "callers rely on it");
  // Nothing behind the size is read before it is known to be there.
  if (c.struct_size != sizeof(c)) {
    error->Set("options: struct_size is %zu, not %zu: start from TfLiteEqDelegateOptionsDefault(), compiled with this library's "
               "tflite_eq_delegate.h",
               c.struct_size, sizeof(c));
    return false;
  }
  for (uint64_t later : c.reserved) {
    if (later == 0) continue;
    error->Set("options: one is set that tflite_eq %s does not have: start from TfLiteEqDelegateOptionsDefault(), or use a newer "
               "library",
               kVersion);
    return false;
  }
  if (c.num_threads < 0 || c.num_threads > kMostThreads) {
    error->Set("option num_threads: %d is not from 0 to %d", c.num_threads, kMostThreads);
    return false;
  }
  if (c.log_level < 0 || c.log_level > 2) {
    error->Set("option log_level: %d is not from 0 to 2", c.log_level);
    return false;
  }
  if (c.min_saving > kMostSaving) {
    error->Set("option min_saving: %d is above %d (thousands of multiplications)", c.min_saving, kMostSaving);
    return false;
  }
  options->num_threads = c.num_threads;
  options->verify = c.verify;
  options->require_delegation = c.require_delegation;
  options->log_level = c.log_level;
  options->profile = c.profile;
  options->reference_in_place = c.reference_in_place;
  options->min_saving = c.min_saving == 0 ? DelegateOptions::kAutomatic : c.min_saving < 0 ? 0 : c.min_saving;
  return options->leave.Set("leave", c.leave != nullptr ? c.leave : "", error) &&
         options->claim.Set("claim", c.claim != nullptr ? c.claim : "", error) &&
         ParseKernel(c.kernel != nullptr ? c.kernel : "auto", options, error) &&
         ParseIsa(c.isa != nullptr ? c.isa : "auto", options, error);
}

}  // namespace tflite_eq
