// Everything that was measured of one model, and how it is told: text for people, JSON for programs.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_RESULT_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_RESULT_H_

#include "delegate/benchmark/cpu_info.h"
#include "delegate/benchmark/delegate_observation.h"
#include "delegate/benchmark/first_run.h"
#include "delegate/benchmark/flags.h"
#include "delegate/benchmark/json_writer.h"
#include "delegate/benchmark/model_outputs.h"
#include "delegate/benchmark/op_profiler.h"
#include "delegate/benchmark/statistics.h"

namespace tflite_eq {

// The model on the runtime alone, or with the delegate.
struct Side {
  FirstRun first;
  Summary times;   // milliseconds
  OpProfiler ops;  // empty unless profiled
};

enum class Verdict { kNotAsked, kEqual, kDifferent };

struct ModelResult {
  const Flags* flags = nullptr;
  const char* runtime_version = "";
  const char* delegate_version = "";  // "" for others' delegates
  CpuInfo cpu;
  bool with_delegate = false;
  Side plain;
  Side delegated;
  DelegateObservation observation;   // of the timed session
  DelegateObservation profiled;      // of the profiled one
  bool operators_profiled = false;   // the runtime takes a profiler
  ModelOutputs::Count output_bytes;  // that differ between the runtime alone and the delegate
  Verdict verdict = Verdict::kNotAsked;
  Message difference;
  Verdict golden = Verdict::kNotAsked;  // whether the outputs are those of the golden file
  Message golden_difference;
};

void PrintText(const ModelResult& result);
void WriteJson(const ModelResult& result, JsonWriter* json);

// Parts that layers mode has too.
void PrintCpu(const CpuInfo& cpu);
void WriteCpu(const CpuInfo& cpu, JsonWriter* json);
void WriteSummary(const char* key, const Summary& summary, JsonWriter* json);
const char* VerdictName(Verdict verdict);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_MODEL_RESULT_H_
