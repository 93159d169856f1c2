#include "delegate/benchmark/layers_mode.h"

#include <stdio.h>
#include <stdlib.h>

#include "delegate/array.h"
#include "delegate/benchmark/cpu_info.h"
#include "delegate/benchmark/exit_codes.h"
#include "delegate/benchmark/json_writer.h"
#include "delegate/benchmark/model_result.h"
#include "delegate/benchmark/statistics.h"
#include "delegate/benchmark/turns.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/worker_pool.h"

namespace tflite_eq {
namespace {

// Layers of ResNet-18, the second of VGG16 and MobileNet's kinds: 3x3, 1x1, stride 2.
constexpr char kDefaultLayers[] =
    "56x64x64,28x128x128,14x256x256,7x512x512,112x32x64,56x64x128x3x2,56x64x128x1,14x512x512x1";

const char* ValuesName(Values values) {
  return values == Values::kInt8 ? "int8" : values == Values::kPlainInt7 ? "int7" : "int7, even triplets";
}

// One kernel on one shape.
struct Entry {
  LayerChain* chain;
  ThreadPool* pool;
  Algorithm algorithm;
  Isa isa;
  Values values;
  Summary times;  // milliseconds per layer
};

struct LayersRun {
  const Flags& flags;
  WorkerPool pool;
  JsonWriter json;
  int different = 0;
  Message first_difference;
};

bool RunChain(void* entry, Message*) {
  static_cast<Entry*>(entry)->chain->Run(static_cast<Entry*>(entry)->pool);
  return true;
}

// False with a reason when the kernel refuses the shape and values.
bool AddEntry(const LayerShape& shape, Values values, Algorithm algorithm, Isa isa, LayersRun* run, List<Entry>* entries,
              Reason* reason) {
  LayerChain* chain = NewObject<LayerChain>();
  if (chain == nullptr) {
    reason->Set("out of memory");
    return false;
  }
  if (!chain->Prepare(shape, values, algorithm, isa, run->pool.workers(), static_cast<uint64_t>(run->flags.seed), reason)) {
    DeleteObject(chain);
    return false;
  }
  entries->Add({chain, &run->pool, algorithm, isa, values, Summary()});
  return true;
}

// The most general values that the kernel takes; the one-dimensional kernel is timed in both of its forms.
void AddKernel(const LayerShape& shape, Algorithm algorithm, Isa isa, LayersRun* run, List<Entry>* entries) {
  Reason reason;
  const bool general = AddEntry(shape, Values::kInt8, algorithm, isa, run, entries, &reason) ||
                       AddEntry(shape, Values::kPlainInt7, algorithm, isa, run, entries, &reason);
  const bool two_forms = algorithm == Algorithm::kWinograd1d;
  if (general && !two_forms) return;
  if (!AddEntry(shape, Values::kEvenTriplets, algorithm, isa, run, entries, &reason) && !general) {
    printf("  %-12s %-12s refused: %s\n", AlgorithmName(algorithm), IsaName(isa), reason.text);
  }
}

// Scalar kernels are there for comparison, not for speed: only when asked for.
bool Selected(const Flags& flags, Algorithm algorithm, Isa isa) {
  const bool by_name = *flags.isa != '\0' || *flags.kernel != '\0';
  if (*flags.isa != '\0' && strcmp(flags.isa, IsaName(isa)) != 0) return false;
  if (*flags.kernel != '\0' && strcmp(flags.kernel, AlgorithmName(algorithm)) != 0) return false;
  return by_name || isa != Isa::kScalar || CpuIsa() == Isa::kScalar;
}

void WriteEntry(const Entry& entry, const char* verdict, JsonWriter* json) {
  json->Object([&] {
    json->Fields("kernel", AlgorithmName(entry.algorithm), "isa", IsaName(entry.isa), "values", ValuesName(entry.values));
    WriteSummary("layer_ms", entry.times, json);
    json->Fields("packed_bytes", static_cast<int64_t>(entry.chain->memory_bytes() / LayerChain::kLayers), "scratch_bytes",
                 static_cast<int64_t>(entry.chain->scratch_bytes()), "verified", verdict);
  });
}

void Report(const LayerShape& shape, Entry* entry, LayersRun* run) {
  const double multiplications = static_cast<double>(shape.filter) * shape.filter * shape.input_channels *
                                 shape.output_channels * ((shape.size + shape.stride - 1) / shape.stride) *
                                 ((shape.size + shape.stride - 1) / shape.stride);
  Verdict verdict = Verdict::kNotAsked;
  Reason difference;
  if (run->flags.verify) {
    verdict = entry->chain->Verify(&run->pool, &difference) ? Verdict::kEqual : Verdict::kDifferent;
  }
  printf("  %-12s %-12s %-19s min %9.4f   median %9.4f ms  %7.2f GMAC/s  %6.2f MiB%s\n", AlgorithmName(entry->algorithm),
         IsaName(entry->isa), ValuesName(entry->values), entry->times.min, entry->times.median,
         multiplications / entry->times.min * 1e-6, static_cast<double>(entry->chain->memory_bytes()) / LayerChain::kLayers / (1 << 20),
         verdict == Verdict::kEqual ? "  equal" : "");
  if (verdict == Verdict::kDifferent) {
    printf("  VERIFICATION FAILED: %s\n", difference.text);
    if (run->different++ == 0) {
      run->first_difference.Set("%dx%dx%dx%dx%d, %s, %s: %s", shape.size, shape.input_channels, shape.output_channels,
                                shape.filter, shape.stride, AlgorithmName(entry->algorithm), IsaName(entry->isa),
                                difference.text);
    }
  }
  WriteEntry(*entry, VerdictName(verdict), &run->json);
}

bool TimeEntries(const Flags& flags, List<Entry>* entries, Message* error) {
  Array<Contender> contenders;
  if (!contenders.Allocate(entries->size())) {
    error->Set("out of memory");
    return false;
  }
  for (int i = 0; i < entries->size(); ++i) {
    contenders[i].context = &(*entries)[i];
    contenders[i].run = RunChain;
  }
  if (!RunInTurns(contenders.begin(), contenders.size(), flags, error)) return false;
  for (int i = 0; i < entries->size(); ++i) {
    for (double& milliseconds : contenders[i].milliseconds) milliseconds /= LayerChain::kLayers;
    (*entries)[i].times = Summarize(&contenders[i].milliseconds);
  }
  return true;
}

bool RunShape(const LayerShape& shape, LayersRun* run, Message* error) {
  printf("\n%dx%d, %d->%d channels, %dx%d filter, stride %d\n", shape.size, shape.size, shape.input_channels,
         shape.output_channels, shape.filter, shape.filter, shape.stride);
  List<Entry> entries;
  for (Isa i : kIsas) {
    for (int algorithm = 0; algorithm < kAlgorithmCount; ++algorithm) {
      const auto a = static_cast<Algorithm>(algorithm);
      if (CpuSupports(i) && FindKernel(a, i) != nullptr && Selected(run->flags, a, i)) AddKernel(shape, a, i, run, &entries);
    }
  }
  const bool good = TimeEntries(run->flags, &entries, error);
  JsonWriter& json = run->json;
  json.Object([&] {
    json.Fields("size", shape.size, "input_channels", shape.input_channels, "output_channels", shape.output_channels, "filter",
                shape.filter, "stride", shape.stride);
    json.Array("kernels", [&] {
      for (Entry& entry : entries) {
        if (good) Report(shape, &entry, run);
        DeleteObject(entry.chain);
      }
    });
  });
  return good;
}

// Names that no kernel has are bad flags, not empty tables.
bool CheckNames(const Flags& flags, Message* error) {
  Algorithm algorithm;
  Isa isa;
  if (*flags.kernel != '\0' && !AlgorithmFromName(flags.kernel, &algorithm)) {
    error->Set("--kernel=%.100s: there are", flags.kernel);
    for (int i = 0; i < kAlgorithmCount; ++i) error->Append(" %s", AlgorithmName(static_cast<Algorithm>(i)));
    return false;
  }
  if (*flags.isa == '\0') return true;
  if (!IsaFromName(flags.isa, &isa)) {
    error->Set("--isa=%.100s: there are", flags.isa);
    for (Isa one : kIsas) error->Append(" %s", IsaName(one));
    return false;
  }
  if (CpuSupports(isa)) return true;
  error->Set("--isa=%s: this CPU does not support it", flags.isa);
  return false;
}

}  // namespace

bool ParseLayers(const char* text, List<LayerShape>* shapes, Message* error) {
  constexpr int kNumbers = 5;
  constexpr long kLargest[kNumbers] = {4096, 65536, 65536, 31, 16};
  while (*text != '\0') {
    int numbers[kNumbers] = {0, 0, 0, 3, 1};
    int count = 0;
    const char* at = text;
    char* end = nullptr;
    bool complete = false;
    for (; count < kNumbers && !complete; at = end + 1) {
      const long number = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : 0;
      if (number < 1 || number > kLargest[count]) break;
      numbers[count++] = static_cast<int>(number);
      complete = *end == ',' || *end == '\0';
      if (*end != 'x') break;
    }
    if (!complete || count < 3) {
      error->Set("--layers: \"%.100s\" does not begin with SIZExINPUTSxOUTPUTS[xFILTER[xSTRIDE]], as in 56x64x64x3x1", text);
      return false;
    }
    shapes->Add({numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]});
    text = end + (*end == ',');
  }
  return true;
}

int RunLayersMode(const Flags& flags, Message* error) {
  List<LayerShape> shapes;
  if (!ParseLayers(*flags.layer_list != '\0' ? flags.layer_list : kDefaultLayers, &shapes, error) ||
      !CheckNames(flags, error)) {
    return kExitUsage;
  }
  LayersRun run = {flags, {}, {}, 0, {}};
  run.pool.Start(flags.num_threads);
  const CpuInfo cpu = ReadCpuInfo();
  PrintCpu(cpu);
  printf("Chains of %d layers with distinct weights, kernels in turns, %d thread%s; times per layer\n", LayerChain::kLayers,
         flags.num_threads, flags.num_threads > 1 ? "s" : "");
  bool good = true;
  run.json.Object([&] {
    run.json.Fields("mode", "layers", "num_threads", flags.num_threads, "seed", flags.seed);
    WriteCpu(cpu, &run.json);
    run.json.Array("layers", [&] {
      for (const LayerShape& shape : shapes) good = good && RunShape(shape, &run, error);
    });
  });
  if (!good) return kExitRunFailed;
  printf("\n%s\n", run.json.text());
  *error = run.first_difference;
  return run.different == 0 ? kExitOk : kExitDifferent;
}

}  // namespace tflite_eq
