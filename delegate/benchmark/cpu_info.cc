#include "delegate/benchmark/cpu_info.h"

#include <stdlib.h>
#include <unistd.h>

#include "delegate/benchmark/message.h"
#include "delegate/kernels/cpu_features.h"

namespace tflite_eq {
namespace {

constexpr const char* kFeaturesThatMatter[] = {"avx2",  "avx512f",  "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8", "asimd",
                                               "fphp",  "asimdhp",  "asimddp",  "i8mm",        "bf16",     "sve",      "sve2"};

// "CPU part" of implementer 0x41, Arm (Linux, arch/arm64/include/asm/cputype.h, and Arm's manuals).
constexpr struct {
  unsigned part;
  const char* name;
} kArmCores[] = {
    {0xd03, "Cortex-A53"},  {0xd04, "Cortex-A35"},  {0xd05, "Cortex-A55"},  {0xd07, "Cortex-A57"},  {0xd08, "Cortex-A72"},
    {0xd09, "Cortex-A73"},  {0xd0a, "Cortex-A75"},  {0xd0b, "Cortex-A76"},  {0xd0c, "Neoverse-N1"}, {0xd0d, "Cortex-A77"},
    {0xd40, "Neoverse-V1"}, {0xd41, "Cortex-A78"},  {0xd44, "Cortex-X1"},   {0xd46, "Cortex-A510"}, {0xd47, "Cortex-A710"},
    {0xd48, "Cortex-X2"},   {0xd49, "Neoverse-N2"}, {0xd4d, "Cortex-A715"}, {0xd4e, "Cortex-X3"},   {0xd4f, "Neoverse-V2"},
    {0xd80, "Cortex-A520"}, {0xd81, "Cortex-A720"}, {0xd82, "Cortex-X4"},
};

struct CoreKind {
  unsigned implementer;
  unsigned part;
  int count;
};

void AppendKind(const CoreKind& kind, Message* model) {
  model->Append("%s%dx ", model->text[0] != '\0' ? ", " : "", kind.count);
  for (const auto& core : kArmCores) {
    if (kind.implementer == 0x41 && core.part == kind.part) return model->Append("%s", core.name);
  }
  model->Append("implementer 0x%x part 0x%x", kind.implementer, kind.part);
}

bool HasWord(const char* words, const char* end, const char* word) {
  for (const char* at = words; at < end;) {
    const size_t length = strcspn(at, " \t\n");
    if (length == strlen(word) && strncmp(at, word, length) == 0) return true;
    at += length + 1;
  }
  return false;
}

}  // namespace

void WriteCpuInfo(const char* text, Report* report) {
  Message model, features;
  List<CoreKind> kinds;
  unsigned implementer = 0;
  for (const char* line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
    const char* end = line + strcspn(line, "\n");
    const char* colon = static_cast<const char*>(memchr(line, ':', static_cast<size_t>(end - line)));
    const char* value = colon != nullptr ? colon + 1 + (colon[1] == ' ') : end;
    const auto begins = [line](const char* name) { return strncmp(line, name, strlen(name)) == 0; };
    if (begins("model name")) {
      model.Set("%.*s", static_cast<int>(end - value), value);
    } else if (begins("CPU implementer")) {
      implementer = static_cast<unsigned>(strtoul(value, nullptr, 16));
    } else if (begins("CPU part")) {
      const auto part = static_cast<unsigned>(strtoul(value, nullptr, 16));
      CoreKind* kind = kinds.begin();
      while (kind != kinds.end() && (kind->implementer != implementer || kind->part != part)) ++kind;
      if (kind != kinds.end()) {
        ++kind->count;
      } else {
        kinds.Add({implementer, part, 1});
      }
    } else if (begins("flags") || begins("Features")) {
      // Cores of one system may differ; the last one's are shown.
      features = Message();
      for (const char* feature : kFeaturesThatMatter) {
        if (HasWord(value, end, feature)) features.Append("%s%s", features.text[0] != '\0' ? " " : "", feature);
      }
    }
  }
  if (kinds.size() > 0) model = Message();
  for (const CoreKind& kind : kinds) AppendKind(kind, &model);
  report->Fields("model", model.text[0] != '\0' ? model.text : "unknown", "features", features.text);
}

void WriteCpu(Report* report) {
  List<char> text;
  if (FILE* file = fopen("/proc/cpuinfo", "r")) {
    for (int c = fgetc(file); c != EOF; c = fgetc(file)) text.Add(static_cast<char>(c));
    fclose(file);
  }
  text.Add('\0');
  report->Object("cpu", [&] {
    WriteCpuInfo(text.begin(), report);
    report->Fields("cores", static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)), "xnnpack", PeerInstructions(DetectCpu()));
    report->Array("isa", [&] {
      for (Isa isa : kIsas) {
        if (CpuSupports(isa)) report->Fields(nullptr, IsaName(isa));
      }
    });
  });
}

}  // namespace tflite_eq
