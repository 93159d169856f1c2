#include "delegate/benchmark/first_run.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "delegate/clock.h"

namespace tflite_eq {
namespace {

// Memory that parent and child share: the child writes, the parent reads when it is gone, whatever ended it.
struct Shared {
  FirstRun result;
  const char* step = "starting";  // a string constant, at the same address in both
  Message error;
};

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

int64_t Growth(int64_t before, int64_t after) { return before < 0 || after < 0 ? -1 : after - before; }

bool RunChild(const SessionOptions& options, uint64_t seed, Shared* shared) {
  Session session;
  session.WatchSteps(&shared->step);
  const ProcessMemory before = ReadProcessMemory();
  if (!session.Open(options, &shared->error) || !session.Fill(seed, &shared->error)) return false;
  const double start = Milliseconds();
  if (!session.Invoke(&shared->error)) return false;
  shared->result.invoke = Milliseconds() - start;
  const ProcessMemory after = ReadProcessMemory();
  shared->result.growth = {Growth(before.resident, after.resident), Growth(before.anonymous, after.anonymous)};
  shared->result.open = session.times();
  session.Close();
  return true;
}

int Explain(int status, const SessionOptions& options, const Shared& shared, Message* error) {
  if (WIFEXITED(status)) {
    if (WEXITSTATUS(status) == kExitOk) return kExitOk;
    if (shared.error.text[0] != '\0') {
      *error = shared.error;
      return kExitBadInput;
    }
  }
  error->Set("the runtime%s ", options.delegate != nullptr ? " or the delegate" : "");
  if (WIFSIGNALED(status)) {
    error->Append("crashed (%s)", strsignal(WTERMSIG(status)));
  } else {
    error->Append("ended the process");
  }
  error->Append(" while %s", shared.step);
  return kExitRunFailed;
}

}  // namespace

int MeasureFirstRun(const SessionOptions& options, uint64_t seed, FirstRun* result, Message* error) {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    error->Set("out of memory");
    return kExitRunFailed;
  }
  Shared* shared = new (memory) Shared;
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const bool good = RunChild(options, seed, shared);
    fflush(stdout);
    _exit(good ? kExitOk : kExitBadInput);
  }
  int status = 0;
  pid_t ended = -1;
  while (child > 0 && (ended = waitpid(child, &status, 0)) < 0 && errno == EINTR) {
  }
  int code = kExitRunFailed;
  if (ended < 0) {
    error->Set("cannot start a process: %s", strerror(errno));
  } else {
    code = Explain(status, options, *shared, error);
    *result = shared->result;
  }
  munmap(memory, sizeof(Shared));
  return code;
}

}  // namespace tflite_eq
