#include "delegate/benchmark/cpu_info.h"
#include "delegate/benchmark/crash_report.h"
#include "delegate/benchmark/first_run.h"
#include "delegate/benchmark/model_check.h"
#include "delegate/benchmark/modes.h"
#include "delegate/benchmark/op_profiler.h"
#include "delegate/benchmark/timing.h"

namespace tflite_eq {
namespace {

constexpr int kVerifiedSamples = 3;

// The model on the runtime alone, or with the delegate.
struct Side {
  FirstRun first;
  Summary times;  // milliseconds
  OpProfiler ops;
};

// Everything that the flags name, opened, and what was found.
struct ModelRun {
  const Flags& flags;
  bool with_delegate = false;
  TfliteCApi api;
  ExternalDelegate delegate;
  DelegateOptions delegate_options;
  InputOptions inputs;
  GoldenCheck golden;

  Side plain, delegated;
  DelegateObservation observation;     // of the timed session
  DelegateObservation profiled{true};  // of the profiled one
  OutputBytes output_bytes;            // that differ between the runtime alone and the delegate
  Verdict verified, golden_verdict;

  explicit ModelRun(const Flags& all) : flags(all) {}
  bool Profiles() const { return flags.enable_op_profiling && api.InterpreterOptionsSetTelemetryProfiler != nullptr; }
  SessionOptions Plain() const {
    SessionOptions options;
    options.api = &api;
    options.graph = flags.graph;
    options.num_threads = flags.num_threads;
    options.inputs = &inputs;
    return options;
  }
  SessionOptions Delegated() const {
    SessionOptions options = Plain();
    options.delegate = &delegate;
    options.delegate_options = &delegate_options;
    return options;
  }
};

// What is no model at all. Whether it is a sound one the runtime tells.
bool IsModel(const char* path, Message* error) {
  MappedFile file;
  constexpr char kIdentifier[] = "TFL3";
  if (!file.Open(path, "graph", error)) return false;
  if (file.size() >= 8 && memcmp(file.data() + 4, kIdentifier, 4) == 0) return true;
  return error->Set("--graph=%s: not a TFLite model: the identifier %s is missing", path, kIdentifier);
}

int Prepare(ModelRun* run, Message* error) {
  const Flags& flags = run->flags;
  run->with_delegate = *flags.external_delegate_path != '\0';
  if (!run->delegate_options.Parse(flags.external_delegate_options, error) || !run->inputs.Parse(flags, error)) return kExitUsage;
  if (!IsModel(flags.graph, error) || (*flags.golden != '\0' && !run->golden.Open(flags.golden, flags.graph, error)) ||
      !run->api.Load(flags.runtime_library, error) ||
      (run->with_delegate && !run->delegate.Load(flags.external_delegate_path, error))) {
    return kExitBadInput;
  }
  if (run->delegate.observable()) {
    // Its lines are in the report already.
    if (!run->delegate_options.Has("log_level")) run->delegate_options.Set("log_level", "0");
  } else if (flags.verify) {
    error->Set("--verify: %s does not export TfLiteEqDelegateObserve: only tflite_eq's delegate can be verified",
               flags.external_delegate_path);
    return kExitBadInput;
  }
  return kExitOk;
}

bool OpenAndFill(const SessionOptions& options, uint64_t seed, Session* session, Message* error) {
  return session->Open(options, error) && session->Fill(seed, error);
}

bool MeasureTimes(ModelRun* run, Message* error) {
  Session plain, delegated;
  SessionOptions with_delegate = run->Delegated();
  with_delegate.observer = run->observation.observer();
  const auto seed = static_cast<uint64_t>(run->flags.seed);
  if (!OpenAndFill(run->Plain(), seed, &plain, error) ||
      (run->with_delegate && !OpenAndFill(with_delegate, seed, &delegated, error))) {
    return false;
  }
  Contender contenders[2];
  contenders[0].context = &plain;
  contenders[1].context = &delegated;
  for (Contender& contender : contenders) {
    contender.run = [](void* session, Message* failure) { return static_cast<Session*>(session)->Invoke(failure); };
  }
  if (!RunInTurns(contenders, run->with_delegate ? 2 : 1, run->flags, error)) return false;
  run->plain.times = Summarize(&contenders[0].milliseconds);
  run->delegated.times = Summarize(&contenders[1].milliseconds);
  Message ignored;
  if (run->with_delegate) run->output_bytes = CompareOutputs(delegated, plain, &ignored);
  return true;
}

// Runs apart from the others: reading the clock around every operator takes time itself.
bool ProfileSide(const ModelRun& run, SessionOptions options, OpProfiler* ops, Message* error) {
  if (run.Profiles()) options.profiler = ops->profiler();
  Session session;
  if (!OpenAndFill(options, static_cast<uint64_t>(run.flags.seed), &session, error)) return false;
  for (int i = 0; i < run.flags.warmup_runs + run.flags.num_runs; ++i) {
    if (i == run.flags.warmup_runs) ops->Reset();
    if (!session.Invoke(error)) return false;
  }
  return true;
}

bool ProfileOperators(ModelRun* run, Message* error) {
  if (!ProfileSide(*run, run->Plain(), &run->plain.ops, error)) return false;
  if (!run->with_delegate) return true;
  DelegateOptions profiling(run->delegate_options);
  if (run->delegate.observable()) profiling.Set("profile", "1");
  SessionOptions options = run->Delegated();
  options.delegate_options = &profiling;
  options.observer = run->profiled.observer();
  return ProfileSide(*run, options, &run->delegated.ops, error);
}

// What the delegate leaves is computed by kernels of the runtime that may round otherwise: it leaves as little as it can.
int CompareWithGolden(ModelRun* run, Message* error) {
  DelegateOptions claiming(run->delegate_options);
  if (run->delegate.observable() && !claiming.Has("claim") && !claiming.Has("kernel")) claiming.Set("claim", ".");
  SessionOptions options = run->with_delegate ? run->Delegated() : run->Plain();
  options.delegate_options = &claiming;
  return run->golden.Run(options, &run->golden_verdict, error);
}

int Measure(ModelRun* run, Message* error) {
  const Flags& flags = run->flags;
  const auto seed = static_cast<uint64_t>(flags.seed);
  int code = MeasureFirstRun(run->Plain(), seed, &run->plain.first, error);
  if (code == kExitOk && run->with_delegate) code = MeasureFirstRun(run->Delegated(), seed, &run->delegated.first, error);
  if (code != kExitOk) return code;
  const CrashReport crashes(run->with_delegate ? "the runtime or the delegate" : "the runtime", "running the model again");
  if (!MeasureTimes(run, error) || (flags.enable_op_profiling && !ProfileOperators(run, error))) return kExitRunFailed;
  if (flags.verify) code = VerifyModel(run->Delegated(), seed, kVerifiedSamples, &run->verified, error);
  if (code == kExitDifferent) *error = run->verified.difference;
  if (*flags.golden == '\0' || code == kExitRunFailed) return code;
  const int golden = CompareWithGolden(run, error);
  if (golden == kExitDifferent) *error = run->golden_verdict.difference;
  return golden != kExitOk ? golden : code;
}

void WriteSide(const char* key, const ModelRun& run, const Side& side, Report* report) {
  const FirstRun& first = side.first;
  const auto write_memory = [report](const char* name, int64_t bytes) {
    if (bytes < 0) return report->Null(name);
    report->Fields(name, bytes);
  };
  report->Object(key, [&] {
    WriteSummary("inference_ms", side.times, report);
    report->Object("first_run", [&] {
      report->Fields("total_ms", first.total(), "load_model_ms", first.open.load_model, "create_delegate_ms",
                     first.open.create_delegate, "create_interpreter_ms", first.open.create_interpreter, "allocate_tensors_ms",
                     first.open.allocate_tensors, "first_inference_ms", first.invoke);
      write_memory("resident_growth_bytes", first.growth.resident);
      write_memory("anonymous_growth_bytes", first.growth.anonymous);
    });
    // Null: the runtime does not export TfLiteInterpreterOptionsSetTelemetryProfiler.
    if (run.Profiles()) {
      side.ops.Write("operators", report);
    } else if (run.flags.enable_op_profiling) {
      report->Null("operators");
    }
  });
}

void WriteDelegate(const ModelRun& run, Report* report) {
  const Summary &plain = run.plain.times, &delegated = run.delegated.times;
  WriteSide("with_delegate", run, run.delegated, report);
  report->Fields("gain_min", plain.min / delegated.min, "gain_median", plain.median / delegated.median);
  report->Object("delegate", [&] {
    report->Fields("library", run.flags.external_delegate_path, "version", run.delegate.observable() ? run.delegate.version() : "",
                   "options", run.flags.external_delegate_options);
    if (!run.delegate.observable()) return;
    run.observation.Write(run.flags.enable_op_profiling ? run.profiled : run.observation, report);
  });
  // The runtime's optimised kernels may round otherwise than reference ones: that bytes differ is no error.
  report->Fields("output_bytes", run.output_bytes.all, "output_bytes_unlike_runtime", run.output_bytes.different, "verified",
                 run.verified.name);
  if (run.verified.difference.text[0] != '\0') report->Fields("difference", run.verified.difference.text);
}

}  // namespace

int RunModelMode(const Flags& flags, Message* error) {
  ModelRun run(flags);
  int code = Prepare(&run, error);
  if (code == kExitOk) code = Measure(&run, error);
  if (code != kExitOk && code != kExitDifferent) return code;
  Report report;
  report.Object(nullptr, [&] {
    report.Fields("mode", "model", "graph", flags.graph, "num_threads", flags.num_threads, "seed", flags.seed);
    report.Object("runtime", [&] { report.Fields("library", flags.runtime_library, "version", run.api.Version()); });
    WriteCpu(&report);
    WriteSide("without_delegate", run, run.plain, &report);
    if (run.with_delegate) WriteDelegate(run, &report);
    report.Fields("golden", run.golden_verdict.name);
    if (run.golden_verdict.difference.text[0] != '\0') report.Fields("golden_difference", run.golden_verdict.difference.text);
  });
  printf("%s\n\n%s\n", report.text(), report.json());
  return code;
}

}  // namespace tflite_eq
