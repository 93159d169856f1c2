// A delegate library opened by path, as TFLite's external delegates are, and options in the form of benchmark_model.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_EXTERNAL_DELEGATE_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_EXTERNAL_DELEGATE_H_

#include "delegate/benchmark/message.h"
#include "delegate/benchmark/shared_library.h"
#include "delegate/tflite_abi.h"
#include "delegate/tflite_eq_observer.h"

namespace tflite_eq {

// Keys and values, pointing into copies of what they were made from.
class DelegateOptionList {
 public:
  // Takes "key:value;key:value"; a later key replaces an earlier one. False with a message.
  bool Parse(const char* text, Message* error);
  // Sets one more; texts are not copied. False when there is no room for it.
  bool Set(const char* key, const char* value);
  bool Has(const char* key) const;

  const char* const* keys() const { return keys_; }
  const char* const* values() const { return values_; }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kMost = 64;
  const char* keys_[kMost];
  const char* values_[kMost];
  size_t size_ = 0;
  char text_[4096];
};

class ExternalDelegate {
 public:
  // False with a message when the library cannot be loaded or is no external delegate.
  bool Load(const char* path, Message* error);

  // A delegate, or null with the library's own message. `observer` may be null; others' delegates have nothing to observe.
  TfLiteDelegate* Create(const DelegateOptionList& options, const TfLiteEqObserver* observer, Message* error) const;
  void Destroy(TfLiteDelegate* delegate) const { destroy_(delegate); }

  // Whether the library is tflite_eq's, of a version that this program understands.
  bool observable() const { return observe_ != nullptr; }
  // Its version, or "" for others' delegates.
  const char* version() const { return version_ != nullptr ? version_() : ""; }

 private:
  SharedLibrary library_;
  TfLiteDelegate* (*create_)(const char* const* keys, const char* const* values, size_t count,
                             void (*report_error)(const char*)) = nullptr;
  void (*destroy_)(TfLiteDelegate* delegate) = nullptr;
  bool (*observe_)(TfLiteDelegate* delegate, const TfLiteEqObserver* observer) = nullptr;
  const char* (*version_)() = nullptr;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_EXTERNAL_DELEGATE_H_
