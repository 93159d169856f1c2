// Models of int8 convolutions one after the other, for tests of what delegates do with them.
#ifndef TFLITE_EQ_DELEGATE_TESTING_CONV_CHAIN_H_
#define TFLITE_EQ_DELEGATE_TESTING_CONV_CHAIN_H_

#include <string>
#include <vector>

#include "delegate/kernels/problem_values.h"
#include "delegate/testing/graph.h"
#include "delegate/testing/test_runtime.h"

namespace tflite_eq {

// `kinds` has a letter per layer, all with the same number of channels: c for a 3x3 convolution, - for an operator that every
// delegate leaves to the runtime and that changes no code. `size` is the height and width the model is made for.
TestGraph MakeConvChain(const std::string& kinds, int channels, Values values, unsigned seed, int size = 3);

// A runtime with such a model.
class ChainRuntime {
 public:
  // The chain must outlive it.
  explicit ChainRuntime(const TestGraph& chain, int threads = 1) : chain_(chain), runtime_(chain, threads) {}

  bool Apply(TfLiteDelegate* delegate) { return runtime_.Apply(delegate); }
  // Gives the input another size, and every node what it needs for it.
  bool Resize(int batch, int height, int width);
  bool Invoke();

  std::vector<int8_t>& input() { return input_; }
  std::vector<int8_t> output() { return runtime_.Read(chain_.outputs[0]); }
  int delegated() const { return runtime_.delegated(); }
  const std::string& error() const { return runtime_.error(); }

 private:
  const TestGraph& chain_;
  TestRuntime runtime_;
  std::vector<int8_t> input_;
};

// What the operators of the runtime compute, without a delegate.
std::vector<int8_t> RunChain(const TestGraph& chain, int batch, int height, int width, const std::vector<int8_t>& input);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_TESTING_CONV_CHAIN_H_
