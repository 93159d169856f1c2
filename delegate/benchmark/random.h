// A small generator of random numbers, the same on every platform for the same seed. The standard library's distributions
// are not, and need the C++ runtime.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_RANDOM_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_RANDOM_H_

#include <stdint.h>

namespace tflite_eq {

// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // Uniform in [low, high]; the bias of the remainder is below 2^-32 for ranges of int32.
  int64_t Integer(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Next() % static_cast<uint64_t>(high - low + 1));
  }

  // Uniform in [low, high).
  double Real(double low, double high) { return low + (high - low) * static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_RANDOM_H_
