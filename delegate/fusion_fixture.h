// Graphs for tests of fusions, and what becomes of them with the delegate and without.
#ifndef TFLITE_EQ_DELEGATE_FUSION_FIXTURE_H_
#define TFLITE_EQ_DELEGATE_FUSION_FIXTURE_H_

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "delegate/delegate.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/testing/test_runtime.h"
#include "delegate/tflite_eq_observer.h"
#include "gtest/gtest.h"

namespace tflite_eq {

struct Deleter {
  void operator()(TfLiteDelegate* delegate) const { DeleteDelegate(delegate); }
};

// What became of a graph.
struct Ran {
  std::vector<std::vector<std::vector<int8_t>>> outputs;  // by size, then by output
  std::vector<std::string> kernels;                       // of nodes, in the order in which they run
  std::vector<int> nodes;                                 // these
  int striped = 0;                                        // that run in stripes
  int partitions = 0;
  int64_t packed_bytes = 0, scratch_bytes = 0, tensor_bytes = 0;
  int delegated = 0;
};

// One invocation for each size of the first input, all of them of rank 4.
inline Ran Invoke(const TestGraph& graph, const std::vector<std::vector<int>>& sizes, const DelegateOptions* options) {
  Ran run;
  TfLiteEqObserver observer = {};
  observer.version = TFLITE_EQ_OBSERVER_VERSION;
  observer.user_data = &run;
  observer.node_finished = [](void* self, const TfLiteEqNodeProfile* profile) {
    auto* run = static_cast<Ran*>(self);
    run->kernels.push_back(profile->kernel);
    run->nodes.push_back(profile->node);
    run->striped += profile->stripe_rows > 0;
  };
  observer.partition_finished = [](void* self, const TfLiteEqPartitionProfile* profile) {
    auto* run = static_cast<Ran*>(self);
    ++run->partitions;
    run->packed_bytes += profile->packed_bytes;
    run->scratch_bytes += profile->scratch_bytes;
    run->tensor_bytes += profile->tensor_bytes;
  };
  std::unique_ptr<TfLiteDelegate, Deleter> delegate;
  if (options != nullptr) {
    delegate.reset(CreateDelegate(*options));
    ObserveDelegate(delegate.get(), observer);
  }
  TestRuntime runtime(graph);
  if (delegate != nullptr) EXPECT_TRUE(runtime.Apply(delegate.get())) << runtime.error();
  std::mt19937 random(5);
  for (const std::vector<int>& size : sizes) {
    for (int input : graph.inputs) EXPECT_TRUE(runtime.ResizeInput(input, size));
    EXPECT_TRUE(runtime.Allocate()) << runtime.error();
    for (int input : graph.inputs) {
      std::vector<int8_t> codes(runtime.tensor(input).bytes);
      for (int8_t& code : codes) code = static_cast<int8_t>(random());
      runtime.Write(input, codes.data());
    }
    EXPECT_TRUE(runtime.Invoke()) << runtime.error();
    run.outputs.emplace_back();
    for (int output : graph.outputs) run.outputs.back().push_back(runtime.Read(output));
  }
  run.delegated = runtime.delegated();
  return run;
}

class GraphMaker {
 public:
  explicit GraphMaker(unsigned seed, int channels) : random_(seed), channels_(channels) {}
  TestGraph graph;

  int Integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  int Tensor(const std::vector<int>& shape) {
    TestTensor tensor;
    tensor.shape = shape;
    tensor.scales = {.02f * std::exp2(.01f * static_cast<float>(Integer(-150, 150)))};
    tensor.zero_points = {Integer(-128, 127)};
    graph.tensors.push_back(tensor);
    return static_cast<int>(graph.tensors.size()) - 1;
  }
  int Image() { return Tensor({1, 5, 4, channels_}); }
  int Constant(const std::vector<int>& shape) {
    const int index = Tensor(shape);
    graph.tensors.back().constant = true;
    size_t count = 1;
    for (int size : shape) count *= static_cast<size_t>(size);
    for (size_t i = 0; i < count; ++i) graph.tensors.back().data.push_back(static_cast<uint8_t>(random_()));
    return index;
  }
  // One scale for each channel along the last dimension, no zero points.
  int DepthwiseFilter() {
    const int index = Constant({1, 1, 1, channels_});
    TestTensor& tensor = graph.tensors.back();
    tensor.scales.clear();
    for (int c = 0; c < channels_; ++c) tensor.scales.push_back(.01f * static_cast<float>(1 + c % 7));
    tensor.zero_points.assign(static_cast<size_t>(channels_), 0);
    tensor.quantized_dimension = 3;
    return index;
  }
  int Add(int code, const std::vector<int>& inputs) {
    const int output = Image();
    TestNode node;
    node.code = code;
    node.inputs = inputs;
    node.outputs = {output};
    graph.nodes.push_back(node);
    return output;
  }
  // Something of which each value depends on one code of `input` and its channel.
  int AddAny(int input) {
    switch (Integer(0, 6)) {
      case 0:
        return Add(kOperatorRelu, {input});
      case 1:
        return Add(kOperatorLeakyRelu, {input});
      case 2:
        return Add(kOperatorPrelu, {input, Constant({1, 1, channels_})});
      case 3:
        return Add(kOperatorMul, {input, Constant({channels_})});
      case 4:
        return Add(kOperatorAdd, {Constant({1}), input});
      case 5:
        return Add(kOperatorSub, {input, Constant({1, 1, 1, channels_})});
      default:
        return Add(kOperatorDepthwiseConv2d, {input, DepthwiseFilter()});
    }
  }

 private:
  std::mt19937 random_;
  int channels_;
};

inline DelegateOptions Options(bool fuse, bool verify, Isa isa, int threads = 1) {
  DelegateOptions options;
  Reason error;
  EXPECT_TRUE(options.claim.Set("claim", ".*", &error));
  options.fuse = fuse;
  options.verify = verify;
  options.any_isa = false;
  options.isa = isa;
  options.num_threads = threads;
  options.log_level = 0;
  options.min_saving = 0;
  return options;
}

inline std::vector<Isa> Isas() {
  std::vector<Isa> isas;
  for (Isa isa : kIsas) {
    if (CpuSupports(isa)) isas.push_back(isa);
  }
  return isas;
}

// Nodes that others stand for.
inline int Fused(const Ran& run) {
  int fused = 0;
  for (const std::string& kernel : run.kernels) fused += kernel == "fused";
  return fused;
}

// Convolutions and what goes with them, all with one scale.
class JoinedMaker : public GraphMaker {
 public:
  using GraphMaker::GraphMaker;

  // All that is joined has this scale.
  int Part(int channels) {
    const int index = Tensor({1, 5, 4, channels});
    graph.tensors[static_cast<size_t>(index)].scales = {.3f};
    graph.tensors[static_cast<size_t>(index)].zero_points = {0};
    return index;
  }
  // Weights of seven bits; codes that it writes are, too, but for a few.
  int Convolve(int input, int input_channels, int output_channels, int filter, int activation) {
    const int weights = Constant({output_channels, filter, filter, input_channels});
    TestTensor& tensor = graph.tensors.back();
    for (uint8_t& byte : tensor.data) byte = static_cast<uint8_t>(byte % 127 - 63);
    tensor.scales = {.04f / static_cast<float>(filter)};
    tensor.zero_points = {0};
    TestNode node;
    node.inputs = {input, weights};
    node.outputs = {Part(output_channels)};
    node.geometry.activation = activation;
    graph.nodes.push_back(node);
    return node.outputs[0];
  }
  int Join(const std::vector<int>& parts, int axis) {
    int channels = 0;
    for (int part : parts) channels += graph.tensors[static_cast<size_t>(part)].shape[3];
    TestNode node;
    node.code = kOperatorConcatenation;
    node.axis = axis;
    node.inputs = parts;
    node.outputs = {Part(channels)};
    graph.nodes.push_back(node);
    return node.outputs[0];
  }
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_FUSION_FIXTURE_H_
