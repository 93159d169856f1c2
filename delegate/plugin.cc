// The library's exported functions: the C API, and what TFLite calls in an external delegate.
#include "delegate/delegate.h"
#include "delegate/log.h"
#include "delegate/options.h"
#include "delegate/tflite_eq_delegate.h"
#include "delegate/tflite_eq_observer.h"
#include "delegate/version.h"

#define EXPORTED __attribute__((visibility("default")))

namespace {

// What a runtime prints for an external delegate of which it knows only that it failed: everything must be in the message.
constexpr char kOutOfMemory[] = "tflite_eq: out of memory";

}  // namespace

extern "C" {

EXPORTED TfLiteEqDelegateOptions TfLiteEqDelegateOptionsDefault(void) {
  const tflite_eq::DelegateOptions defaults;
  TfLiteEqDelegateOptions options = {};
  options.struct_size = sizeof(options);
  options.num_threads = defaults.num_threads;
  options.verify = defaults.verify;
  options.require_delegation = defaults.require_delegation;
  options.log_level = defaults.log_level;
  options.profile = defaults.profile;
  options.reference_in_place = defaults.reference_in_place;
  return options;
}

EXPORTED TfLiteDelegate* TfLiteEqDelegateCreate(const TfLiteEqDelegateOptions* options) {
  tflite_eq::DelegateOptions parsed;
  tflite_eq::Reason error;
  if (options != nullptr && !tflite_eq::OptionsFromC(*options, &parsed, &error)) {
    tflite_eq::Log(tflite_eq::Severity::kError, "%s", error.text);
    return nullptr;
  }
  return tflite_eq::CreateDelegate(parsed);
}

EXPORTED void TfLiteEqDelegateDelete(TfLiteDelegate* delegate) { tflite_eq::DeleteDelegate(delegate); }

EXPORTED bool TfLiteEqDelegateObserve(TfLiteDelegate* delegate, const TfLiteEqObserver* observer) {
  if (delegate == nullptr || observer == nullptr || observer->version != TFLITE_EQ_OBSERVER_VERSION) return false;
  tflite_eq::ObserveDelegate(delegate, *observer);
  return true;
}

EXPORTED const char* TfLiteEqDelegateVersion(void) { return tflite_eq::kVersion; }

EXPORTED TfLiteDelegate* tflite_plugin_create_delegate(const char* const* keys, const char* const* values, size_t count,
                                                       void (*report_error)(const char*)) {
  tflite_eq::DelegateOptions options;
  tflite_eq::Reason error;
  if (!tflite_eq::ParseOptions(keys, values, count, &options, &error)) {
    if (report_error != nullptr) report_error(error.text);
    return nullptr;
  }
  TfLiteDelegate* delegate = tflite_eq::CreateDelegate(options);
  if (delegate == nullptr && report_error != nullptr) report_error(kOutOfMemory);
  return delegate;
}

EXPORTED void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) { tflite_eq::DeleteDelegate(delegate); }

}  // extern "C"
