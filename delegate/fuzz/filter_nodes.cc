// Convolutions.
#include "delegate/fuzz/node_builder.h"

#include <algorithm>
#include <cmath>

namespace tflite_eq {
namespace {

// Of one node, in multiplications.
constexpr int64_t kMostWork = 300000;

// What the weights of a filter are like decides which kernels are exact for it.
enum class Weights { kInt8, kInt7, kEvenTriplets, kSmall, kLargest, kSparse, kZero };
constexpr Weights kWeights[] = {Weights::kInt8, Weights::kInt7,    Weights::kEvenTriplets, Weights::kSmall,
                                Weights::kInt8, Weights::kLargest, Weights::kSparse,       Weights::kZero};

std::vector<int8_t> MakeFilter(Weights kind, const std::vector<int>& shape, std::mt19937* random) {
  const size_t size = static_cast<size_t>(shape[0]) * shape[1] * shape[2] * shape[3];
  const auto uniform = [random](int low, int high) {
    return low + static_cast<int>((*random)() % static_cast<unsigned>(high - low + 1));
  };
  std::vector<int8_t> filter(size);
  for (int8_t& weight : filter) {
    int value = 0;
    switch (kind) {
      case Weights::kInt8:
      case Weights::kEvenTriplets:
        value = uniform(-127, 127);
        break;
      case Weights::kInt7:
        value = uniform(-63, 63);
        break;
      case Weights::kSmall:
        value = uniform(-3, 3);
        break;
      case Weights::kLargest:
        value = uniform(0, 1) != 0 ? 127 : -128;
        break;
      case Weights::kSparse:
        value = uniform(0, 9) == 0 ? uniform(-127, 127) : 0;
        break;
      case Weights::kZero:
        break;
    }
    weight = static_cast<int8_t>(value);
  }
  if (kind != Weights::kEvenTriplets || shape[2] != 3 || size == 0) return filter;
  // Horizontal triplets with even sums, and |w0 +- w1 + w2| <= 254.
  const size_t channels = static_cast<size_t>(shape[3]);
  for (size_t row = 0; row < size / (3 * channels); ++row) {
    for (size_t c = 0; c < channels; ++c) {
      int8_t* w = &filter[row * 3 * channels + c];
      for (int tap = 0; tap < 3; ++tap) w[tap * channels] = static_cast<int8_t>(w[tap * channels] / 2);
      if ((w[0] + w[channels] + w[2 * channels]) % 2 != 0) w[channels] = static_cast<int8_t>(w[channels] + 1);
    }
  }
  return filter;
}

}  // namespace

void NodeBuilder::AddConv(int input, bool depthwise) {
  TestNode node;
  node.code = depthwise ? kOperatorDepthwiseConv2d : kOperatorConv2d;
  const std::vector<int> shape = At(input).shape;
  if (shape.size() != 4) return;
  int height, width;
  PickGeometry(&node, &height, &width);
  node.geometry.activation = bytes_.Pick(kActivations);
  const TfLiteConvParams& g = node.geometry;
  const int64_t rows = Extent(shape[1], height, g.stride_height, g.dilation_height_factor, g.padding);
  const int64_t columns = Extent(shape[2], width, g.stride_width, g.dilation_width_factor, g.padding);
  if (rows < 0 || columns < 0) return;
  node.depth_multiplier = depthwise ? bytes_.Between(1, 2) : 1;
  const int channels = depthwise ? shape[3] * node.depth_multiplier : bytes_.Pick(kChannels);
  const std::vector<int> filter_shape =
      depthwise ? std::vector<int>{1, height, width, channels} : std::vector<int>{channels, height, width, shape[3]};
  const int64_t taps = int64_t{height} * width * (depthwise ? 1 : shape[3]);
  if (shape[0] * rows * columns * channels * taps > kMostWork) return;
  const float input_scale = At(input).scales[0];
  const std::vector<float> scales = FilterScales(channels);
  const std::vector<int8_t> filter = MakeFilter(bytes_.Pick(kWeights), filter_shape, &random_);
  node.inputs = {input, AddConstant(kTfLiteInt8, filter_shape, scales, BytesOf(filter))};
  At(node.inputs[1]).quantized_dimension = depthwise ? 3 : 0;
  if (!bytes_.OneIn(8)) AddBias(&node, channels, scales);
  // Accumulators spread like sqrt(filter size) times two typical codes; this scale makes outputs fill their range, or less, or
  // more.
  const float spread = std::sqrt(static_cast<float>(std::max<int64_t>(taps, 1))) * 74 * input_scale * scales[0];
  Add(node, {shape[0], static_cast<int>(rows), static_cast<int>(columns), channels},
         spread * std::exp2(static_cast<float>(bytes_.Between(-3, 3))), bytes_.Byte() - 128);
}

void NodeBuilder::AddTransposeConv(int input) {
  TestNode node;
  node.code = kOperatorTransposeConv;
  const std::vector<int> from = At(input).shape;
  if (from.size() != 4) return;
  const int height = bytes_.Between(1, 4), width = bytes_.Between(1, 4), channels = bytes_.Pick(kChannels);
  TfLiteConvParams& g = node.geometry;
  g.padding = bytes_.OneIn(3) ? kTfLitePaddingValid : kTfLitePaddingSame;
  g.stride_height = bytes_.Between(1, 3);
  g.stride_width = bytes_.OneIn(4) ? bytes_.Between(1, 3) : g.stride_height;
  if (bytes_.OneIn(4)) {
    node.version = 4;
    g.activation = bytes_.Pick(kActivations);
  }
  // The sizes of which a convolution would make the input's, the smallest or a larger one.
  const auto size = [&](int inputs, int stride, int filter) {
    const bool same = g.padding == kTfLitePaddingSame;
    const int least = inputs < 1 ? 0 : same ? (inputs - 1) * stride + 1 : (inputs - 1) * stride + filter;
    return inputs < 1 ? 0 : least + (bytes_.OneIn(2) ? stride - 1 : bytes_.Between(0, stride - 1));
  };
  const int rows = size(from[1], g.stride_height, height), columns = size(from[2], g.stride_width, width);
  const int64_t taps = int64_t{height} * width * from[3];
  if (int64_t{from[0]} * from[1] * from[2] * channels * taps > kMostWork || from[3] < 1) return;
  const std::vector<float> scales = FilterScales(channels);
  const std::vector<int> filter_shape = {channels, height, width, from[3]};
  const std::vector<int8_t> filter = MakeFilter(bytes_.Pick(kWeights), filter_shape, &random_);
  const std::vector<int> shape = {from[0], rows, columns, channels};
  node.inputs = {AddNumbers(std::vector<int32_t>(shape.begin(), shape.end())),
                 AddConstant(kTfLiteInt8, filter_shape, scales, BytesOf(filter)), input};
  if (bytes_.OneIn(2)) AddBias(&node, channels, scales);
  const float spread = std::sqrt(static_cast<float>(taps)) * 74 * At(input).scales[0] * scales[0];
  Add(node, shape, spread * std::exp2(static_cast<float>(bytes_.Between(-3, 3))), bytes_.Byte() - 128);
}

void NodeBuilder::PickGeometry(TestNode* node, int* filter_height, int* filter_width) {
  node->geometry.padding = bytes_.OneIn(3) ? kTfLitePaddingValid : kTfLitePaddingSame;
  if (!bytes_.OneIn(3)) {  // what most kernels are for
    *filter_height = *filter_width = 3;
    return;
  }
  *filter_height = bytes_.Between(1, 5);
  *filter_width = bytes_.Between(1, 5);
  node->geometry.stride_height = bytes_.Between(1, 3);
  node->geometry.stride_width = bytes_.Between(1, 3);
  node->geometry.dilation_height_factor = bytes_.Between(1, 3);
  node->geometry.dilation_width_factor = bytes_.Between(1, 3);
}

std::vector<float> NodeBuilder::FilterScales(int channels) {
  const bool per_channel = bytes_.OneIn(2);
  const bool wide = bytes_.OneIn(16);
  std::vector<float> scales(per_channel ? std::max(channels, 1) : 1);
  for (float& scale : scales) {
    const float octaves = static_cast<float>(random_() % 1024) / 512;
    scale = 0.01f * std::exp2(wide ? 16 * (octaves - 1) : octaves);
  }
  return scales;
}

void NodeBuilder::AddBias(TestNode* node, int channels, const std::vector<float>& scales) {
  const bool large = bytes_.OneIn(12);
  std::vector<int32_t> bias(channels);
  for (int32_t& value : bias) {
    value = large ? static_cast<int32_t>(random_()) : static_cast<int32_t>(random_() % 40001) - 20000;
  }
  node->inputs.push_back(AddConstant(kTfLiteInt32, {channels}, scales, BytesOf(bias)));
}

}  // namespace tflite_eq
