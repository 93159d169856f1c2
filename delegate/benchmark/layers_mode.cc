#include <stdio.h>
#include <stdlib.h>

#include <initializer_list>

#include "delegate/benchmark/cpu_info.h"
#include "delegate/benchmark/modes.h"
#include "delegate/benchmark/timing.h"
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
};

struct LayersRun {
  const Flags& flags;
  WorkerPool pool;
  Report report;
  Report refused{3};   // by kernels, of the present layer
  size_t printed = 0;  // of the report's text
  Message first_difference;

  explicit LayersRun(const Flags& all) : flags(all) { pool.Start(all.num_threads); }
  // What is known so far: kernels of large layers take their time.
  void Print() {
    fputs(report.text() + printed, stdout);
    fflush(stdout);
    printed = strlen(report.text());
  }
};

// The most general values that the kernel takes; the one-dimensional kernel is timed in both of its forms.
void AddKernel(const LayerShape& shape, Algorithm algorithm, Isa isa, LayersRun* run, List<Entry>* entries) {
  const int before = entries->size();
  Reason reason;
  for (Values values : {Values::kInt8, Values::kPlainInt7, Values::kEvenTriplets}) {
    if (entries->size() > before && (algorithm != Algorithm::kWinograd1d || values == Values::kPlainInt7)) continue;
    LayerChain* chain = NewObject<LayerChain>();
    if (chain == nullptr) {
      reason.Set("out of memory");
    } else if (chain->Prepare(shape, values, algorithm, isa, run->pool.workers(), static_cast<uint64_t>(run->flags.seed), &reason)) {
      entries->Add({chain, &run->pool, algorithm, isa, values});
    } else {
      DeleteObject(chain);
    }
  }
  if (entries->size() > before) return;
  run->refused.Object(nullptr, [&] {
    run->refused.Fields("kernel", AlgorithmName(algorithm), "isa", IsaName(isa), "reason", reason.text);
  });
}

// Scalar kernels are there for comparison, not for speed: only when asked for.
bool Selected(const Flags& flags, Algorithm algorithm, Isa isa) {
  const bool by_name = *flags.isa != '\0' || *flags.kernel != '\0';
  if (*flags.isa != '\0' && strcmp(flags.isa, IsaName(isa)) != 0) return false;
  if (*flags.kernel != '\0' && strcmp(flags.kernel, AlgorithmName(algorithm)) != 0) return false;
  return by_name || isa != Isa::kScalar || CpuIsa() == Isa::kScalar;
}

void WriteEntry(const LayerShape& shape, const Entry& entry, const Summary& times, LayersRun* run) {
  const double outputs = (shape.size + shape.stride - 1) / shape.stride;
  const double multiplications = outputs * outputs * shape.filter * shape.filter * shape.input_channels * shape.output_channels;
  const char* verdict = "not asked";
  Reason difference;
  if (run->flags.verify) verdict = entry.chain->Verify(&run->pool, &difference) ? "equal" : "different";
  Report* report = &run->report;
  report->Object(nullptr, [&] {
    report->Fields("kernel", AlgorithmName(entry.algorithm), "isa", IsaName(entry.isa), "values", ValuesName(entry.values),
                   "gmacs_per_second", multiplications / times.min * 1e-6, "packed_bytes",
                   static_cast<int64_t>(entry.chain->memory_bytes() / LayerChain::kLayers), "scratch_bytes",
                   static_cast<int64_t>(entry.chain->scratch_bytes()), "verified", verdict);
    if (difference.text[0] != '\0') report->Fields("difference", difference.text);
    WriteSummary("layer_ms", times, report);
  });
  if (difference.text[0] != '\0' && run->first_difference.text[0] == '\0') {
    run->first_difference.Set("%dx%dx%dx%dx%d, %s, %s: %s", shape.size, shape.input_channels, shape.output_channels, shape.filter,
                              shape.stride, AlgorithmName(entry.algorithm), IsaName(entry.isa), difference.text);
  }
}

bool RunShape(const LayerShape& shape, LayersRun* run, Message* error) {
  List<Entry> entries;
  for (Isa isa : kIsas) {
    for (int i = 0; i < kAlgorithmCount; ++i) {
      const auto algorithm = static_cast<Algorithm>(i);
      if (!CpuSupports(isa) || FindKernel(algorithm, isa) == nullptr || !Selected(run->flags, algorithm, isa)) continue;
      AddKernel(shape, algorithm, isa, run, &entries);
    }
  }
  Array<Contender> contenders;
  bool good = contenders.Allocate(entries.size()) || error->Set("out of memory");
  for (int i = 0; i < contenders.size(); ++i) {
    contenders[i].context = &entries[i];
    contenders[i].run = [](void* context, Message*) {
      auto* entry = static_cast<Entry*>(context);
      entry->chain->Run(entry->pool);
      return true;
    };
  }
  good = good && RunInTurns(contenders.begin(), contenders.size(), run->flags, error);
  Report& report = run->report;
  report.Object(nullptr, [&] {
    report.Fields("size", shape.size, "input_channels", shape.input_channels, "output_channels", shape.output_channels, "filter",
                  shape.filter, "stride", shape.stride);
    report.Array("kernels", [&] {
      for (int i = 0; i < entries.size() && good; ++i) {
        for (double& milliseconds : contenders[i].milliseconds) milliseconds /= LayerChain::kLayers;
        WriteEntry(shape, entries[i], Summarize(&contenders[i].milliseconds), run);
      }
    });
    report.Array("refused", [&] { report.Elements(run->refused); });
    run->refused.Clear();
  });
  for (Entry& entry : entries) DeleteObject(entry.chain);
  run->Print();
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
  return CpuSupports(isa) || error->Set("--isa=%s: this CPU does not support it", flags.isa);
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
      return error->Set("--layers: \"%.100s\" does not begin with SIZExINPUTSxOUTPUTS[xFILTER[xSTRIDE]], as in 56x64x64x3x1", text);
    }
    shapes->Add({numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]});
    text = end + (*end == ',');
  }
  return true;
}

int RunLayersMode(const Flags& flags, Message* error) {
  List<LayerShape> shapes;
  if (!ParseLayers(*flags.layer_list != '\0' ? flags.layer_list : kDefaultLayers, &shapes, error) || !CheckNames(flags, error)) {
    return kExitUsage;
  }
  LayersRun run(flags);
  Report& report = run.report;
  bool good = true;
  report.Object(nullptr, [&] {
    report.Fields("mode", "layers", "num_threads", flags.num_threads, "seed", flags.seed, "layers_in_a_chain", LayerChain::kLayers);
    WriteCpu(&report);
    report.Array("layers", [&] {
      for (const LayerShape& shape : shapes) good = good && RunShape(shape, &run, error);
    });
  });
  if (!good) return kExitRunFailed;
  printf("\n\n%s\n", report.json());
  *error = run.first_difference;
  return error->text[0] == '\0' ? kExitOk : kExitDifferent;
}

}  // namespace tflite_eq
