#include "delegate/benchmark/cpu_info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "delegate/benchmark/list.h"
#include "delegate/kernels/cpu_features.h"

namespace tflite_eq {
namespace {

constexpr const char* kFeaturesThatMatter[] = {"avx2",  "avx512f",  "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8", "asimd",
                                               "fphp",  "asimdhp",  "asimddp",  "i8mm",        "bf16",     "sve",      "sve2"};

// "CPU part" of implementer 0x41, Arm (Linux, arch/arm64/include/asm/cputype.h, and Arm's manuals).
struct ArmCore {
  unsigned part;
  const char* name;
};
constexpr ArmCore kArmCores[] = {
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

void DescribeCores(const List<CoreKind>& kinds, CpuInfo* info) {
  info->model[0] = '\0';
  for (const CoreKind& kind : kinds) {
    const char* name = nullptr;
    for (const ArmCore& core : kArmCores) {
      if (kind.implementer == 0x41 && core.part == kind.part) name = core.name;
    }
    const size_t used = strlen(info->model);
    const char* comma = used > 0 ? ", " : "";
    if (name != nullptr) {
      snprintf(info->model + used, sizeof(info->model) - used, "%s%dx %s", comma, kind.count, name);
    } else {
      snprintf(info->model + used, sizeof(info->model) - used, "%s%dx implementer 0x%x part 0x%x", comma, kind.count,
               kind.implementer, kind.part);
    }
  }
}

void CountCore(unsigned implementer, unsigned part, List<CoreKind>* kinds) {
  for (CoreKind& kind : *kinds) {
    if (kind.implementer == implementer && kind.part == part) {
      ++kind.count;
      return;
    }
  }
  kinds->Add({implementer, part, 1});
}

bool HasWord(const char* line, size_t length, const char* word) {
  const size_t word_length = strlen(word);
  for (const char* at = line; (at = strstr(at, word)) != nullptr && at + word_length <= line + length; ++at) {
    const bool begins = at == line || at[-1] == ' ' || at[-1] == '\t' || at[-1] == ':';
    const char after = at[word_length];
    if (begins && (after == ' ' || after == '\n' || after == '\0')) return true;
  }
  return false;
}

void CollectFeatures(const char* line, size_t length, CpuInfo* info) {
  info->features[0] = '\0';
  for (const char* feature : kFeaturesThatMatter) {
    if (!HasWord(line, length, feature)) continue;
    const size_t used = strlen(info->features);
    snprintf(info->features + used, sizeof(info->features) - used, "%s%s", used > 0 ? " " : "", feature);
  }
}

bool BeginsWith(const char* text, const char* prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

}  // namespace

void ParseCpuInfo(const char* text, CpuInfo* info) {
  List<CoreKind> kinds;
  unsigned implementer = 0;
  for (const char* line = text; *line != '\0';) {
    const size_t length = strcspn(line, "\n");
    const char* colon = static_cast<const char*>(memchr(line, ':', length));
    const char* value = colon != nullptr ? colon + 1 + (colon[1] == ' ') : line + length;
    const int value_length = static_cast<int>(line + length - value);
    if (BeginsWith(line, "model name")) {
      snprintf(info->model, sizeof(info->model), "%.*s", value_length, value);
    } else if (BeginsWith(line, "CPU implementer")) {
      implementer = static_cast<unsigned>(strtoul(value, nullptr, 16));
    } else if (BeginsWith(line, "CPU part")) {
      CountCore(implementer, static_cast<unsigned>(strtoul(value, nullptr, 16)), &kinds);
    } else if (BeginsWith(line, "flags") || BeginsWith(line, "Features")) {
      // Cores of one system may differ; the last one's are shown.
      CollectFeatures(line, length, info);
    }
    line += length + (line[length] == '\n');
  }
  if (kinds.size() > 0) DescribeCores(kinds, info);
}

CpuInfo ReadCpuInfo() {
  CpuInfo info;
  info.cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  info.isa = CpuIsa();
  FILE* file = fopen("/proc/cpuinfo", "r");
  if (file == nullptr) return info;
  List<char> text;
  for (int c = fgetc(file); c != EOF; c = fgetc(file)) text.Add(static_cast<char>(c));
  fclose(file);
  text.Add('\0');
  ParseCpuInfo(text.begin(), &info);
  return info;
}

}  // namespace tflite_eq
