// A chain of convolutions with distinct weights, as a network runs them: a single layer run over and over would keep its
// weights in cache and flatter kernels with large ones.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_LAYER_CHAIN_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_LAYER_CHAIN_H_

#include <memory>
#include <string>
#include <vector>

#include "delegate/kernels/prepared_conv.h"
#include "delegate/kernels/random_problem.h"

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

  // Square filters, SAME padding. Every layer reads the output of the one before; where sizes or channel counts differ, all
  // layers read the same input instead. False with a reason when the kernel refuses.
  bool Prepare(const LayerShape& shape, Values values, Algorithm algorithm, Isa isa, int threads, Reason* reason);
  void Run(ThreadPool* pool);
  size_t memory_bytes() const;

 private:
  struct Layer {
    RandomProblem problem;
    PreparedConv conv;
  };
  std::unique_ptr<Layer> layers_[kLayers];
  Buffer input_;
  Buffer ping_;
  Buffer pong_;
  Buffer scratch_;
  bool square_ = true;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_LAYER_CHAIN_H_
