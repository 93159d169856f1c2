#include "delegate/benchmark/external_delegate.h"

namespace tflite_eq {
namespace {

// The entry point's error callback has no user data: the message of the last error, of whichever delegate.
Message last_error;

void RememberError(const char* text) { last_error.Set("%s", text); }

}  // namespace

DelegateOptions::DelegateOptions(const DelegateOptions& other) {
  // They point into the other's copy, which outlives this.
  for (size_t i = 0; i < other.size(); ++i) Set(other.keys()[i], other.values()[i]);
}

bool DelegateOptions::Parse(const char* text, Message* error) {
  if (strlen(text) >= sizeof(text_)) return error->Set("--external_delegate_options: longer than %zu characters", sizeof(text_) - 1);
  strcpy(text_, text);
  for (char* pair = text_; *pair != '\0';) {
    char* end = pair + strcspn(pair, ";");
    char* next = end + (*end == ';');
    *end = '\0';
    char* colon = strchr(pair, ':');
    if (colon == nullptr || colon == pair) {
      return error->Set("--external_delegate_options: \"%.200s\" is not of the form key:value", pair);
    }
    *colon = '\0';
    Set(pair, colon + 1);
    pair = next;
  }
  return true;
}

void DelegateOptions::Set(const char* key, const char* value) {
  for (int i = 0; i < keys_.size(); ++i) {
    if (strcmp(keys_[i], key) == 0) {
      values_[i] = value;
      return;
    }
  }
  keys_.Add(key);
  values_.Add(value);
}

bool DelegateOptions::Has(const char* key) const {
  for (const char* known : keys_) {
    if (strcmp(known, key) == 0) return true;
  }
  return false;
}

bool ExternalDelegate::Load(const char* path, Message* error) {
  if (!library_.Open(path, "external_delegate_path", error)) return false;
  if (!library_.Resolve("tflite_plugin_create_delegate", &create_) ||
      !library_.Resolve("tflite_plugin_destroy_delegate", &destroy_)) {
    return error->Set("--external_delegate_path=%s: no external delegate: it does not export %s", path,
                      create_ == nullptr ? "tflite_plugin_create_delegate" : "tflite_plugin_destroy_delegate");
  }
  library_.Resolve("TfLiteEqDelegateVersion", &version_);
  library_.Resolve("TfLiteEqDelegateObserve", &observe_);
  return true;
}

TfLiteDelegate* ExternalDelegate::Create(const DelegateOptions& options, const TfLiteEqObserver* observer, Message* error) const {
  last_error.Set("no reason given");
  TfLiteDelegate* delegate = create_(options.keys(), options.values(), options.size(), RememberError);
  if (delegate == nullptr) {
    error->Set("the delegate refuses: %s", last_error.text);
  } else if (observer != nullptr && observe_ != nullptr && !observe_(delegate, observer)) {
    error->Set("the delegate's library, version %s, and this program do not understand each other: take both from one build",
               version());
    destroy_(delegate);
    delegate = nullptr;
  }
  return delegate;
}

DelegateObservation::DelegateObservation(bool timed) : timed_(timed) {
  observer_.version = TFLITE_EQ_OBSERVER_VERSION;
  observer_.user_data = this;
  observer_.node_decided = OnDecision;
  observer_.node_finished = OnLayer;
  observer_.partition_finished = OnPartition;
}

void DelegateObservation::OnDecision(void* self, const TfLiteEqNodeDecision* decision) {
  auto* observation = static_cast<DelegateObservation*>(self);
  observation->claimed_ += decision->claimed;
  ++observation->known_;
  Report* report = &observation->decisions_;
  report->Object(nullptr, [&] {
    report->Fields("node", decision->node, "op", decision->op, "claimed", decision->claimed, "output", decision->output, "reason",
                   decision->reason);
  });
}

void DelegateObservation::OnLayer(void* self, const TfLiteEqNodeProfile* profile) {
  const TfLiteEqNodeProfile& p = *profile;
  auto* observation = static_cast<DelegateObservation*>(self);
  Report* report = &observation->layers_;
  report->Object(nullptr, [&] {
    report->Fields("node", p.node, "op", p.op, "kernel", p.kernel, "isa", p.isa);
    report->Shape("input", p.batch, p.input_height, p.input_width, p.input_channels);
    report->Fields("output_channels", p.output_channels);
    report->Shape("filter", p.filter_height, p.filter_width);
    report->Shape("stride", p.stride_height, p.stride_width);
    report->Fields("packed_bytes", p.packed_bytes, "stripe_rows", p.stripe_rows);
    if (observation->timed_) report->Fields("mean_ms", p.runs > 0 ? p.milliseconds / static_cast<double>(p.runs) : 0.0);
  });
}

void DelegateObservation::OnPartition(void* self, const TfLiteEqPartitionProfile* profile) {
  auto* observation = static_cast<DelegateObservation*>(self);
  TfLiteEqPartitionProfile* total = &observation->total_;
  ++observation->partitions_;
  total->prepare_milliseconds += profile->prepare_milliseconds;
  total->packed_bytes += profile->packed_bytes;
  // They share that memory.
  if (profile->scratch_bytes > total->scratch_bytes) total->scratch_bytes = profile->scratch_bytes;
  if (profile->tensor_bytes > total->tensor_bytes) total->tensor_bytes = profile->tensor_bytes;
}

void DelegateObservation::Write(const DelegateObservation& layers_of, Report* report) const {
  report->Fields("partitions", partitions_, "prepare_ms", total_.prepare_milliseconds, "packed_bytes", total_.packed_bytes,
                 "scratch_bytes", total_.scratch_bytes, "tensor_bytes", total_.tensor_bytes, "claimed", claimed_, "known", known_);
  report->Array("decisions", [&] { report->Elements(decisions_); });
  report->Array("claimed_layers", [&] { report->Elements(layers_of.layers_); });
}

}  // namespace tflite_eq
