#include "delegate/benchmark/op_profiler.h"

#include <string.h>

#include "delegate/clock.h"

namespace tflite_eq {

OpProfiler::OpProfiler() {
  profiler_.data = this;
  profiler_.ReportTelemetryEvent = [](TfLiteTelemetryProfilerStruct*, const char*, uint64_t) {};
  profiler_.ReportTelemetryOpEvent = [](TfLiteTelemetryProfilerStruct*, const char*, int64_t, int64_t, uint64_t) {};
  profiler_.ReportSettings = [](TfLiteTelemetryProfilerStruct*, const char*, const void*) {};
  profiler_.ReportOpInvokeEvent = [](TfLiteTelemetryProfilerStruct*, const char*, uint64_t, int64_t, int64_t) {};
  profiler_.ReportBeginOpInvokeEvent = Begin;
  profiler_.ReportEndOpInvokeEvent = End;
}

uint32_t OpProfiler::Begin(TfLiteTelemetryProfilerStruct* profiler, const char* name, int64_t node, int64_t subgraph) {
  List<Op>& ops = static_cast<OpProfiler*>(profiler->data)->ops_;
  int i = 0;
  while (i < ops.size() &&
         (ops[i].node != node || ops[i].subgraph != subgraph || strncmp(ops[i].name, name, sizeof(Op::name) - 1) != 0)) {
    ++i;
  }
  if (i == ops.size()) {
    Op op = {};
    snprintf(op.name, sizeof(op.name), "%s", name);
    op.node = node;
    op.subgraph = subgraph;
    ops.Add(op);
  }
  // The search is not the operator's time.
  ops[i].started = Milliseconds();
  return static_cast<uint32_t>(i);
}

void OpProfiler::End(TfLiteTelemetryProfilerStruct* profiler, uint32_t handle) {
  const double now = Milliseconds();
  List<Op>& ops = static_cast<OpProfiler*>(profiler->data)->ops_;
  if (handle >= static_cast<uint32_t>(ops.size())) return;
  Op& op = ops[static_cast<int>(handle)];
  op.milliseconds += now - op.started;
  ++op.runs;
}

void OpProfiler::Write(const char* key, Report* report) const {
  report->Array(key, [&] {
    for (const Op& op : ops_) {
      if (op.runs == 0) continue;
      report->Object(nullptr, [&] {
        report->Fields("node", op.node, "subgraph", op.subgraph, "name", op.name, "runs", op.runs, "mean_ms",
                       op.milliseconds / static_cast<double>(op.runs));
      });
    }
  });
}

}  // namespace tflite_eq
