// For files that call functions of threads or load libraries: has them use what every glibc from 2.17 on has.
//
// glibc 2.34 moved the functions of libpthread and libdl into libc, under a version of its own: what is linked against it, or against a later
// one, would not load on systems before it, though nothing about the functions has changed. This names the versions that they had
// before. A function that is missing here shows in the wheel's name: setup.py looks at what the libraries need.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_OLD_GLIBC_H_
#define TFLITE_EQ_DELEGATE_KERNELS_OLD_GLIBC_H_

#include <dlfcn.h>
#include <pthread.h>

// Sanitizers stand in for the functions under their plain names.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TFLITE_EQ_SANITIZED
#endif
#endif

#if defined(__GLIBC__) && !defined(TFLITE_EQ_SANITIZED) && (defined(__x86_64__) || defined(__aarch64__))
#ifdef __x86_64__
#define TFLITE_EQ_OLD(name) __asm__(".symver " #name "," #name "@GLIBC_2.2.5")
#else
#define TFLITE_EQ_OLD(name) __asm__(".symver " #name "," #name "@GLIBC_2.17")
#endif
TFLITE_EQ_OLD(dladdr);
TFLITE_EQ_OLD(dlclose);
TFLITE_EQ_OLD(dlerror);
TFLITE_EQ_OLD(dlopen);
TFLITE_EQ_OLD(dlsym);
TFLITE_EQ_OLD(pthread_create);
TFLITE_EQ_OLD(pthread_join);
TFLITE_EQ_OLD(pthread_mutex_trylock);
TFLITE_EQ_OLD(pthread_once);
#undef TFLITE_EQ_OLD
#endif

#endif  // TFLITE_EQ_DELEGATE_KERNELS_OLD_GLIBC_H_
