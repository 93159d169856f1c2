// A golden file: inputs of a model, and the outputs that the reference kernels computed from them. `tflite-eq validate --golden` writes
// it (tflite_eq/delegate/golden.py); any machine checks its own outputs on it. Little-endian, without gaps: the header, a record for
// each input, then for each output, for each sample the bytes of its inputs, then of its outputs, and nothing behind the last.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_GOLDEN_RUN_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_GOLDEN_RUN_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/benchmark/message.h"

namespace tflite_eq {

struct Sha256 {
  uint8_t bytes[32];
};

// SHA-256 (FIPS 180-4), by which golden files name the model that they are of.
Sha256 Sha256Of(const uint8_t* data, size_t size);

class GoldenRun {
 public:
  struct __attribute__((packed)) Header {
    char magic[8];  // "TFEQGOLD"
    uint32_t format;  // 1
    uint32_t samples;
    uint32_t inputs;
    uint32_t outputs;
    Sha256 model;
    char version[32];  // of the package that wrote it, ended by a zero
  };
  struct __attribute__((packed)) Tensor {
    uint32_t type;  // TFLite's number
    uint32_t rank;  // 8 at most
    int32_t dims[8];
    char name[216];  // ended by a zero; longer ones are cut off; any bytes: Quoted in messages

    // False where that overflows, a size is negative, or the type is none that golden files hold.
    bool CountBytes(size_t* bytes) const;
    size_t bytes() const {
      size_t bytes = 0;
      CountBytes(&bytes);
      return bytes;
    }
  };

  // Points into the bytes. False with what is wrong with them.
  bool Parse(const uint8_t* data, size_t size, Message* error);

  const Header& header() const { return *header_; }
  int samples() const { return static_cast<int>(header_->samples); }
  int inputs() const { return static_cast<int>(header_->inputs); }
  int outputs() const { return static_cast<int>(header_->outputs); }
  const Tensor& input(int i) const { return tensors()[i]; }
  const Tensor& output(int i) const { return tensors()[inputs() + i]; }
  const uint8_t* input_bytes(int sample, int i) const { return Bytes(sample, i); }
  const uint8_t* output_bytes(int sample, int i) const { return Bytes(sample, inputs() + i); }

 private:
  const Tensor* tensors() const { return reinterpret_cast<const Tensor*>(header_ + 1); }
  const uint8_t* Bytes(int sample, int tensor) const;

  const Header* header_ = nullptr;
  size_t sample_bytes_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_GOLDEN_RUN_H_
