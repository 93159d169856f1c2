#include "delegate/benchmark/layer_chain.h"

#include "delegate/benchmark/random.h"
#include "delegate/kernels/geometry.h"
#include "delegate/kernels/reference.h"

namespace tflite_eq {
namespace {

size_t OutputSize(const ConvShape& s) {
  return static_cast<size_t>(s.batch) * s.output_height * s.output_width * s.output_channels;
}

}  // namespace

bool LayerChain::Prepare(const LayerShape& shape, Values values, Algorithm algorithm, Isa isa, int threads, uint64_t seed,
                         Reason* reason) {
  Random random(seed);
  const auto uniform = [&random](int low, int high) { return static_cast<int>(random.Integer(low, high)); };
  square_ = shape.input_channels == shape.output_channels && shape.stride == 1;
  ConvShape conv;
  conv.input_height = conv.input_width = shape.size;
  conv.input_channels = shape.input_channels;
  conv.output_channels = shape.output_channels;
  conv.filter_height = conv.filter_width = shape.filter;
  conv.stride_height = conv.stride_width = shape.stride;
  if (!ResolvePadding(Padding::kSame, &conv, reason)) return false;
  const size_t channels = static_cast<size_t>(conv.output_channels);
  const size_t filter = channels * conv.filter_size();
  bool allocated = input_.Allocate(ProblemInputSize(conv)) && ping_.Allocate(OutputSize(conv)) &&
                   pong_.Allocate(OutputSize(conv));
  size_t scratch = 0;
  for (Layer& layer : layers_) {
    allocated = allocated && layer.filter.Allocate(filter) && layer.constants.Allocate(3 * channels * sizeof(int32_t));
    if (!allocated) {
      reason->Set("out of memory");
      return false;
    }
    int32_t* constants = layer.constants.as<int32_t>();
    const ProblemArrays arrays = {input_.as<int8_t>(), layer.filter.as<int8_t>(), constants, constants + channels,
                                  constants + 2 * channels};
    ProblemOptions options;
    options.values = values;
    FillProblem(conv, options, uniform, arrays, &layer.problem);
    ConvQuantization& q = layer.problem.quantization;
    if (HasInt7Codes(values)) {
      // Codes that stay in the INT7 window when they are passed on.
      q.output_zero_point = 0;
      q.activation_min = -64;
      q.activation_max = 63;
      q.input_zero_point = 0;
    }
    if (!layer.conv.Prepare(layer.problem, algorithm, isa, threads, reason)) return false;
    if (layer.conv.scratch_bytes() > scratch) scratch = layer.conv.scratch_bytes();
  }
  if (scratch_.Allocate(scratch)) return true;
  reason->Set("out of memory");
  return false;
}

const int8_t* LayerChain::InputOf(int layer) const {
  if (layer == 0 || !square_) return input_.as<int8_t>();
  return layer % 2 != 0 ? ping_.as<int8_t>() : pong_.as<int8_t>();
}

int8_t* LayerChain::OutputOf(int layer) { return layer % 2 == 0 ? ping_.as<int8_t>() : pong_.as<int8_t>(); }

void LayerChain::Run(ThreadPool* pool) {
  for (int i = 0; i < kLayers; ++i) layers_[i].conv.Run(InputOf(i), OutputOf(i), scratch_.as<void>(), pool);
}

bool LayerChain::Verify(ThreadPool* pool, Reason* difference) {
  Buffer expected;
  const ConvShape& s = layers_[0].problem.shape;
  if (!expected.Allocate(OutputSize(s))) {
    difference->Set("out of memory");
    return false;
  }
  for (int i = 0; i < kLayers; ++i) {
    const int8_t* actual = OutputOf(i);
    layers_[i].conv.Run(InputOf(i), OutputOf(i), scratch_.as<void>(), pool);
    ReferenceConv(layers_[i].problem, InputOf(i), expected.as<int8_t>());
    for (size_t k = 0; k < OutputSize(s); ++k) {
      if (actual[k] == expected.as<int8_t>()[k]) continue;
      const size_t pixel = k / s.output_channels;
      difference->Set("layer %d of the chain: code %d instead of %d at row %d, column %d, channel %d", i, actual[k],
                      expected.as<int8_t>()[k], static_cast<int>(pixel / s.output_width),
                      static_cast<int>(pixel % s.output_width), static_cast<int>(k % s.output_channels));
      return false;
    }
  }
  return true;
}

size_t LayerChain::memory_bytes() const {
  size_t bytes = 0;
  for (const Layer& layer : layers_) bytes += layer.conv.memory_bytes();
  return bytes;
}

}  // namespace tflite_eq
