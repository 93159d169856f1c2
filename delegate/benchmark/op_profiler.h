// Times of the operators of a model, told by the runtime's telemetry events. What another delegate runs, XNNPACK for one, is
// one operator here; tflite_eq's partitions are too, and DelegateObservation has their operators.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_OP_PROFILER_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_OP_PROFILER_H_

#include "delegate/benchmark/report.h"
#include "delegate/benchmark/tflite_c_types.h"

namespace tflite_eq {

class OpProfiler {
 public:
  OpProfiler();
  OpProfiler(const OpProfiler&) = delete;
  OpProfiler& operator=(const OpProfiler&) = delete;

  // For Session; lives as long as this object. Events come from one thread, that which runs the model.
  TfLiteTelemetryProfilerStruct* profiler() { return &profiler_; }
  // Forgets warm-up runs.
  void Reset() { ops_.Clear(); }
  // In the order in which they first ran.
  void Write(const char* key, Report* report) const;

 private:
  struct Op {
    char name[64];
    int64_t node;  // index in its subgraph
    int64_t subgraph;
    int64_t runs;
    double milliseconds;  // of all runs
    double started;
  };
  static uint32_t Begin(TfLiteTelemetryProfilerStruct* profiler, const char* name, int64_t node, int64_t subgraph);
  static void End(TfLiteTelemetryProfilerStruct* profiler, uint32_t handle);

  TfLiteTelemetryProfilerStruct profiler_;
  List<Op> ops_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_OP_PROFILER_H_
