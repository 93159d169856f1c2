// A chain of convolutions with distinct weights, as a network runs them: a single layer run over and over would keep its
// weights in cache and flatter kernels with large ones.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_LAYER_CHAIN_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_LAYER_CHAIN_H_

#include <stdint.h>

#include "delegate/kernels/buffer.h"
#include "delegate/kernels/prepared_conv.h"
#include "delegate/kernels/problem_values.h"

namespace tflite_eq {

struct LayerShape {
  int size;  // height and width
  int input_channels;
  int output_channels;
  int filter = 3;
  int stride = 1;
};

class LayerChain {
 public:
  static constexpr int kLayers = 5;

  LayerChain() = default;
  LayerChain(const LayerChain&) = delete;
  LayerChain& operator=(const LayerChain&) = delete;

  // Once for each object. Square filters, SAME padding. Every layer reads the output of the one before; where sizes or channel
  // counts differ, all layers read the same input instead. False with a reason when the kernel refuses.
  bool Prepare(const LayerShape& shape, Values values, Algorithm algorithm, Isa isa, int threads, uint64_t seed,
               Reason* reason);
  void Run(ThreadPool* pool);
  // Runs every layer and compares its output with the reference's. False with the first difference.
  bool Verify(ThreadPool* pool, Reason* difference);
  // Packed weights of all layers.
  size_t memory_bytes() const;
  size_t scratch_bytes() const { return scratch_.size(); }

 private:
  struct Layer {
    ConvProblem problem;
    Buffer filter;
    Buffer constants;  // bias, multipliers, shifts
    PreparedConv conv;
  };
  const int8_t* InputOf(int layer) const;
  int8_t* OutputOf(int layer);

  Layer layers_[kLayers];
  Buffer input_;
  Buffer ping_;
  Buffer pong_;
  Buffer scratch_;
  bool square_ = true;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_LAYER_CHAIN_H_
