#pragma once
#include <stddef.h>
#define SIGILL 4
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGSEGV 11
#define SA_ONSTACK 0x08000000
typedef unsigned long sigset_t;
typedef struct {
  void* ss_sp;
  int ss_flags;
  size_t ss_size;
} stack_t;
struct sigaction {
  int sa_flags;
  void (*sa_handler)(int);
  sigset_t sa_mask;
  void (*sa_restorer)(void);
};
#ifdef __cplusplus
extern "C" {
#endif
int sigaction(int, const struct sigaction*, struct sigaction*);
int sigaltstack(const stack_t*, stack_t*);
#ifdef __cplusplus
}
#endif
