#include "delegate/allocation_counter.h"

#include <errno.h>
#include <stddef.h>

#include <atomic>

namespace tflite_eq {
namespace {

std::atomic<long> count{0};

}  // namespace

long AllocationCount() { return count; }

}  // namespace tflite_eq

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif

extern "C" {

#ifdef HAS_SANITIZER

// Sanitizers have an allocator of their own, and call this if a program defines it.
void __sanitizer_malloc_hook(const volatile void*, size_t) { ++tflite_eq::count; }

#else

// In place of the C library's functions, whose work glibc offers under these names.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t items, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  ++tflite_eq::count;
  return __libc_malloc(size);
}

void* calloc(size_t items, size_t size) {
  ++tflite_eq::count;
  return __libc_calloc(items, size);
}

void* realloc(void* memory, size_t size) {
  ++tflite_eq::count;
  return __libc_realloc(memory, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  ++tflite_eq::count;
  return __libc_memalign(alignment, size);
}

void* memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }

int posix_memalign(void** memory, size_t alignment, size_t size) {
  ++tflite_eq::count;
  *memory = __libc_memalign(alignment, size);
  return *memory != nullptr ? 0 : ENOMEM;
}

#endif

}  // extern "C"
