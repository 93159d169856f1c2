// SHA-256 (FIPS 180-4), by which golden files name the model that they are of.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_SHA256_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_SHA256_H_

#include <stddef.h>
#include <stdint.h>

namespace tflite_eq {

struct Sha256 {
  uint8_t bytes[32];
};

Sha256 Sha256Of(const uint8_t* data, size_t size);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_SHA256_H_
