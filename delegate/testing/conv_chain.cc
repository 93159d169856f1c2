#include "delegate/testing/conv_chain.h"

#include <cmath>
#include <cstring>
#include <random>
#include <utility>

#include "delegate/kernels/random_problem.h"

namespace tflite_eq {
namespace {

constexpr int kFilterSize = 3;

template <typename T>
std::vector<uint8_t> BytesOf(const std::vector<T>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

int AddTensor(TestGraph* graph, const std::vector<int>& shape, float scale, int zero_point) {
  TestTensor tensor;
  tensor.shape = shape;
  tensor.scales = {scale};
  tensor.zero_points = {zero_point};
  graph->tensors.push_back(tensor);
  return static_cast<int>(graph->tensors.size()) - 1;
}

int AddConstant(TestGraph* graph, int32_t type, const std::vector<int>& shape, const std::vector<float>& scales,
                std::vector<uint8_t> bytes) {
  const int index = AddTensor(graph, shape, 1, 0);
  TestTensor& tensor = graph->tensors.back();
  tensor.type = type;
  tensor.scales = scales;
  tensor.zero_points.assign(scales.size(), 0);
  tensor.constant = true;
  tensor.data = std::move(bytes);
  return index;
}

}  // namespace

TestGraph MakeConvChain(const std::string& kinds, int channels, Values values, unsigned seed, int size) {
  std::mt19937 random(seed);
  const std::vector<int> shape = {1, size, size, channels};
  float scale = 0.05f;
  int zero_point = 0;
  TestGraph graph;
  int last = AddTensor(&graph, shape, scale, zero_point);
  graph.inputs = {last};
  for (char kind : kinds) {
    TestNode node;
    node.inputs = {last};
    if (kind == 'c') {
      ConvShape s;
      s.input_height = s.input_width = s.filter_height = s.filter_width = kFilterSize;
      s.input_channels = s.output_channels = channels;
      RandomProblem p;
      ProblemOptions options;
      options.values = values;
      FillRandomProblem(s, options, &random, &p);
      std::vector<float> scales;
      for (int k = 0; k < channels; ++k) scales.push_back(0.01f * static_cast<float>(1 + random() % 100));
      node.inputs.push_back(
          AddConstant(&graph, kTfLiteInt8, {channels, kFilterSize, kFilterSize, channels}, scales, BytesOf(p.filter)));
      node.inputs.push_back(AddConstant(&graph, kTfLiteInt32, {channels}, scales, BytesOf(p.bias)));
      // Accumulators spread like sqrt(filter size) times two typical codes; outputs then fill their range.
      scale *= 0.5f * std::sqrt(static_cast<float>(kFilterSize * kFilterSize * channels)) * 74;
      zero_point = static_cast<int>(random() % 16);
    } else {
      node.code = kOperatorMaxPool2d;  // of one pixel
    }
    last = AddTensor(&graph, shape, scale, zero_point);
    node.outputs = {last};
    graph.nodes.push_back(node);
  }
  graph.outputs = {last};
  return graph;
}

bool ChainRuntime::Resize(int batch, int height, int width) {
  const int input = chain_.inputs[0];
  if (!runtime_.ResizeInput(input, {batch, height, width, chain_.tensors[input].shape[3]}) || !runtime_.Allocate()) return false;
  input_.assign(runtime_.tensor(input).bytes, 0);
  return true;
}

bool ChainRuntime::Invoke() {
  runtime_.Write(chain_.inputs[0], input_.data());
  return runtime_.Invoke();
}

std::vector<int8_t> RunChain(const TestGraph& chain, int batch, int height, int width, const std::vector<int8_t>& input) {
  ChainRuntime runtime(chain);
  if (!runtime.Resize(batch, height, width)) return {};
  runtime.input() = input;
  return runtime.Invoke() ? runtime.output() : std::vector<int8_t>();
}

}  // namespace tflite_eq
