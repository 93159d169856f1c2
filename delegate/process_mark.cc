#include "delegate/process_mark.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

namespace tflite_eq {
namespace {

constexpr int kWipeOnFork = 18;  // MADV_WIPEONFORK, which older headers lack
constexpr int kNoAdvice = -1;

bool use_process_numbers = false;

// A page that children find cleared, or null. Lengths are rounded up to whole pages.
int64_t* MapClearedPage() {
  if (use_process_numbers) return nullptr;
  void* page = mmap(nullptr, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  // Emulators accept any advice and follow none.
  const bool cleared = madvise(page, sizeof(int64_t), kNoAdvice) != 0 && madvise(page, sizeof(int64_t), kWipeOnFork) == 0;
  if (cleared) return static_cast<int64_t*>(page);
  munmap(page, sizeof(int64_t));
  return nullptr;
}

}  // namespace

ProcessMark::ProcessMark() : word_(MapClearedPage()) {
  if (word_ == nullptr) word_ = &process_;
  FinishAdoption();
}

ProcessMark::~ProcessMark() {
  if (IsCleared()) munmap(word_, sizeof(int64_t));
}

bool ProcessMark::BeginAdoption() {
  const int64_t own = OwnValue();
  int64_t seen = __atomic_load_n(word_, __ATOMIC_ACQUIRE);
  return seen != own && seen != -own &&
         __atomic_compare_exchange_n(word_, &seen, -own, /*weak=*/false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void ProcessMark::UseProcessNumbers(bool use) { use_process_numbers = use; }

int64_t ProcessMark::ProcessNumber() { return getpid(); }

void ForkSafeMutex::Lock() {
  while (!mark_.IsOwn()) {
    if (mark_.BeginAdoption()) {
      mutex_ = PTHREAD_MUTEX_INITIALIZER;
      mark_.FinishAdoption();
    } else {
      sched_yield();  // another thread is about to finish
    }
  }
  pthread_mutex_lock(&mutex_);
}

}  // namespace tflite_eq
