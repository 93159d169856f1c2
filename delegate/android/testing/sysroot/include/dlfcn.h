#pragma once
#define RTLD_LOCAL 0
#define RTLD_LAZY 1
#define RTLD_NOW 2
#ifdef __cplusplus
extern "C" {
#endif
typedef struct {
  const char* dli_fname;
  void* dli_fbase;
  const char* dli_sname;
  void* dli_saddr;
} Dl_info;
int dladdr(const void*, Dl_info*);
int dlclose(void*);
char* dlerror(void);
void* dlopen(const char*, int);
void* dlsym(void*, const char*);
#ifdef __cplusplus
}
#endif
