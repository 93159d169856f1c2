#include "delegate/testing/failing_allocations.h"

#include <errno.h>
#include <stddef.h>

#include <atomic>

namespace tflite_eq {
namespace {

std::atomic<int> until_failure{0};

bool Fails() { return until_failure.load(std::memory_order_relaxed) > 0 && until_failure.fetch_sub(1) == 1; }

}  // namespace

FailingAllocation::FailingAllocation(int n) { until_failure = n; }
FailingAllocation::~FailingAllocation() { until_failure = 0; }

}  // namespace tflite_eq

// The linker (--wrap, see BUILD) has calls of malloc arrive here, and calls of __real_malloc at malloc, a sanitizer's too.
extern "C" {

void* __real_malloc(size_t size);
void* __wrap_malloc(size_t size) { return tflite_eq::Fails() ? nullptr : __real_malloc(size); }

int __real_posix_memalign(void** memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void** memory, size_t alignment, size_t size) {
  return tflite_eq::Fails() ? ENOMEM : __real_posix_memalign(memory, alignment, size);
}

}  // extern "C"
