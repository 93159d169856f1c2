// Android's C library as far as TFLite's interpreter for Android needs it, on top of the host's: with it the unmodified
// libtensorflowlite_jni.so for x86_64 that apps get from Maven runs in a desktop JVM, and the Java tests are held to the real
// org.tensorflow.lite.Interpreter. For tests only.
//
// Android's C library gives all its symbols the version LIBC. Most are the same function as the host's; those are forwarded. The
// types they share (threads, stat, iovec...) have the same layout on x86_64 Linux. The others are below, each with its difference.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// FORWARD(f): f@LIBC jumps to the host's f.
#define FORWARD(f)                                                                        \
  __asm__(".text\n.globl bionic_" #f "\n.type bionic_" #f ", @function\nbionic_" #f ":\n" \
          "  jmp " #f "@PLT\n.size bionic_" #f ", . - bionic_" #f "\n.symver bionic_" #f ", " #f "@LIBC\n");

// EXPORT(f): f@LIBC is bionic_f.
#define EXPORT(f) __asm__(".symver bionic_" #f ", " #f "@LIBC");

// clang-format off
FORWARD(__cxa_finalize) FORWARD(__memmove_chk) FORWARD(__open_2) FORWARD(__read_chk) FORWARD(__stack_chk_fail) FORWARD(abort)
FORWARD(atan2) FORWARD(atan2f) FORWARD(bsearch) FORWARD(calloc) FORWARD(clock_gettime) FORWARD(close) FORWARD(closelog)
FORWARD(cos) FORWARD(cosf) FORWARD(dl_iterate_phdr) FORWARD(dlclose) FORWARD(dlerror) FORWARD(dlopen) FORWARD(dlsym)
FORWARD(erfcf) FORWARD(exit) FORWARD(exp) FORWARD(expf) FORWARD(expm1f) FORWARD(fclose) FORWARD(flock) FORWARD(fmodf)
FORWARD(fopen) FORWARD(fread) FORWARD(free) FORWARD(freelocale) FORWARD(frexp) FORWARD(fstat) FORWARD(fsync) FORWARD(getenv)
FORWARD(getpagesize) FORWARD(getuid) FORWARD(hypot) FORWARD(hypotf) FORWARD(ldexp) FORWARD(log) FORWARD(log1p) FORWARD(logf)
FORWARD(madvise) FORWARD(malloc) FORWARD(memalign) FORWARD(memchr) FORWARD(memcmp) FORWARD(memcpy) FORWARD(memmove)
FORWARD(memset) FORWARD(mmap) FORWARD(mprotect) FORWARD(mremap) FORWARD(munmap) FORWARD(nanf) FORWARD(nanosleep)
FORWARD(newlocale) FORWARD(open) FORWARD(openlog) FORWARD(posix_memalign) FORWARD(pow) FORWARD(powf)
FORWARD(pthread_cond_broadcast) FORWARD(pthread_cond_destroy) FORWARD(pthread_cond_init) FORWARD(pthread_cond_signal)
FORWARD(pthread_cond_wait) FORWARD(pthread_create) FORWARD(pthread_equal) FORWARD(pthread_getspecific) FORWARD(pthread_join)
FORWARD(pthread_key_create) FORWARD(pthread_key_delete) FORWARD(pthread_mutex_destroy) FORWARD(pthread_mutex_init)
FORWARD(pthread_mutex_lock) FORWARD(pthread_mutex_unlock) FORWARD(pthread_once) FORWARD(pthread_rwlock_rdlock)
FORWARD(pthread_rwlock_unlock) FORWARD(pthread_rwlock_wrlock) FORWARD(pthread_self) FORWARD(pthread_setspecific)
FORWARD(qsort) FORWARD(read) FORWARD(realloc) FORWARD(rename) FORWARD(sincos) FORWARD(sincosf) FORWARD(sinf)
FORWARD(snprintf) FORWARD(strcmp) FORWARD(strerror) FORWARD(strlen) FORWARD(strncmp) FORWARD(strncpy) FORWARD(strtod)
FORWARD(strtol) FORWARD(strtoll_l) FORWARD(strtoull_l) FORWARD(syscall) FORWARD(syslog) FORWARD(tanhf) FORWARD(time)
FORWARD(vasprintf) FORWARD(vsnprintf) FORWARD(write)
// clang-format on

// stdin, stdout and stderr are elements of an array in Android's library, and FILE is its own type. Lines for either of the last
// two go to stderr.
char bionic___sF[3 * 152];
EXPORT(__sF)

static FILE* HostStream(void* stream) {
  char* address = stream;
  return address >= bionic___sF && address < bionic___sF + sizeof(bionic___sF) ? stderr : stream;
}

int bionic_vfprintf(void* stream, const char* format, va_list arguments) {
  return vfprintf(HostStream(stream), format, arguments);
}
EXPORT(vfprintf)

int bionic_fprintf(void* stream, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int result = vfprintf(HostStream(stream), format, arguments);
  va_end(arguments);
  return result;
}
EXPORT(fprintf)

int bionic_fputc(int character, void* stream) { return fputc(character, HostStream(stream)); }
EXPORT(fputc)

size_t bionic_fwrite(const void* data, size_t size, size_t count, void* stream) {
  return fwrite(data, size, count, HostStream(stream));
}
EXPORT(fwrite)

int bionic_fflush(void* stream) { return fflush(stream != NULL ? HostStream(stream) : NULL); }
EXPORT(fflush)

int bionic_fileno(void* stream) { return fileno(HostStream(stream)); }
EXPORT(fileno)

// Other names or other types.
int* bionic___errno(void) { return &errno; }
EXPORT(__errno)

size_t bionic___strlen_chk(const char* string, size_t size) {
  (void)size;
  return strlen(string);
}
EXPORT(__strlen_chk)

int bionic___vsnprintf_chk(char* buffer, size_t size, int flags, size_t capacity, const char* format, va_list arguments) {
  (void)flags;
  if (size > capacity) abort();
  return vsnprintf(buffer, size, format, arguments);
}
EXPORT(__vsnprintf_chk)

int bionic_strerror_r(int error, char* buffer, size_t size) {  // POSIX's, not GNU's
  snprintf(buffer, size, "error %d", error);
  return 0;
}
EXPORT(strerror_r)

long bionic_sysconf(int name) {  // the names are numbered otherwise
  switch (name) {
    case 0x27:  // _SC_PAGESIZE
    case 0x28:  // _SC_PAGE_SIZE
      return sysconf(_SC_PAGESIZE);
    case 0x60:
      return sysconf(_SC_NPROCESSORS_CONF);
    case 0x61:
      return sysconf(_SC_NPROCESSORS_ONLN);
    default:
      fprintf(stderr, "bionic_shim: sysconf(%d) is not known\n", name);
      abort();
  }
}
EXPORT(sysconf)

extern int __cxa_atexit(void (*function)(void*), void* argument, void* library);
int bionic___cxa_atexit(void (*function)(void*), void* argument, void* library) {
  return __cxa_atexit(function, argument, library);
}
EXPORT(__cxa_atexit)

// No system properties, and logcat is stderr.
int bionic___system_property_get(const char* name, char* value) {
  (void)name;
  *value = '\0';
  return 0;
}
EXPORT(__system_property_get)

void bionic_android_set_abort_message(const char* message) { fprintf(stderr, "abort: %s\n", message); }
EXPORT(android_set_abort_message)

int __android_log_vprint(int priority, const char* tag, const char* format, va_list arguments) {
  (void)priority;
  fprintf(stderr, "%s: ", tag);
  const int result = vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  return result;
}

