#pragma once
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
void abort(void) __attribute__((noreturn));
int abs(int);
int atoi(const char*);
void* calloc(size_t, size_t);
void free(void*);
long labs(long);
void* malloc(size_t);
int posix_memalign(void**, size_t, size_t);
void* realloc(void*, size_t);
long strtol(const char*, char**, int);
#ifdef __cplusplus
}
#endif
