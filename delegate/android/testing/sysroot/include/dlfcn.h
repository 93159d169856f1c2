#pragma once
#define RTLD_LOCAL 0
#define RTLD_LAZY 1
#define RTLD_NOW 2
#ifdef __cplusplus
extern "C" {
#endif
char* dlerror(void);
void* dlopen(const char*, int);
void* dlsym(void*, const char*);
#ifdef __cplusplus
}
#endif
