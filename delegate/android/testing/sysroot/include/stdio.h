#pragma once
#include <stdarg.h>
#include <stddef.h>
#define EOF (-1)
// At API 21 these are elements of an array; from API 23 on they are variables of their own.
typedef struct {
  char contents[152];
} FILE;
#define stdin (&__sF[0])
#define stdout (&__sF[1])
#define stderr (&__sF[2])
#ifdef __cplusplus
extern "C" {
#endif
extern FILE __sF[];
int fclose(FILE*);
int fflush(FILE*);
int fgetc(FILE*);
char* fgets(char*, int, FILE*);
FILE* fopen(const char*, const char*);
int fprintf(FILE*, const char*, ...) __attribute__((format(printf, 2, 3)));
int fputc(int, FILE*);
int fputs(const char*, FILE*);
size_t fread(void*, size_t, size_t, FILE*);
size_t fwrite(const void*, size_t, size_t, FILE*);
int printf(const char*, ...) __attribute__((format(printf, 1, 2)));
int putc(int, FILE*);
int putchar(int);
int puts(const char*);
int snprintf(char*, size_t, const char*, ...) __attribute__((format(printf, 3, 4)));
int sscanf(const char*, const char*, ...) __attribute__((format(scanf, 2, 3)));
int vsnprintf(char*, size_t, const char*, va_list) __attribute__((format(printf, 3, 0)));
#ifdef __cplusplus
}
#endif
