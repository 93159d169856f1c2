// The report for people.
#include <stdio.h>

#include "delegate/benchmark/model_result.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/quoted.h"

namespace tflite_eq {
namespace {

constexpr double kMebi = 1 << 20;

void PrintFirstRun(const char* name, const FirstRun& first) {
  printf("  %-9s %8.2f ms   model %.2f", name, first.total(), first.open.load_model);
  if (first.open.create_delegate > 0) printf(", delegate %.2f", first.open.create_delegate);
  printf(", interpreter %.2f, tensors %.2f, first inference %.2f", first.open.create_interpreter,
         first.open.allocate_tensors, first.invoke);
  if (first.growth.resident >= 0) printf("; memory %+.1f MiB", static_cast<double>(first.growth.resident) / kMebi);
  if (first.growth.anonymous >= 0) {
    printf(", %+.1f without pages of files", static_cast<double>(first.growth.anonymous) / kMebi);
  }
  printf("\n");
}

void PrintTimes(const char* name, const Summary& times) {
  printf("  %-9s min %9.4f   median %9.4f   mean %9.4f   deviation %7.4f ms   %d runs\n", name, times.min, times.median,
         times.mean, times.deviation, times.count);
}

void PrintDecisions(const ModelResult& result) {
  const DelegateObservation& seen = result.observation;
  printf("\nOperators that the delegate runs: %d of %d claimed\n", seen.claimed(), seen.decisions().size());
  for (const DelegateObservation::Decision& decision : seen.decisions()) {
    // Converters join the names of all operations that became one with semicolons.
    char first[Quoted::kLongest + 1];
    snprintf(first, sizeof(first), "%.*s", static_cast<int>(strcspn(decision.output, ";")), decision.output);
    printf("  node %3d  %-18s %-7s  %s  (%s)\n", decision.node, decision.op, decision.claimed ? "claimed" : "left", decision.reason,
           Quoted(first, Quoted::kLongest).text);
  }
  const TfLiteEqPartitionProfile total = seen.total();
  printf("Delegate: %d partitions, prepared in %.2f ms; %.2f MiB of weights, %.2f MiB of scratch, %.2f MiB of tensors\n",
         seen.partitions().size(), total.prepare_milliseconds, static_cast<double>(total.packed_bytes) / kMebi,
         static_cast<double>(total.scratch_bytes) / kMebi, static_cast<double>(total.tensor_bytes) / kMebi);
}

void PrintOps(const char* name, const OpProfiler& profiler) {
  printf("\nOperators, %s (mean ms over the profiled runs)\n", name);
  for (const OpProfiler::Op& op : profiler.ops()) {
    if (op.runs > 0) {
      printf("  node %3lld  %9.4f  %s\n", static_cast<long long>(op.node), op.milliseconds / static_cast<double>(op.runs),
             Quoted(op.name, Quoted::kLongest).text);
    }
  }
}

void PrintLayers(const DelegateObservation& profiled) {
  printf("\nDelegated operators (mean ms over the profiled runs)\n");
  for (const DelegateObservation::Layer& layer : profiled.layers()) {
    const TfLiteEqNodeProfile& p = layer.profile;
    printf("  node %3d  %-18s %9.4f  %4dx%-4d %4d->%-4d %dx%d/%d  %-12s %-12s %6.2f MiB%s\n", p.node, layer.op, layer.milliseconds_per_run(),
           p.input_height, p.input_width, p.input_channels, p.output_channels, p.filter_height, p.filter_width,
           p.stride_height, layer.kernel, layer.isa, static_cast<double>(p.packed_bytes) / kMebi,
           p.stripe_rows > 0 ? ", in stripes" : "");
  }
}

void PrintVerdict(const ModelResult& result) {
  if (result.output_bytes.all > 0) {
    printf("\nOutputs: %lld of %lld bytes differ from those of the runtime alone%s\n",
           static_cast<long long>(result.output_bytes.different), static_cast<long long>(result.output_bytes.all),
           result.output_bytes.different > 0 ? " (its optimised kernels may round otherwise than reference ones; --verify tells)"
                                             : "");
  }
  if (result.verdict == Verdict::kEqual) {
    printf("Verified: %d delegated operators and all outputs equal the reference kernels', bit for bit%s\n",
           result.observation.claimed(), result.observation.claimed() > 0 ? "" : "; nothing is delegated");
  } else if (result.verdict == Verdict::kDifferent) {
    printf("VERIFICATION FAILED: %s\n", result.difference.text);
  }
  if (result.golden == Verdict::kEqual) {
    printf("Golden: all outputs are those of %s, byte for byte\n", Quoted(result.flags->golden, Quoted::kLongest).text);
  } else if (result.golden == Verdict::kDifferent) {
    printf("UNLIKE THE GOLDEN FILE: %s\n", result.golden_difference.text);
  }
}

}  // namespace

const char* VerdictName(Verdict verdict) {
  return verdict == Verdict::kNotAsked ? "not asked" : verdict == Verdict::kEqual ? "equal" : "different";
}

void PrintCpu(const CpuInfo& cpu) {
  printf("CPU: %s, %d cores; %s\n", cpu.model, cpu.cores, cpu.features);
  printf("XNNPACK's int8 kernels use here: %s\n", PeerInstructions(DetectCpu()));
  printf("Kernels for:");
  for (Isa isa : kIsas) {
    if (Includes(cpu.isa, isa)) printf(" %s", IsaName(isa));
  }
  printf("\n");
}

void PrintText(const ModelResult& result) {
  const Flags& flags = *result.flags;
  printf("Model: %s\nRuntime: TFLite %s, %s\n", flags.graph, result.runtime_version, flags.runtime_library);
  if (result.with_delegate) {
    printf("Delegate: %s%s%s\n", flags.external_delegate_path, *result.delegate_version != '\0' ? ", tflite_eq " : "",
           result.delegate_version);
  }
  PrintCpu(result.cpu);

  printf("\nFirst run, in a process of its own\n");
  PrintFirstRun("runtime", result.plain.first);
  if (result.with_delegate) PrintFirstRun("delegate", result.delegated.first);

  printf("\nInference, %d thread%s%s\n", flags.num_threads, flags.num_threads > 1 ? "s" : "",
         result.with_delegate ? ", in turns" : "");
  PrintTimes("runtime", result.plain.times);
  if (result.with_delegate) {
    PrintTimes("delegate", result.delegated.times);
    printf("  with the delegate %.3f times as fast by minimum, %.3f by median\n",
           result.plain.times.min / result.delegated.times.min, result.plain.times.median / result.delegated.times.median);
    if (*result.delegate_version != '\0') PrintDecisions(result);
  }
  if (flags.enable_op_profiling) {
    if (result.operators_profiled) {
      PrintOps("runtime", result.plain.ops);
      if (result.with_delegate) PrintOps("delegate", result.delegated.ops);
    } else {
      printf("\nOperators: this runtime does not export TfLiteInterpreterOptionsSetTelemetryProfiler; its own operators cannot "
             "be timed one by one\n");
    }
    if (result.profiled.layers().size() > 0) PrintLayers(result.profiled);
  }
  PrintVerdict(result);
}

}  // namespace tflite_eq
