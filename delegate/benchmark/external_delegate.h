// A delegate library opened by path, as TFLite's external delegates are, its options in the form of benchmark_model, and what it tells
// of a model.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_EXTERNAL_DELEGATE_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_EXTERNAL_DELEGATE_H_

#include "delegate/benchmark/files.h"
#include "delegate/benchmark/report.h"
#include "delegate/tflite_abi.h"
#include "delegate/tflite_eq_observer.h"

namespace tflite_eq {

// Keys and values, pointing into a copy of what they were made from.
class DelegateOptions {
 public:
  DelegateOptions() = default;
  DelegateOptions(const DelegateOptions& other);
  DelegateOptions& operator=(const DelegateOptions&) = delete;

  // Takes "key:value;key:value" beside what is there already; a later key replaces an earlier one. False with a message.
  bool Parse(const char* text, Message* error);
  // Sets one more; texts are not copied.
  void Set(const char* key, const char* value);
  bool Has(const char* key) const;

  const char* const* keys() const { return keys_.begin(); }
  const char* const* values() const { return values_.begin(); }
  size_t size() const { return static_cast<size_t>(keys_.size()); }

 private:
  List<const char*> keys_, values_;
  char text_[4096];
};

class ExternalDelegate {
 public:
  // False with a message when the library cannot be loaded or is no external delegate.
  bool Load(const char* path, Message* error);

  // A delegate, or null with the library's own message. `observer` may be null; others' delegates have nothing to observe.
  TfLiteDelegate* Create(const DelegateOptions& options, const TfLiteEqObserver* observer, Message* error) const;
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

// What a tflite_eq delegate tells of one model (tflite_eq_observer.h), as the report has it.
class DelegateObservation {
 public:
  // `timed`: layers have times, those of a delegate with the option profile.
  explicit DelegateObservation(bool timed = false);
  DelegateObservation(const DelegateObservation&) = delete;
  DelegateObservation& operator=(const DelegateObservation&) = delete;

  const TfLiteEqObserver* observer() const { return &observer_; }

  // All of it, once the interpreter is gone; layers those of `layers_of`.
  void Write(const DelegateObservation& layers_of, Report* report) const;

 private:
  static void OnDecision(void* self, const TfLiteEqNodeDecision* decision);
  static void OnLayer(void* self, const TfLiteEqNodeProfile* profile);
  static void OnPartition(void* self, const TfLiteEqPartitionProfile* profile);

  TfLiteEqObserver observer_ = {};
  int claimed_ = 0, known_ = 0;  // of operators
  int partitions_ = 0;
  TfLiteEqPartitionProfile total_ = {};
  bool timed_;
  Report decisions_{2};
  Report layers_{2};
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_EXTERNAL_DELEGATE_H_
