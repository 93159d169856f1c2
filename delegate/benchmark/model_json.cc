// The report for programs: what the text has, and more of it.
#include <initializer_list>

#include "delegate/benchmark/model_result.h"
#include "delegate/kernels/cpu_features.h"

namespace tflite_eq {
namespace {

void WriteMemory(const char* key, int64_t bytes, JsonWriter* json) {
  if (bytes < 0) return json->Null(key);
  json->Fields(key, bytes);
}

void WriteSizes(const char* key, std::initializer_list<int> sizes, JsonWriter* json) {
  json->Array(key, [&] {
    for (int size : sizes) json->Integer(size);
  });
}

void WriteFirstRun(const FirstRun& first, JsonWriter* json) {
  json->Object("first_run", [&] {
    json->Fields("total_ms", first.total(), "load_model_ms", first.open.load_model, "create_delegate_ms", first.open.create_delegate,
                 "create_interpreter_ms", first.open.create_interpreter, "allocate_tensors_ms", first.open.allocate_tensors,
                 "first_inference_ms", first.invoke);
    WriteMemory("resident_growth_bytes", first.growth.resident, json);
    WriteMemory("anonymous_growth_bytes", first.growth.anonymous, json);
  });
}

void WriteOps(const ModelResult& result, const OpProfiler& profiler, JsonWriter* json) {
  if (!result.flags->enable_op_profiling) return;
  if (!result.operators_profiled) return json->Null("operators");
  json->Array("operators", [&] {
    for (const OpProfiler::Op& op : profiler.ops()) {
      if (op.runs == 0) continue;
      json->Object([&] {
        json->Fields("node", op.node, "subgraph", op.subgraph, "name", op.name, "runs", op.runs, "mean_ms",
                     op.milliseconds / static_cast<double>(op.runs));
      });
    }
  });
}

void WriteSide(const char* key, const ModelResult& result, const Side& side, JsonWriter* json) {
  json->Object(key, [&] {
    WriteSummary("inference_ms", side.times, json);
    WriteFirstRun(side.first, json);
    WriteOps(result, side.ops, json);
  });
}

void WriteDecisions(const ModelResult& result, JsonWriter* json) {
  json->Array("decisions", [&] {
    for (const DelegateObservation::Decision& decision : result.observation.decisions()) {
      json->Object([&] {
        json->Fields("node", decision.node, "op", decision.op, "claimed", decision.claimed, "output", decision.output, "reason",
                     decision.reason);
      });
    }
  });
}

// Shapes and memory from the timed session; times, where there are any, from the profiled one.
void WriteLayers(const ModelResult& result, JsonWriter* json) {
  const bool timed = result.profiled.layers().size() > 0;
  json->Array("claimed_layers", [&] {
    for (const DelegateObservation::Layer& layer : (timed ? result.profiled : result.observation).layers()) {
      const TfLiteEqNodeProfile& p = layer.profile;
      json->Object([&] {
        json->Fields("node", p.node, "op", layer.op, "kernel", layer.kernel, "isa", layer.isa);
        WriteSizes("input", {p.batch, p.input_height, p.input_width, p.input_channels}, json);
        json->Fields("output_channels", p.output_channels);
        WriteSizes("filter", {p.filter_height, p.filter_width}, json);
        WriteSizes("stride", {p.stride_height, p.stride_width}, json);
        json->Fields("packed_bytes", p.packed_bytes, "stripe_rows", p.stripe_rows);
        if (timed) json->Fields("mean_ms", layer.milliseconds_per_run());
      });
    }
  });
}

void WriteObservation(const ModelResult& result, JsonWriter* json) {
  const TfLiteEqPartitionProfile total = result.observation.total();
  json->Fields("partitions", result.observation.partitions().size(), "prepare_ms", total.prepare_milliseconds, "packed_bytes",
               total.packed_bytes, "scratch_bytes", total.scratch_bytes, "tensor_bytes", total.tensor_bytes, "claimed",
               result.observation.claimed());
  WriteDecisions(result, json);
  WriteLayers(result, json);
}

void WriteDelegate(const ModelResult& result, JsonWriter* json) {
  const Flags& flags = *result.flags;
  const Summary& plain = result.plain.times;
  const Summary& delegated = result.delegated.times;
  WriteSide("with_delegate", result, result.delegated, json);
  json->Fields("gain_min", plain.min / delegated.min, "gain_median", plain.median / delegated.median);
  json->Object("delegate", [&] {
    json->Fields("library", flags.external_delegate_path, "version", result.delegate_version, "options",
                 flags.external_delegate_options);
    if (*result.delegate_version != '\0') WriteObservation(result, json);
  });
  json->Fields("output_bytes", result.output_bytes.all, "output_bytes_unlike_runtime", result.output_bytes.different, "verified",
               VerdictName(result.verdict));
  if (result.verdict == Verdict::kDifferent) json->Fields("difference", result.difference.text);
}

}  // namespace

void WriteSummary(const char* key, const Summary& summary, JsonWriter* json) {
  json->Object(key, [&] {
    json->Fields("count", summary.count, "min", summary.min, "median", summary.median, "mean", summary.mean, "max", summary.max,
                 "deviation", summary.deviation);
  });
}

void WriteCpu(const CpuInfo& cpu, JsonWriter* json) {
  json->Object("cpu", [&] {
    json->Fields("model", cpu.model, "cores", cpu.cores, "features", cpu.features, "xnnpack", PeerInstructions(DetectCpu()));
    json->Array("isa", [&] {
      for (Isa isa : kIsas) {
        if (Includes(cpu.isa, isa)) json->String(IsaName(isa));
      }
    });
  });
}

void WriteJson(const ModelResult& result, JsonWriter* json) {
  const Flags& flags = *result.flags;
  json->Object([&] {
    json->Fields("mode", "model", "graph", flags.graph, "num_threads", flags.num_threads, "seed", flags.seed);
    json->Object("runtime", [&] { json->Fields("library", flags.runtime_library, "version", result.runtime_version); });
    WriteCpu(result.cpu, json);
    WriteSide("without_delegate", result, result.plain, json);
    if (result.with_delegate) WriteDelegate(result, json);
    json->Fields("golden", VerdictName(result.golden));
    if (result.golden == Verdict::kDifferent) json->Fields("golden_difference", result.golden_difference.text);
  });
}

}  // namespace tflite_eq
