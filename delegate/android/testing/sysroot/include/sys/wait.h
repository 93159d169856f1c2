#pragma once
#include <sys/types.h>
#define WEXITSTATUS(status) (((status)&0xff00) >> 8)
#define WTERMSIG(status) ((status)&0x7f)
#define WIFEXITED(status) (WTERMSIG(status) == 0)
#define WIFSIGNALED(status) (WTERMSIG(status) != 0 && WTERMSIG(status) != 0x7f)
#ifdef __cplusplus
extern "C" {
#endif
pid_t waitpid(pid_t, int*, int);
#ifdef __cplusplus
}
#endif
