#include "delegate/benchmark/layer_chain.h"

#include <cstring>

namespace tflite_eq {

bool LayerChain::Prepare(const LayerShape& shape, Values values, Algorithm algorithm, Isa isa, int threads,
                         Reason* reason) {
  std::mt19937 random(1);
  square_ = shape.input_channels == shape.output_channels && shape.stride == 1;
  ConvShape conv;
  conv.input_height = conv.input_width = shape.size;
  conv.input_channels = shape.input_channels;
  conv.output_channels = shape.output_channels;
  conv.filter_height = conv.filter_width = shape.filter;
  conv.stride_height = conv.stride_width = shape.stride;
  ResolvePadding(Padding::kSame, &conv);
  size_t scratch = 0;
  for (std::unique_ptr<Layer>& layer : layers_) {
    layer = std::make_unique<Layer>();
    ProblemOptions options;
    options.values = values;
    // Codes that stay in the INT7 window when they are passed on.
    options.output_range = 1;
    FillRandomProblem(conv, options, &random, &layer->problem);
    ConvQuantization& q = layer->problem.problem.quantization;
    if (values != Values::kInt8) {
      q.output_zero_point = 0;
      q.activation_min = -64;
      q.activation_max = 63;
      q.input_zero_point = 0;
    }
    if (!layer->conv.Prepare(layer->problem.problem, algorithm, isa, threads, reason)) return false;
    if (layer->conv.scratch_bytes() > scratch) scratch = layer->conv.scratch_bytes();
  }
  const size_t pixels = static_cast<size_t>(shape.size) * shape.size;
  if (!input_.Allocate(pixels * shape.input_channels) || !ping_.Allocate(pixels * shape.output_channels) ||
      !pong_.Allocate(pixels * shape.output_channels) || !scratch_.Allocate(scratch)) {
    reason->Set("out of memory");
    return false;
  }
  memcpy(input_.as<int8_t>(), layers_[0]->problem.input.data(), layers_[0]->problem.input.size());
  return true;
}

void LayerChain::Run(ThreadPool* pool) {
  const int8_t* from = input_.as<int8_t>();
  for (int i = 0; i < kLayers; ++i) {
    int8_t* to = i % 2 == 0 ? ping_.as<int8_t>() : pong_.as<int8_t>();
    layers_[i]->conv.Run(square_ ? from : input_.as<int8_t>(), to, scratch_.as<void>(), pool);
    from = to;
  }
}

size_t LayerChain::memory_bytes() const {
  size_t bytes = 0;
  for (const std::unique_ptr<Layer>& layer : layers_) bytes += layer->conv.memory_bytes();
  return bytes;
}

}  // namespace tflite_eq
