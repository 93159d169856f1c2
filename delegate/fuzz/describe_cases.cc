// Prints what inputs of the graph fuzzer stand for, a line of JSON each: the model, the steps, and what the test runtime computes
// without a delegate. For people who look at a finding, and for the test that compares the test runtime with TFLite itself.
//
//   describe_cases FILE...          of these inputs
//   describe_cases --random N SEED  of N random ones, without damage, that run
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "delegate/fuzz/graph_case.h"
#include "delegate/fuzz/graph_oracle.h"

namespace tflite_eq {
namespace {

template <typename T>
std::string List(const std::vector<T>& values) {
  std::string text = "[";
  for (size_t i = 0; i < values.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(values[i]);
  return text + "]";
}

// Every digit that tells it from its neighbours; JSON has no other numbers, so that those are strings.
std::string Number(float value) {
  char text[32];
  snprintf(text, sizeof(text), std::isfinite(value) ? "%.9g" : "\"%f\"", static_cast<double>(value));
  return text;
}

std::string Tensor(const TestTensor& tensor) {
  std::string scales;
  for (float scale : tensor.scales) scales += (scales.empty() ? "" : ",") + Number(scale);
  return "{\"type\":" + std::to_string(tensor.type) + ",\"shape\":" + List(tensor.shape) + ",\"scales\":[" + scales +
         "],\"zero_points\":" + List(tensor.zero_points) + ",\"dimension\":" + std::to_string(tensor.quantized_dimension) +
         ",\"constant\":" + (tensor.constant ? "true" : "false") + ",\"data\":" + List(tensor.data) + "}";
}

std::string Node(const TestNode& node) {
  const TfLiteConvParams& g = node.geometry;
  return "{\"code\":" + std::to_string(node.code) + ",\"inputs\":" + List(node.inputs) + ",\"outputs\":" + List(node.outputs) +
         ",\"parameters\":" + (node.has_parameters ? "true" : "false") + ",\"padding\":" + std::to_string(g.padding) +
         ",\"activation\":" + std::to_string(g.activation) + ",\"stride\":" + List(std::vector<int>{g.stride_height, g.stride_width}) +
         ",\"dilation\":" + List(std::vector<int>{g.dilation_height_factor, g.dilation_width_factor}) +
         ",\"pool\":" + List(std::vector<int>{node.pool_height, node.pool_width}) +
         ",\"depth_multiplier\":" + std::to_string(node.depth_multiplier) + ",\"axis\":" + std::to_string(node.axis) + ",\"alpha\":" +
         Number(node.alpha) + ",\"keep_dims\":" + (node.keep_dims ? "true" : "false") +
         ",\"align_corners\":" + (node.align_corners ? "true" : "false") +
         ",\"half_pixel_centers\":" + (node.half_pixel_centers ? "true" : "false") + ",\"version\":" + std::to_string(node.version) +
         ",\"block\":" + std::to_string(node.block) + ",\"masks\":" +
         List(std::vector<unsigned>{node.begin_mask, node.end_mask, node.shrink_mask}) +
         ",\"mirror_symmetric\":" + (node.mirror_symmetric ? "true" : "false") +
         ",\"approximate\":" + (node.approximate ? "true" : "false") + ",\"squeeze_dims\":" + List(node.squeeze_dims) + "}";
}

template <typename T, typename Function>
std::string ListOf(const std::vector<T>& items, Function describe) {
  std::string text = "[";
  for (size_t i = 0; i < items.size(); ++i) text += (i > 0 ? "," : "") + describe(items[i]);
  return text + "]";
}

std::string Options(const GraphCase& c) {
  return "{\"kernel\":\"" + std::string(c.options.any_kernel ? "auto" : AlgorithmName(c.options.kernel)) + "\",\"isa\":\"" +
         (c.options.any_isa ? "auto" : IsaName(c.options.isa)) + "\",\"num_threads\":" + std::to_string(c.options.num_threads) +
         ",\"interpreter_threads\":" + std::to_string(c.interpreter_threads) + ",\"allocate_first\":" +
         std::to_string(c.allocate_first) + ",\"failing_call\":" + std::to_string(c.failing_call) + ",\"failing_allocation\":" +
         std::to_string(c.failing_allocation) + "}";
}

std::string Step(const CaseStep& step) {
  return "{\"resizes\":" + ListOf(step.resizes, [](const CaseStep::Resize& resize) {
           return "{\"input\":" + std::to_string(resize.input) + ",\"shape\":" + List(resize.shape) + "}";
         }) + "}";
}

std::string Invocation(const InvocationResult& invocation) {
  return std::string("{\"succeeded\":") + (invocation.succeeded ? "true" : "false") + ",\"inputs\":" +
         ListOf(invocation.inputs, List<uint8_t>) + ",\"outputs\":" + ListOf(invocation.outputs, [](const TensorValue& output) {
           return "{\"shape\":" + List(output.shape) + ",\"codes\":" + List(output.codes) + "}";
         }) + "}";
}

std::string Result(const StepResult& result) {
  std::string error;
  for (char c : result.error) error += c == '"' || c == '\\' ? ' ' : c;
  return std::string("{\"allocated\":") + (result.allocated ? "true" : "false") + ",\"undefined\":" +
         (result.undefined ? "true" : "false") + ",\"error\":\"" + error + "\",\"invocations\":" +
         ListOf(result.invocations, Invocation) + "}";
}

void Describe(const GraphCase& c, const std::vector<StepResult>& results) {
  const TestGraph& g = c.graph;
  printf("{\"options\":%s,\"tensors\":%s,\"nodes\":%s,\"inputs\":%s,\"outputs\":%s,\"steps\":%s,\"results\":%s}\n", Options(c).c_str(),
         ListOf(g.tensors, Tensor).c_str(), ListOf(g.nodes, Node).c_str(), List(g.inputs).c_str(), List(g.outputs).c_str(),
         ListOf(c.steps, Step).c_str(), ListOf(results, Result).c_str());
}

bool Runs(const GraphCase& c, const std::vector<StepResult>& results) {
  if (c.mutated || c.graph.nodes.empty()) return false;
  for (const StepResult& result : results) {
    if (!result.allocated || result.skipped || result.undefined || result.invocations.empty()) return false;
    for (const InvocationResult& invocation : result.invocations) {
      if (!invocation.succeeded) return false;
    }
  }
  return true;
}

void DescribeRandom(int count, unsigned seed) {
  constexpr size_t kBytes = 240;
  std::mt19937 random(seed);
  for (int described = 0; described < count;) {
    std::vector<uint8_t> bytes(kBytes);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    const GraphCase c = DecodeGraphCase(bytes.data(), bytes.size());
    const std::vector<StepResult> results = RunAlone(c);
    if (!Runs(c, results)) continue;
    Describe(c, results);
    ++described;
  }
}

}  // namespace
}  // namespace tflite_eq

int main(int argc, char** argv) {
  if (argc == 4 && strcmp(argv[1], "--random") == 0) {
    tflite_eq::DescribeRandom(atoi(argv[2]), static_cast<unsigned>(atoi(argv[3])));
    return 0;
  }
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const tflite_eq::GraphCase c = tflite_eq::DecodeGraphCase(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    tflite_eq::Describe(c, tflite_eq::RunAlone(c));
  }
  return 0;
}
