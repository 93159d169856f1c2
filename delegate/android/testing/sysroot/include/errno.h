#pragma once
#define EINTR 4
#define EINVAL 22
#define EISDIR 21
#define ENOENT 2
#define ENOMEM 12
#define ENOTDIR 20
#define errno (*__errno())
#ifdef __cplusplus
extern "C" {
#endif
int* __errno(void);
#ifdef __cplusplus
}
#endif
