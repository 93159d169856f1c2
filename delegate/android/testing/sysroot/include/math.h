#pragma once
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#ifdef __cplusplus
inline bool isfinite(double x) { return __builtin_isfinite(x); }
inline bool isnan(double x) { return __builtin_isnan(x); }
#endif
#ifdef __cplusplus
extern "C" {
#endif
double exp2(double);
double fabs(double);
double floor(double);
double frexp(double, int*);
double ldexp(double, int);
double round(double);
double sqrt(double);
float fabsf(float);
float nextafterf(float, float);
float floorf(float);
float roundf(float);
float sqrtf(float);
#ifdef __cplusplus
}
#endif
