#pragma once
#ifdef __cplusplus
extern "C" {
#endif
double fabs(double);
double floor(double);
double frexp(double, int*);
double ldexp(double, int);
double round(double);
double sqrt(double);
float fabsf(float);
float floorf(float);
float roundf(float);
float sqrtf(float);
#ifdef __cplusplus
}
#endif
