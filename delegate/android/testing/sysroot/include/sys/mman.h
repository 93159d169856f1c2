#pragma once
#include <sys/types.h>
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 0x20
#define MADV_DONTNEED 4
#define MAP_FAILED ((void*)-1)
#ifdef __cplusplus
extern "C" {
#endif
int madvise(void*, size_t, int);
void* mmap(void*, size_t, int, int, int, off_t);
int munmap(void*, size_t);
#ifdef __cplusplus
}
#endif
