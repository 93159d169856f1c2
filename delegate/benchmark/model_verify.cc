#include "delegate/benchmark/model_verify.h"

#include "delegate/benchmark/exit_codes.h"
#include "delegate/benchmark/model_outputs.h"

namespace tflite_eq {
namespace {

// How the delegate's message about a differing convolution begins (partition.cc).
constexpr char kDifference[] = "tflite_eq: verify: ";

// Leaves of the runtime's message what the delegate said. False when that is not there.
bool KeepDifference(Message* message) {
  const Message whole = *message;
  const char* difference = strstr(whole.text, kDifference);
  if (difference == nullptr) return false;
  difference += strlen(kDifference);
  message->Set("%.*s", static_cast<int>(strcspn(difference, ";")), difference);
  return true;
}

// The session's options with one more option of the delegate.
class WithOption {
 public:
  WithOption(const SessionOptions& options, const char* key, const char* value)
      : list_(*options.delegate_options), options_(options) {
    fits_ = list_.Set(key, value);
    options_.delegate_options = &list_;
    options_.observer = nullptr;
  }
  bool Open(Session* session, Message* message) const {
    if (!fits_) message->Set("--external_delegate_options: too many options");
    return fits_ && session->Open(options_, message);
  }

 private:
  DelegateOptionList list_;
  SessionOptions options_;
  bool fits_;
};

bool RunSample(Session* session, uint64_t seed, ModelOutputs* outputs, Message* message) {
  if (!session->Fill(seed, message) || !session->Invoke(message)) return false;
  if (outputs->Take(*session)) return true;
  message->Set("out of memory");
  return false;
}

}  // namespace

int VerifyModel(const SessionOptions& delegated, uint64_t seed, int samples, Message* message) {
  Session checked, timed, reference;
  if (!WithOption(delegated, "verify", "1").Open(&checked, message) ||
      !WithOption(delegated, "verify", "0").Open(&timed, message) ||
      !WithOption(delegated, "reference_in_place", "1").Open(&reference, message)) {
    return kExitRunFailed;
  }
  for (int i = 0; i < samples; ++i) {
    const uint64_t sample = seed + static_cast<uint64_t>(i);
    ModelOutputs ignored, actual, expected;
    if (!RunSample(&checked, sample, &ignored, message)) {
      return KeepDifference(message) ? kExitDifferent : kExitRunFailed;
    }
    if (!RunSample(&timed, sample, &actual, message) || !RunSample(&reference, sample, &expected, message)) {
      return kExitRunFailed;
    }
    if (!actual.Equal(expected, message)) return kExitDifferent;
  }
  return kExitOk;
}

}  // namespace tflite_eq
