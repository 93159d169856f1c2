// A golden file: inputs of a model, and the outputs that the reference kernels computed from them. `tflite-eq validate --golden` writes
// it (tflite_eq/delegate/golden.py); any machine checks its own outputs on it.
//
// Little-endian, without gaps:
//
//   byte 0   "TFEQGOLD"
//        8   uint32 each: version of the format (1), samples, inputs, outputs
//       24   SHA-256 of the model file
//       56   version of the package that wrote it: 32 bytes, ended by a zero
//       88   a record of 256 bytes for each input, then for each output:
//              0   uint32 type (TFLite's number), uint32 dimensions (8 at most), int32[8] sizes
//             40   name: 216 bytes, ended by a zero; longer names are cut off
//   then     for each sample the bytes of its inputs, then of its outputs
//
// and nothing behind the last.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_GOLDEN_RUN_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_GOLDEN_RUN_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/benchmark/message.h"

namespace tflite_eq {

class GoldenRun {
 public:
  // Points into the bytes. False with what is wrong with them.
  bool Parse(const uint8_t* data, size_t size, Message* error);

  struct Tensor {
    int32_t type;
    int rank;
    int32_t dims[8];
    const char* name;  // any bytes: Quoted in messages
    size_t bytes;
  };

  int samples() const { return samples_; }
  int inputs() const { return inputs_; }
  int outputs() const { return outputs_; }
  const uint8_t* model_hash() const { return data_ + 24; }
  const char* version() const { return reinterpret_cast<const char*>(data_ + 56); }
  Tensor input(int i) const { return Record(i); }
  Tensor output(int i) const { return Record(inputs_ + i); }
  const uint8_t* input_bytes(int sample, int i) const { return Bytes(sample, i); }
  const uint8_t* output_bytes(int sample, int i) const { return Bytes(sample, inputs_ + i); }

 private:
  Tensor Record(int tensor) const;
  const uint8_t* Bytes(int sample, int tensor) const;

  const uint8_t* data_ = nullptr;
  int samples_ = 0;
  int inputs_ = 0;
  int outputs_ = 0;
  size_t sample_bytes_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_GOLDEN_RUN_H_
