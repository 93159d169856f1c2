#pragma once
#define O_RDONLY 0
#define O_CLOEXEC 02000000
#ifdef __cplusplus
extern "C" {
#endif
int open(const char*, int, ...);
#ifdef __cplusplus
}
#endif
