#pragma once
#include <sys/types.h>
#include <time.h>
#define S_IFMT 0170000
#define S_ISDIR(mode) (((mode)&S_IFMT) == 0040000)
#define S_ISREG(mode) (((mode)&S_IFMT) == 0100000)
struct stat {
  unsigned long st_dev;
  unsigned long st_ino;
  mode_t st_mode;
  unsigned st_nlink;
  unsigned st_uid;
  unsigned st_gid;
  unsigned long st_rdev;
  unsigned long unused1;
  off_t st_size;
  int st_blksize;
  int unused2;
  long st_blocks;
  struct timespec st_atim;
  struct timespec st_mtim;
  struct timespec st_ctim;
  unsigned unused3[2];
};
#ifdef __cplusplus
extern "C" {
#endif
int fstat(int, struct stat*);
int stat(const char*, struct stat*);
#ifdef __cplusplus
}
#endif
