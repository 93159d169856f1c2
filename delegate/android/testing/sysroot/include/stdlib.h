#pragma once
#include <stddef.h>
#define EXIT_FAILURE 1
#define EXIT_SUCCESS 0
#ifdef __cplusplus
extern "C" {
#endif
void abort(void) __attribute__((noreturn));
int abs(int);
void* calloc(size_t, size_t);
void exit(int) __attribute__((noreturn));
void free(void*);
char* getenv(const char*);
long labs(long);
void* malloc(size_t);
int posix_memalign(void**, size_t, size_t);
void qsort(void*, size_t, size_t, int (*)(const void*, const void*));
void* realloc(void*, size_t);
double strtod(const char*, char**);
long strtol(const char*, char**, int);
unsigned long strtoul(const char*, char**, int);
#ifdef __cplusplus
}
#endif
