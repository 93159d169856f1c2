#include "delegate/benchmark/external_delegate.h"

namespace tflite_eq {
namespace {

// The entry point's error callback has no user data: the message of the last error, of whichever delegate.
Message last_error;

void RememberError(const char* text) { last_error.Set("%s", text); }

}  // namespace

bool DelegateOptionList::Parse(const char* text, Message* error) {
  if (strlen(text) >= sizeof(text_)) {
    error->Set("--external_delegate_options: longer than %zu characters", sizeof(text_) - 1);
    return false;
  }
  strcpy(text_, text);
  for (char* pair = text_; *pair != '\0';) {
    char* end = strchr(pair, ';');
    char* next = end != nullptr ? end + 1 : pair + strlen(pair);
    if (end != nullptr) *end = '\0';
    char* colon = strchr(pair, ':');
    if (colon == nullptr || colon == pair) {
      error->Set("--external_delegate_options: \"%.200s\" is not of the form key:value", pair);
      return false;
    }
    *colon = '\0';
    if (!Set(pair, colon + 1)) {
      error->Set("--external_delegate_options: more than %zu options", kMost);
      return false;
    }
    pair = next;
  }
  return true;
}

bool DelegateOptionList::Set(const char* key, const char* value) {
  size_t i = 0;
  while (i < size_ && strcmp(keys_[i], key) != 0) ++i;
  if (i == kMost) return false;
  if (i == size_) ++size_;
  keys_[i] = key;
  values_[i] = value;
  return true;
}

bool DelegateOptionList::Has(const char* key) const {
  for (size_t i = 0; i < size_; ++i) {
    if (strcmp(keys_[i], key) == 0) return true;
  }
  return false;
}

bool ExternalDelegate::Load(const char* path, Message* error) {
  if (!library_.Open(path, "external_delegate_path", error)) return false;
  if (!library_.Resolve("tflite_plugin_create_delegate", &create_) ||
      !library_.Resolve("tflite_plugin_destroy_delegate", &destroy_)) {
    error->Set("--external_delegate_path=%s: no external delegate: it does not export %s", path,
               create_ == nullptr ? "tflite_plugin_create_delegate" : "tflite_plugin_destroy_delegate");
    return false;
  }
  library_.Resolve("TfLiteEqDelegateVersion", &version_);
  library_.Resolve("TfLiteEqDelegateObserve", &observe_);
  return true;
}

TfLiteDelegate* ExternalDelegate::Create(const DelegateOptionList& options, const TfLiteEqObserver* observer,
                                         Message* error) const {
  last_error.Set("no reason given");
  TfLiteDelegate* delegate = create_(options.keys(), options.values(), options.size(), RememberError);
  if (delegate == nullptr) {
    error->Set("the delegate refuses: %s", last_error.text);
    return nullptr;
  }
  if (observer != nullptr && observe_ != nullptr && !observe_(delegate, observer)) {
    error->Set("the delegate's library, version %s, and this program do not understand each other: take both from one build",
               version());
    destroy_(delegate);
    return nullptr;
  }
  return delegate;
}

}  // namespace tflite_eq
