#include "delegate/benchmark/process_memory.h"

#include <stdio.h>

namespace tflite_eq {
namespace {

int64_t Difference(int64_t before, int64_t after) { return before < 0 || after < 0 ? -1 : after - before; }

}  // namespace

ProcessMemory ReadProcessMemory() {
  ProcessMemory memory;
  FILE* status = fopen("/proc/self/status", "r");
  if (status == nullptr) return memory;
  char line[256];
  while (fgets(line, sizeof(line), status) != nullptr) {
    long long kilobytes;
    if (sscanf(line, "VmRSS: %lld kB", &kilobytes) == 1) memory.resident = kilobytes * 1024;
    if (sscanf(line, "RssAnon: %lld kB", &kilobytes) == 1) memory.anonymous = kilobytes * 1024;
  }
  fclose(status);
  return memory;
}

ProcessMemory Growth(const ProcessMemory& before, const ProcessMemory& after) {
  return {Difference(before.resident, after.resident), Difference(before.anonymous, after.anonymous)};
}

}  // namespace tflite_eq
