// The time that profiles count in.
#ifndef TFLITE_EQ_DELEGATE_CLOCK_H_
#define TFLITE_EQ_DELEGATE_CLOCK_H_

#include <time.h>

namespace tflite_eq {

inline double Milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_CLOCK_H_
