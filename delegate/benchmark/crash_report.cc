#include "delegate/benchmark/crash_report.h"

#include <unistd.h>

namespace tflite_eq {
namespace {

constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

// Written beforehand: a handler may not format.
Message lines[sizeof(kCrashes) / sizeof(kCrashes[0])];

// Handlers have a stack of their own, as it may be the stack that has ended; AMX's registers alone are 8 KiB of it.
alignas(16) char handler_stack[64 << 10];

bool ending = false;  // atomic

void EndProgram(int signal) {
  // Several threads may crash at once.
  while (__atomic_exchange_n(&ending, true, __ATOMIC_RELAXED)) pause();
  for (size_t i = 0; i < sizeof(kCrashes) / sizeof(kCrashes[0]); ++i) {
    if (kCrashes[i] != signal) continue;
    // Nobody is left to be told that it cannot be written.
    if (write(STDERR_FILENO, lines[i].text, strlen(lines[i].text)) < 0) _exit(kExitRunFailed);
  }
  _exit(kExitRunFailed);
}

}  // namespace

CrashReport::CrashReport(const char* who, const char* what) {
  static_assert(sizeof(kCrashes) / sizeof(kCrashes[0]) == kSignals);
  const stack_t stack = {handler_stack, 0, sizeof(handler_stack)};
  sigaltstack(&stack, &stack_before_);
  struct sigaction action = {};
  action.sa_handler = EndProgram;
  action.sa_flags = SA_ONSTACK;
  for (int i = 0; i < kSignals; ++i) {
    lines[i].Set("eq_benchmark: %s crashed (%s) while %s\n", who, strsignal(kCrashes[i]), what);
    sigaction(kCrashes[i], &action, &before_[i]);
  }
}

CrashReport::~CrashReport() {
  for (int i = 0; i < kSignals; ++i) sigaction(kCrashes[i], &before_[i], nullptr);
  sigaltstack(&stack_before_, nullptr);
}

}  // namespace tflite_eq
