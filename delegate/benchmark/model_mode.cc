#include "delegate/benchmark/model_mode.h"

#include <stdio.h>

#include "delegate/benchmark/exit_codes.h"
#include "delegate/benchmark/golden_check.h"
#include "delegate/benchmark/model_file.h"
#include "delegate/benchmark/model_result.h"
#include "delegate/benchmark/model_verify.h"
#include "delegate/benchmark/turns.h"

namespace tflite_eq {
namespace {

constexpr int kVerifiedSamples = 3;

// Everything that the flags name, opened.
struct Setup {
  TfliteCApi api;
  ExternalDelegate delegate;
  DelegateOptionList delegate_options;
  InputOptions inputs;
  GoldenCheck golden;
  bool with_delegate = false;

  SessionOptions Plain(const Flags& flags) const {
    SessionOptions options;
    options.api = &api;
    options.graph = flags.graph;
    options.num_threads = flags.num_threads;
    options.inputs = &inputs;
    return options;
  }
  SessionOptions Delegated(const Flags& flags) const {
    SessionOptions options = Plain(flags);
    options.delegate = &delegate;
    options.delegate_options = &delegate_options;
    return options;
  }
};

int Prepare(const Flags& flags, Setup* setup, Message* error) {
  setup->with_delegate = *flags.external_delegate_path != '\0';
  if (!setup->delegate_options.Parse(flags.external_delegate_options, error) || !setup->inputs.Parse(flags, error)) {
    return kExitUsage;
  }
  if (!CheckModelFile(flags.graph, error) || (*flags.golden != '\0' && !setup->golden.Open(flags.golden, flags.graph, error)) ||
      !setup->api.Load(flags.runtime_library, error)) return kExitBadInput;
  if (!setup->with_delegate) return kExitOk;
  if (!setup->delegate.Load(flags.external_delegate_path, error)) return kExitBadInput;
  if (setup->delegate.observable()) {
    // Its lines are in the report already.
    if (!setup->delegate_options.Has("log_level")) setup->delegate_options.Set("log_level", "0");
  } else if (flags.verify) {
    error->Set("--verify: %s does not export TfLiteEqDelegateObserve: only tflite_eq's delegate can be verified",
               flags.external_delegate_path);
    return kExitBadInput;
  }
  return kExitOk;
}

bool InvokeSession(void* session, Message* error) { return static_cast<Session*>(session)->Invoke(error); }

bool OpenAndFill(const SessionOptions& options, uint64_t seed, Session* session, Message* error) {
  return session->Open(options, error) && session->Fill(seed, error);
}

int MeasureTimes(const Flags& flags, const Setup& setup, ModelResult* result, Message* error) {
  Session plain, delegated;
  SessionOptions with_delegate = setup.Delegated(flags);
  with_delegate.observer = result->observation.observer();
  if (!OpenAndFill(setup.Plain(flags), flags.seed, &plain, error) ||
      (setup.with_delegate && !OpenAndFill(with_delegate, flags.seed, &delegated, error))) {
    return kExitRunFailed;
  }
  Contender contenders[2];
  contenders[0].context = &plain;
  contenders[1].context = &delegated;
  for (Contender& contender : contenders) contender.run = InvokeSession;
  if (!RunInTurns(contenders, setup.with_delegate ? 2 : 1, flags, error)) return kExitRunFailed;
  result->plain.times = Summarize(&contenders[0].milliseconds);
  result->delegated.times = Summarize(&contenders[1].milliseconds);
  if (!setup.with_delegate) return kExitOk;
  ModelOutputs without, with;
  if (!without.Take(plain) || !with.Take(delegated)) {
    error->Set("out of memory");
    return kExitRunFailed;
  }
  result->output_bytes = with.CountDifferences(without);
  return kExitOk;
}

// Runs apart from the others: reading the clock around every operator takes time itself.
bool ProfileSide(const Flags& flags, SessionOptions options, OpProfiler* ops, Message* error) {
  if (options.api->InterpreterOptionsSetTelemetryProfiler != nullptr) options.profiler = ops->profiler();
  Session session;
  if (!OpenAndFill(options, flags.seed, &session, error)) return false;
  for (int run = 0; run < flags.warmup_runs; ++run) {
    if (!session.Invoke(error)) return false;
  }
  ops->Reset();
  for (int run = 0; run < flags.num_runs; ++run) {
    if (!session.Invoke(error)) return false;
  }
  return true;
}

int ProfileOperators(const Flags& flags, const Setup& setup, ModelResult* result, Message* error) {
  result->operators_profiled = setup.api.InterpreterOptionsSetTelemetryProfiler != nullptr;
  if (!ProfileSide(flags, setup.Plain(flags), &result->plain.ops, error)) return kExitRunFailed;
  if (!setup.with_delegate) return kExitOk;
  DelegateOptionList profiling = setup.delegate_options;
  if (setup.delegate.observable()) profiling.Set("profile", "1");
  SessionOptions options = setup.Delegated(flags);
  options.delegate_options = &profiling;
  options.observer = result->profiled.observer();
  return ProfileSide(flags, options, &result->delegated.ops, error) ? kExitOk : kExitRunFailed;
}

int Measure(const Flags& flags, const Setup& setup, ModelResult* result, Message* error) {
  int code = MeasureFirstRun(setup.Plain(flags), flags.seed, &result->plain.first, error);
  if (code == kExitOk && setup.with_delegate) {
    code = MeasureFirstRun(setup.Delegated(flags), flags.seed, &result->delegated.first, error);
  }
  if (code == kExitOk) code = MeasureTimes(flags, setup, result, error);
  if (code == kExitOk && flags.enable_op_profiling) code = ProfileOperators(flags, setup, result, error);
  return code;
}

// What the delegate leaves is computed by kernels of the runtime that may round otherwise: it leaves as little as it can.
int CompareWithGolden(const Flags& flags, const Setup& setup, Message* error) {
  if (!setup.with_delegate) return setup.golden.Run(setup.Plain(flags), error);
  DelegateOptionList claiming = setup.delegate_options;
  if (setup.delegate.observable() && !claiming.Has("claim") && !claiming.Has("kernel")) claiming.Set("claim", ".");
  SessionOptions options = setup.Delegated(flags);
  options.delegate_options = &claiming;
  return setup.golden.Run(options, error);
}

}  // namespace

int RunModelMode(const Flags& flags, Message* error) {
  Setup setup;
  int code = Prepare(flags, &setup, error);
  if (code != kExitOk) return code;
  ModelResult result;
  result.flags = &flags;
  result.runtime_version = setup.api.Version();
  result.delegate_version = setup.delegate.observable() ? setup.delegate.version() : "";
  result.with_delegate = setup.with_delegate;
  result.cpu = ReadCpuInfo();
  code = Measure(flags, setup, &result, error);
  if (code != kExitOk) return code;
  if (flags.verify) {
    code = VerifyModel(setup.Delegated(flags), flags.seed, kVerifiedSamples, error);
    if (code != kExitOk && code != kExitDifferent) return code;
    result.verdict = code == kExitOk ? Verdict::kEqual : Verdict::kDifferent;
    result.difference = *error;
  }
  int golden = kExitOk;
  if (*flags.golden != '\0') {
    golden = CompareWithGolden(flags, setup, &result.golden_difference);
    if (golden != kExitOk) *error = result.golden_difference;
    if (golden != kExitOk && golden != kExitDifferent) return golden;
    result.golden = golden == kExitOk ? Verdict::kEqual : Verdict::kDifferent;
  }
  PrintText(result);
  JsonWriter json;
  WriteJson(result, &json);
  printf("\n%s\n", json.text());
  return code != kExitOk ? code : golden;
}

}  // namespace tflite_eq
