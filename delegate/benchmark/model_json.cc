// The report for programs: what the text has, and more of it.
#include <initializer_list>

#include "delegate/benchmark/model_result.h"
#include "delegate/kernels/cpu_features.h"

namespace tflite_eq {
namespace {

void WriteMemory(const char* key, int64_t bytes, JsonWriter* json) {
  json->Key(key);
  if (bytes < 0) {
    json->Null();
  } else {
    json->Integer(bytes);
  }
}

void WriteFirstRun(const FirstRun& first, JsonWriter* json) {
  json->BeginObject();
  json->Field("total_ms", first.total());
  json->Field("load_model_ms", first.open.load_model);
  json->Field("create_delegate_ms", first.open.create_delegate);
  json->Field("create_interpreter_ms", first.open.create_interpreter);
  json->Field("allocate_tensors_ms", first.open.allocate_tensors);
  json->Field("first_inference_ms", first.invoke);
  WriteMemory("resident_growth_bytes", first.growth.resident, json);
  WriteMemory("anonymous_growth_bytes", first.growth.anonymous, json);
  json->EndObject();
}

void WriteOps(const OpProfiler& profiler, JsonWriter* json) {
  json->BeginArray();
  for (const OpProfiler::Op& op : profiler.ops()) {
    if (op.runs == 0) continue;
    json->BeginObject();
    json->Field("node", op.node);
    json->Field("subgraph", op.subgraph);
    json->Field("name", op.name);
    json->Field("runs", op.runs);
    json->Field("mean_ms", op.milliseconds / static_cast<double>(op.runs));
    json->EndObject();
  }
  json->EndArray();
}

void WriteSide(const char* key, const ModelResult& result, const Side& side, JsonWriter* json) {
  json->Key(key);
  json->BeginObject();
  json->Key("inference_ms");
  WriteSummary(side.times, json);
  json->Key("first_run");
  WriteFirstRun(side.first, json);
  if (result.flags->enable_op_profiling) {
    json->Key("operators");
    if (result.operators_profiled) {
      WriteOps(side.ops, json);
    } else {
      json->Null();
    }
  }
  json->EndObject();
}

void WriteDecisions(const ModelResult& result, JsonWriter* json) {
  json->Key("decisions");
  json->BeginArray();
  for (const DelegateObservation::Decision& decision : result.observation.decisions()) {
    json->BeginObject();
    json->Field("node", decision.node);
    json->Field("op", decision.op);
    json->Field("claimed", decision.claimed);
    json->Field("output", decision.output);
    json->Field("reason", decision.reason);
    json->EndObject();
  }
  json->EndArray();
}

// Shapes and memory from the timed session; times, where there are any, from the profiled one.
void WriteLayers(const ModelResult& result, JsonWriter* json) {
  const bool timed = result.profiled.layers().size() > 0;
  json->Key("claimed_layers");
  json->BeginArray();
  for (const DelegateObservation::Layer& layer : (timed ? result.profiled : result.observation).layers()) {
    const TfLiteEqNodeProfile& p = layer.profile;
    json->BeginObject();
    json->Field("node", p.node);
    json->Field("op", layer.op);
    json->Field("kernel", layer.kernel);
    json->Field("isa", layer.isa);
    json->Key("input");
    json->BeginArray();
    for (int size : {p.batch, p.input_height, p.input_width, p.input_channels}) json->Integer(size);
    json->EndArray();
    json->Field("output_channels", p.output_channels);
    json->Key("filter");
    json->BeginArray();
    for (int size : {p.filter_height, p.filter_width}) json->Integer(size);
    json->EndArray();
    json->Key("stride");
    json->BeginArray();
    for (int size : {p.stride_height, p.stride_width}) json->Integer(size);
    json->EndArray();
    json->Field("packed_bytes", p.packed_bytes);
    if (timed) json->Field("mean_ms", layer.milliseconds_per_run());
    json->EndObject();
  }
  json->EndArray();
}

void WriteDelegate(const ModelResult& result, JsonWriter* json) {
  const TfLiteEqPartitionProfile total = result.observation.total();
  json->Field("partitions", result.observation.partitions().size());
  json->Field("prepare_ms", total.prepare_milliseconds);
  json->Field("packed_bytes", total.packed_bytes);
  json->Field("scratch_bytes", total.scratch_bytes);
  json->Field("tensor_bytes", total.tensor_bytes);
  json->Field("claimed", result.observation.claimed());
  WriteDecisions(result, json);
  WriteLayers(result, json);
}

}  // namespace

void WriteSummary(const Summary& summary, JsonWriter* json) {
  json->BeginObject();
  json->Field("count", summary.count);
  json->Field("min", summary.min);
  json->Field("median", summary.median);
  json->Field("mean", summary.mean);
  json->Field("max", summary.max);
  json->Field("deviation", summary.deviation);
  json->EndObject();
}

void WriteCpu(const CpuInfo& cpu, JsonWriter* json) {
  json->Key("cpu");
  json->BeginObject();
  json->Field("model", cpu.model);
  json->Field("cores", cpu.cores);
  json->Field("features", cpu.features);
  json->Field("xnnpack", PeerInstructions(DetectCpu()));
  json->Key("isa");
  json->BeginArray();
  for (Isa isa : kIsas) {
    if (Includes(cpu.isa, isa)) json->String(IsaName(isa));
  }
  json->EndArray();
  json->EndObject();
}

void WriteJson(const ModelResult& result, JsonWriter* json) {
  const Flags& flags = *result.flags;
  json->BeginObject();
  json->Field("mode", "model");
  json->Field("graph", flags.graph);
  json->Field("num_threads", flags.num_threads);
  json->Field("seed", flags.seed);
  json->Key("runtime");
  json->BeginObject();
  json->Field("library", flags.runtime_library);
  json->Field("version", result.runtime_version);
  json->EndObject();
  WriteCpu(result.cpu, json);
  WriteSide("without_delegate", result, result.plain, json);
  if (result.with_delegate) {
    WriteSide("with_delegate", result, result.delegated, json);
    json->Field("gain_min", result.plain.times.min / result.delegated.times.min);
    json->Field("gain_median", result.plain.times.median / result.delegated.times.median);
    json->Key("delegate");
    json->BeginObject();
    json->Field("library", flags.external_delegate_path);
    json->Field("version", result.delegate_version);
    json->Field("options", flags.external_delegate_options);
    if (*result.delegate_version != '\0') WriteDelegate(result, json);
    json->EndObject();
    json->Field("output_bytes", result.output_bytes.all);
    json->Field("output_bytes_unlike_runtime", result.output_bytes.different);
    json->Field("verified", VerdictName(result.verdict));
    if (result.verdict == Verdict::kDifferent) json->Field("difference", result.difference.text);
  }
  json->Field("golden", VerdictName(result.golden));
  if (result.golden == Verdict::kDifferent) json->Field("golden_difference", result.golden_difference.text);
  json->EndObject();
}

}  // namespace tflite_eq
