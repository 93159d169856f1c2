// stderr is left out on purpose: at API 21 it is an element of the array __sF, from API 23 on a variable, and an app has none.
#pragma once
#include <stdarg.h>
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
int snprintf(char*, size_t, const char*, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char*, size_t, const char*, va_list) __attribute__((format(printf, 3, 0)));
#ifdef __cplusplus
}
#endif
