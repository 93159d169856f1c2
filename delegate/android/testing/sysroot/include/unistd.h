#pragma once
#include <sys/types.h>
#define F_OK 0
#define STDERR_FILENO 2
#define _SC_NPROCESSORS_ONLN 0x61
#ifdef __cplusplus
extern "C" {
#endif
int access(const char*, int);
int close(int);
void _exit(int) __attribute__((noreturn));
pid_t fork(void);
pid_t getpid(void);
int pause(void);
ssize_t pread(int, void*, size_t, off_t);
ssize_t read(int, void*, size_t);
long sysconf(int);
ssize_t write(int, const void*, size_t);
#ifdef __cplusplus
}
#endif
