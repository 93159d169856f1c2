#include "delegate/fuzz/graph_builder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

namespace tflite_eq {
namespace {

constexpr int kMostNodes = 8;
constexpr int kChannels[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 24, 32, 33};
constexpr int32_t kActivations[] = {kTfLiteActNone, kTfLiteActNone, kTfLiteActRelu, kTfLiteActRelu6, kTfLiteActReluN1To1};
// Of one node, in multiplications.
constexpr int64_t kMostWork = 300000;

int64_t Extent(int64_t input, int64_t filter, int64_t stride, int64_t dilation, int32_t padding) {
  const int64_t reach = (filter - 1) * dilation + 1;
  return (input + stride - (padding == kTfLitePaddingSame ? 1 : reach)) / stride;
}

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

template <typename T>
std::vector<uint8_t> BytesOf(const std::vector<T>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  if (!bytes.empty()) memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

class Builder {
 public:
  explicit Builder(ByteReader* bytes) : bytes_(*bytes), random_(bytes->Word()) {}

  TestGraph Build() {
    constexpr int kBatches[] = {1, 1, 1, 2, 3, 1, 1, 0};
    const std::vector<int> shape = {bytes_.Pick(kBatches), Size(), Size(), bytes_.Pick(kChannels)};
    const int inputs = bytes_.OneIn(8) ? 2 : 1;
    const float scale = std::exp2(static_cast<float>(bytes_.Between(-7, 0)));
    const int zero_point = bytes_.Byte() - 128;
    for (int i = 0; i < inputs; ++i) {
      graph_.inputs.push_back(AddTensor(shape, scale, zero_point));
      live_.push_back(graph_.inputs.back());
    }
    const int nodes = bytes_.Between(1, kMostNodes);
    for (int i = 0; i < nodes; ++i) AddNode();
    graph_.outputs.push_back(live_.back());
    for (int tensor : live_) {
      if (tensor != live_.back() && bytes_.OneIn(4)) graph_.outputs.push_back(tensor);
    }
    return std::move(graph_);
  }

 private:
  int Size() { return bytes_.OneIn(24) ? 0 : bytes_.Between(1, 14); }

  int AddTensor(const std::vector<int>& shape, float scale, int zero_point) {
    TestTensor tensor;
    tensor.name += std::to_string(graph_.tensors.size());
    tensor.shape = shape;
    tensor.scales = {scale};
    tensor.zero_points = {zero_point};
    graph_.tensors.push_back(tensor);
    return static_cast<int>(graph_.tensors.size()) - 1;
  }

  int AddConstant(int32_t type, const std::vector<int>& shape, const std::vector<float>& scales, std::vector<uint8_t> data) {
    const int index = AddTensor(shape, 1, 0);
    TestTensor& tensor = graph_.tensors.back();
    tensor.type = type;
    tensor.scales = scales;
    tensor.zero_points.assign(scales.size(), 0);
    tensor.constant = true;
    tensor.data = std::move(data);
    return index;
  }

  static int64_t Elements(const std::vector<int>& shape) {
    int64_t count = 1;
    for (int size : shape) count *= size;
    return count;
  }

  TestTensor& At(int tensor) { return graph_.tensors[tensor]; }
  // One that was written lately, so that graphs are long rather than wide.
  int LiveTensor() {
    const int recent = std::min<int>(static_cast<int>(live_.size()), 3);
    return live_[live_.size() - 1 - static_cast<size_t>(bytes_.Byte() % recent)];
  }

  void AddNode() {
    const int input = LiveTensor();
    switch (bytes_.Byte() % 48) {
      default:
        return AddConv(input, false);
      case 8:
        return AddConv(input, true);
      case 9:
        return AddPool(input, kOperatorMaxPool2d);
      case 10:
        return AddPool(input, kOperatorAveragePool2d);
      case 11:
        return AddCombination(input, kOperatorAdd);
      case 12:
        return AddRelu(input);
      case 13:
        return AddPad(input);
      case 14:
        return AddConcatenation(input);
      case 15:
        return AddReshape(input);
      case 16:
        return AddCombination(input, kOperatorSub);
      case 17:
        return AddCombination(input, kOperatorMul);
      case 18:
        return AddLeakyRelu(input);
      case 19:
      case 20:
        return AddPrelu(input);
      case 21:
        return AddMean(input);
      case 22:
        return AddResize(input);
      case 23:
        return AddTranspose(input);
      case 24:
        return AddSplit(input);
      case 25:
      case 26:
        return AddUnary(input);
      case 27:
        return AddExtremum(input);
      case 28:
        return AddSlice(input);
      case 29:
        return AddStridedSlice(input);
      case 30:
        return AddSplitV(input);
      case 31:
        return AddUnpack(input);
      case 32:
        return AddPack(input);
      case 33:
        return AddBlock(input);
      case 34:
        return AddValuedOrMirroredPad(input);
      case 35:
      case 39:
        return AddOneMoreOrLess(input);
      case 36:
        return AddReduction(input);
      case 37:
      case 38:
        return AddTransposeConv(input);
    }
  }

  void Finish(TestNode node, const std::vector<int>& shape, float scale, int zero_point) {
    node.outputs = {AddTensor(shape, scale, zero_point)};
    live_.push_back(node.outputs[0]);
    graph_.nodes.push_back(std::move(node));
  }

  void PickGeometry(TestNode* node, int* filter_height, int* filter_width) {
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

  void AddConv(int input, bool depthwise) {
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
    Finish(node, {shape[0], static_cast<int>(rows), static_cast<int>(columns), channels},
           spread * std::exp2(static_cast<float>(bytes_.Between(-3, 3))), bytes_.Byte() - 128);
  }

  std::vector<float> FilterScales(int channels) {
    const bool per_channel = bytes_.OneIn(2);
    const bool wide = bytes_.OneIn(16);
    std::vector<float> scales(per_channel ? std::max(channels, 1) : 1);
    for (float& scale : scales) {
      const float octaves = static_cast<float>(random_() % 1024) / 512;
      scale = 0.01f * std::exp2(wide ? 16 * (octaves - 1) : octaves);
    }
    return scales;
  }

  void AddBias(TestNode* node, int channels, const std::vector<float>& scales) {
    const bool large = bytes_.OneIn(12);
    std::vector<int32_t> bias(channels);
    for (int32_t& value : bias) {
      value = large ? static_cast<int32_t>(random_()) : static_cast<int32_t>(random_() % 40001) - 20000;
    }
    node->inputs.push_back(AddConstant(kTfLiteInt32, {channels}, scales, BytesOf(bias)));
  }

  void AddPool(int input, int code) {
    TestNode node;
    node.code = code;
    const std::vector<int> shape = At(input).shape;
    if (shape.size() != 4) return;
    node.inputs = {input};
    node.pool_height = bytes_.Between(1, 3);
    node.pool_width = bytes_.Between(1, 3);
    node.geometry.stride_height = bytes_.Between(1, 2);
    node.geometry.stride_width = bytes_.Between(1, 2);
    node.geometry.padding = bytes_.OneIn(3) ? kTfLitePaddingValid : kTfLitePaddingSame;
    node.geometry.activation = bytes_.Pick(kActivations);
    const int64_t rows = Extent(shape[1], node.pool_height, node.geometry.stride_height, 1, node.geometry.padding);
    const int64_t columns = Extent(shape[2], node.pool_width, node.geometry.stride_width, 1, node.geometry.padding);
    if (rows < 0 || columns < 0) return;
    Finish(node, {shape[0], static_cast<int>(rows), static_cast<int>(columns), shape[3]}, At(input).scales[0],
           At(input).zero_points[0]);
  }

  // A live tensor of the same shape, the input itself at worst.
  int Partner(int input, bool same_scale) {
    std::vector<int> partners;
    for (int tensor : live_) {
      if (At(tensor).shape != At(input).shape) continue;
      if (same_scale && (At(tensor).scales != At(input).scales || At(tensor).zero_points != At(input).zero_points)) continue;
      partners.push_back(tensor);
    }
    return partners[bytes_.Byte() % partners.size()];
  }

  void AddCombination(int input, int code) {
    TestNode node;
    node.code = code;
    node.inputs = {input, Partner(input, false)};
    node.geometry.activation = bytes_.Pick(kActivations);
    const float first = At(input).scales[0], second = At(node.inputs[1]).scales[0];
    const float scale = code == kOperatorMul ? first * second * 40 : std::max(first, second);
    Finish(node, At(input).shape, scale * std::exp2(static_cast<float>(bytes_.Between(-1, 1))), bytes_.Byte() - 128);
  }

  void AddLeakyRelu(int input) {
    TestNode node;
    node.code = kOperatorLeakyRelu;
    node.inputs = {input};
    const int slope = bytes_.Between(-8, 40);
    // Of negative ones no products are halves: runtimes do not agree on those.
    node.alpha = static_cast<float>(slope) * (slope < 0 ? 0.0311f : 1.0f / 32);
    Finish(node, At(input).shape, At(input).scales[0] * (bytes_.OneIn(2) ? 1.0f : 0.7f), bytes_.Byte() - 128);
  }

  void AddPrelu(int input) {
    TestNode node;
    node.code = kOperatorPrelu;
    const std::vector<int> shape = At(input).shape;
    const int channels = shape.back();
    std::vector<int8_t> slopes(static_cast<size_t>(channels));
    for (int8_t& slope : slopes) slope = static_cast<int8_t>(random_() % 256 - 128);
    node.inputs = {input, AddConstant(kTfLiteInt8, bytes_.OneIn(2) ? std::vector<int>{channels} : std::vector<int>{1, channels},
                                      {0.004f}, BytesOf(slopes))};
    At(node.inputs[1]).zero_points = {bytes_.OneIn(2) ? 0 : bytes_.Byte() - 128};
    const bool same = bytes_.OneIn(2);
    Finish(node, shape, At(input).scales[0] * (same ? 1.0f : 0.7f), same ? At(input).zero_points[0] : bytes_.Byte() - 128);
  }

  void AddRelu(int input) {
    TestNode node;
    node.code = kOperatorRelu;
    node.inputs = {input};
    const bool same = bytes_.OneIn(2);
    Finish(node, At(input).shape, At(input).scales[0] * (same ? 1.0f : 0.7f), same ? At(input).zero_points[0] : bytes_.Byte() - 128);
  }

  // By constants, or by another input of the graph: then the output's shape is known only when the operator runs.
  void AddPad(int input) {
    TestNode node;
    node.code = kOperatorPad;
    std::vector<int> shape = At(input).shape;
    const int rank = static_cast<int>(shape.size());
    std::vector<int32_t> paddings(2 * shape.size());
    for (size_t i = 2; i < paddings.size() && i < 6; ++i) paddings[i] = bytes_.Between(0, 2);
    for (size_t i = 0; i < shape.size(); ++i) shape[i] += paddings[2 * i] + paddings[2 * i + 1];
    const int second = AddConstant(kTfLiteInt32, {rank, 2}, {}, BytesOf(paddings));
    if (bytes_.OneIn(3)) MakeInput(second);
    node.inputs = {input, second};
    Finish(node, shape, At(input).scales[0], At(input).zero_points[0]);
  }

  void MakeInput(int tensor) {
    At(tensor).constant = false;
    At(tensor).data.clear();
    graph_.inputs.push_back(tensor);
  }

  void AddConcatenation(int input) {
    TestNode node;
    node.code = kOperatorConcatenation;
    node.inputs = {input, Partner(input, true)};
    std::vector<int> shape = At(input).shape;
    node.axis = bytes_.Between(0, static_cast<int>(shape.size()) - 1);
    shape[node.axis] *= 2;
    Finish(node, shape, At(input).scales[0], At(input).zero_points[0]);
  }

  void AddReshape(int input) {
    TestNode node;
    node.code = kOperatorReshape;
    std::vector<int> shape = At(input).shape;
    if (shape.size() != 4) return;
    std::swap(shape[1], shape[2]);
    std::vector<int32_t> sizes(shape.begin(), shape.end());
    if (bytes_.OneIn(2)) sizes[1] = -1;  // can be resized
    const int second = AddConstant(kTfLiteInt32, {4}, {}, BytesOf(sizes));
    node.inputs = {input, second};
    Finish(node, shape, At(input).scales[0], At(input).zero_points[0]);
  }

  void AddMean(int input) {
    TestNode node;
    node.code = kOperatorMean;
    const std::vector<int> shape = At(input).shape;
    if (shape.size() != 4) return;
    node.keep_dims = !bytes_.OneIn(2);
    node.inputs = {input, AddConstant(kTfLiteInt32, {2}, {}, BytesOf(std::vector<int32_t>{1, 2}))};
    Finish(node, node.keep_dims ? std::vector<int>{shape[0], 1, 1, shape[3]} : std::vector<int>{shape[0], shape[3]},
           At(input).scales[0] * std::exp2(static_cast<float>(bytes_.Between(-2, 1))), bytes_.Byte() - 128);
  }

  void AddResize(int input) {
    TestNode node;
    node.code = bytes_.OneIn(2) ? kOperatorResizeBilinear : kOperatorResizeNearestNeighbor;
    const std::vector<int> shape = At(input).shape;
    if (shape.size() != 4) return;
    node.align_corners = bytes_.OneIn(3);
    node.half_pixel_centers = !node.align_corners && bytes_.OneIn(2);
    const std::vector<int32_t> size = {bytes_.Between(1, 16), bytes_.Between(1, 16)};
    node.inputs = {input, AddConstant(kTfLiteInt32, {2}, {}, BytesOf(size))};
    Finish(node, {shape[0], size[0], size[1], shape[3]}, At(input).scales[0], At(input).zero_points[0]);
  }

  void AddTranspose(int input) {
    TestNode node;
    node.code = kOperatorTranspose;
    const std::vector<int> from = At(input).shape;
    std::vector<int32_t> order(from.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
    for (size_t i = 1; i < order.size(); ++i) std::swap(order[i], order[static_cast<size_t>(bytes_.Between(0, static_cast<int>(i)))]);
    std::vector<int> shape;
    for (int32_t d : order) shape.push_back(from[static_cast<size_t>(d)]);
    node.inputs = {input, AddConstant(kTfLiteInt32, {static_cast<int>(order.size())}, {}, BytesOf(order))};
    Finish(node, shape, At(input).scales[0], At(input).zero_points[0]);
  }

  void AddSplit(int input) {
    TestNode node;
    node.code = kOperatorSplit;
    std::vector<int> shape = At(input).shape;
    const int axis = bytes_.Between(0, static_cast<int>(shape.size()) - 1);
    const int pieces = bytes_.Between(1, 3);
    if (shape[static_cast<size_t>(axis)] % pieces != 0) return;
    shape[static_cast<size_t>(axis)] /= pieces;
    node.inputs = {AddConstant(kTfLiteInt32, {}, {}, BytesOf(std::vector<int32_t>{axis})), input};
    for (int i = 0; i < pieces; ++i) {
      node.outputs.push_back(AddTensor(shape, At(input).scales[0], At(input).zero_points[0]));
      live_.push_back(node.outputs.back());
    }
    graph_.nodes.push_back(std::move(node));
  }

  int AddNumbers(const std::vector<int32_t>& numbers) {
    return AddConstant(kTfLiteInt32, {static_cast<int>(numbers.size())}, {}, BytesOf(numbers));
  }
  int AddNumber(int32_t number) { return AddConstant(kTfLiteInt32, {}, {}, BytesOf(std::vector<int32_t>{number})); }
  // With the input's scale.
  void FinishMove(TestNode node, const std::vector<int>& shape, int input) {
    Finish(std::move(node), shape, At(input).scales[0], At(input).zero_points[0]);
  }
  // Several outputs with the input's scale.
  void FinishParts(TestNode node, const std::vector<std::vector<int>>& shapes, int input) {
    for (const std::vector<int>& shape : shapes) {
      node.outputs.push_back(AddTensor(shape, At(input).scales[0], At(input).zero_points[0]));
      live_.push_back(node.outputs.back());
    }
    graph_.nodes.push_back(std::move(node));
  }
  // The latest of fewer than four dimensions, or `input` where there is none: TFLite's operators take no more than four.
  int WithRoomForADimension(int input) {
    for (size_t i = live_.size(); i-- > 0;) {
      if (At(live_[i]).shape.size() < 4) return live_[i];
    }
    return input;
  }
  int AnyAxis(size_t rank) { return bytes_.Between(0, static_cast<int>(rank) - 1); }
  // The axis, or the same one counted from the end.
  int EitherWay(int axis, size_t rank) { return bytes_.OneIn(3) ? axis - static_cast<int>(rank) : axis; }

  void AddUnary(int input) {
    constexpr int kCodes[] = {kOperatorRelu6,    kOperatorReluN1To1, kOperatorRelu0To1, kOperatorAbs, kOperatorHardSwish,
                              kOperatorQuantize, kOperatorLogistic,  kOperatorTanh,     kOperatorExp, kOperatorGelu};
    TestNode node;
    node.code = bytes_.Pick(kCodes);
    node.inputs = {input};
    const float from = At(input).scales[0];
    float scale = from * std::exp2(static_cast<float>(bytes_.Between(-2, 2)));
    int zero_point = bytes_.Byte() - 128;
    if (node.code == kOperatorLogistic) {
      scale = 1.0f / 256;
      zero_point = -128;
    } else if (node.code == kOperatorTanh) {
      scale = 1.0f / 128;
      zero_point = 0;
    } else if (node.code == kOperatorExp) {
      if (from > 0.05f) return;  // what is no int32
      scale = std::exp(from * static_cast<float>(127 - At(input).zero_points[0])) / 255;
    } else if (node.code == kOperatorHardSwish && scale < from / 128) {
      return;
    }
    node.approximate = bytes_.OneIn(2);
    Finish(node, At(input).shape, scale, zero_point);
  }

  void AddExtremum(int input) {
    TestNode node;
    node.code = bytes_.OneIn(2) ? kOperatorMaximum : kOperatorMinimum;
    node.inputs = {input, Partner(input, true)};
    FinishMove(node, At(input).shape, input);
  }

  void AddSlice(int input) {
    TestNode node;
    node.code = kOperatorSlice;
    std::vector<int> shape = At(input).shape;
    std::vector<int32_t> begin, size;
    for (int& dimension : shape) {
      begin.push_back(std::min(bytes_.Between(0, 2), dimension));
      const int left = dimension - begin.back();
      const bool rest = bytes_.OneIn(2);  // can be resized
      const int count = rest ? left : std::min(left, bytes_.Between(0, 9));
      size.push_back(rest ? -1 : count);
      dimension = count;
    }
    node.inputs = {input, AddNumbers(begin), AddNumbers(size)};
    FinishMove(node, shape, input);
  }

  void AddStridedSlice(int input) {
    TestNode node;
    node.code = kOperatorStridedSlice;
    const std::vector<int> from = At(input).shape;
    std::vector<int> shape;
    std::vector<int32_t> begins, ends, strides;
    for (size_t d = 0; d < from.size(); ++d) {
      const int size = from[d];
      const bool shrinks = bytes_.OneIn(8) && size > 0;
      const int stride = shrinks ? 1 : bytes_.OneIn(4) ? -bytes_.Between(1, 2) : bytes_.Between(1, 3);
      const int begin = shrinks ? bytes_.Between(0, size - 1) : bytes_.Between(-3, 3), end = bytes_.Between(-4, 12);
      begins.push_back(begin);
      ends.push_back(end);
      strides.push_back(stride);
      const bool from_start = bytes_.OneIn(2), to_end = bytes_.OneIn(2);
      node.begin_mask |= static_cast<unsigned>(from_start) << d;
      node.end_mask |= static_cast<unsigned>(to_end) << d;
      node.shrink_mask |= static_cast<unsigned>(shrinks) << d;
      if (shrinks) continue;
      const int low = stride > 0 ? 0 : -1, high = stride > 0 ? size : size - 1;
      const auto place = [&](int number) { return std::min(std::max(number < 0 ? number + size : number, low), high); };
      const int first = from_start ? (stride > 0 ? 0 : size - 1) : place(begin);
      const int last = to_end ? (stride > 0 ? size : -1) : place(end);
      const int span = stride > 0 ? last - first : first - last, step = std::abs(stride);
      shape.push_back(span > 0 ? (span + step - 1) / step : 0);
    }
    if (shape.empty()) return;
    node.inputs = {input, AddNumbers(begins), AddNumbers(ends), AddNumbers(strides)};
    FinishMove(node, shape, input);
  }

  void AddSplitV(int input) {
    TestNode node;
    node.code = kOperatorSplitV;
    const std::vector<int> shape = At(input).shape;
    const int axis = AnyAxis(shape.size());
    const auto d = static_cast<size_t>(axis);
    const int first = std::min(shape[d], bytes_.Between(0, 5));
    const bool open = bytes_.OneIn(2);
    node.inputs = {input, AddNumbers({first, open ? -1 : shape[d] - first}), AddNumber(EitherWay(axis, shape.size()))};
    std::vector<int> one = shape, other = shape;
    one[d] = first;
    other[d] -= first;
    FinishParts(node, {one, other}, input);
  }

  void AddUnpack(int input) {
    TestNode node;
    node.code = kOperatorUnpack;
    std::vector<int> shape = At(input).shape;
    const int axis = AnyAxis(shape.size());
    const int pieces = shape[static_cast<size_t>(axis)];
    if (shape.size() < 2 || pieces < 1 || pieces > 4) return;
    node.axis = EitherWay(axis, shape.size());
    shape.erase(shape.begin() + axis);
    node.inputs = {input};
    FinishParts(node, std::vector<std::vector<int>>(static_cast<size_t>(pieces), shape), input);
  }

  void AddPack(int input) {
    TestNode node;
    node.code = kOperatorPack;
    input = WithRoomForADimension(input);
    std::vector<int> shape = At(input).shape;
    if (shape.size() > 3) return;
    node.inputs = {input, Partner(input, true)};
    const int axis = AnyAxis(shape.size() + 1);
    node.axis = EitherWay(axis, shape.size() + 1);
    shape.insert(shape.begin() + axis, 2);
    FinishMove(node, shape, input);
  }

  void AddBlock(int input) {
    TestNode node;
    std::vector<int> shape = At(input).shape;
    if (shape.size() != 4) return;
    node.block = bytes_.Between(1, 3);
    const int area = node.block * node.block;
    node.inputs = {input};
    if (shape[3] % area == 0 && bytes_.OneIn(2)) {
      node.code = kOperatorDepthToSpace;
      shape = {shape[0], shape[1] * node.block, shape[2] * node.block, shape[3] / area};
    } else if (shape[1] % node.block == 0 && shape[2] % node.block == 0) {
      node.code = kOperatorSpaceToDepth;
      shape = {shape[0], shape[1] / node.block, shape[2] / node.block, shape[3] * area};
    } else {
      return;
    }
    FinishMove(node, shape, input);
  }

  void AddValuedOrMirroredPad(int input) {
    TestNode node;
    std::vector<int> shape = At(input).shape;
    const int rank = static_cast<int>(shape.size());
    const bool mirrors = bytes_.OneIn(2);
    node.code = mirrors ? kOperatorMirrorPad : kOperatorPadv2;
    node.mirror_symmetric = bytes_.OneIn(2);
    std::vector<int32_t> paddings;
    for (int& dimension : shape) {
      const int most = mirrors ? dimension - (node.mirror_symmetric ? 0 : 1) : 2;
      if (most < 0) return;
      for (int side = 0; side < 2; ++side) paddings.push_back(std::min(most, bytes_.Between(0, 2)));
      dimension += paddings[paddings.size() - 1] + paddings[paddings.size() - 2];
    }
    node.inputs = {input, AddConstant(kTfLiteInt32, {rank, 2}, {}, BytesOf(paddings))};
    if (!mirrors) {
      const TestTensor like = At(input);
      node.inputs.push_back(AddConstant(kTfLiteInt8, {1}, like.scales, {bytes_.Byte()}));
      At(node.inputs[2]).zero_points = like.zero_points;
    }
    FinishMove(node, shape, input);
  }

  // EXPAND_DIMS or SQUEEZE.
  void AddOneMoreOrLess(int input) {
    TestNode node;
    const bool expands = bytes_.OneIn(2);
    if (expands) input = WithRoomForADimension(input);
    std::vector<int> shape = At(input).shape;
    node.inputs = {input};
    if (shape.size() < 4 && expands) {
      const int axis = AnyAxis(shape.size() + 1);
      node.code = kOperatorExpandDims;
      node.inputs.push_back(AddNumber(EitherWay(axis, shape.size() + 1)));
      shape.insert(shape.begin() + axis, 1);
    } else {
      const int axis = AnyAxis(shape.size());
      if (shape.size() < 2 || shape[static_cast<size_t>(axis)] != 1) return;
      node.code = kOperatorSqueeze;
      node.squeeze_dims = {EitherWay(axis, shape.size())};
      shape.erase(shape.begin() + axis);
    }
    FinishMove(node, shape, input);
  }

  // Over some dimensions, mostly neighbours.
  void AddReduction(int input) {
    constexpr int kCodes[] = {kOperatorMean, kOperatorReduceMax, kOperatorReduceMin};
    TestNode node;
    node.code = bytes_.Pick(kCodes);
    const std::vector<int> from = At(input).shape;
    node.keep_dims = bytes_.OneIn(2);
    const int first = AnyAxis(from.size()), last = std::min(static_cast<int>(from.size()) - 1, first + bytes_.Between(0, 2));
    const int skipped = bytes_.OneIn(8) ? first + 1 : -1;
    std::vector<int32_t> axes;
    std::vector<int> shape;
    for (int d = 0; d < static_cast<int>(from.size()); ++d) {
      const int size = from[static_cast<size_t>(d)];
      const bool reduced = d >= first && d <= last && d != skipped;
      if (reduced && size == 0) return;
      if (reduced) axes.push_back(EitherWay(d, from.size()));
      if (!reduced || node.keep_dims) shape.push_back(reduced ? 1 : size);
    }
    if (shape.empty()) return;
    node.inputs = {input, AddNumbers(axes)};
    if (node.code != kOperatorMean) return FinishMove(node, shape, input);
    Finish(node, shape, At(input).scales[0] * std::exp2(static_cast<float>(bytes_.Between(-2, 1))), bytes_.Byte() - 128);
  }

  void AddTransposeConv(int input) {
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
    node.inputs = {AddNumbers(std::vector<int32_t>(shape.begin(), shape.end())), AddConstant(kTfLiteInt8, filter_shape, scales, BytesOf(filter)),
                   input};
    if (bytes_.OneIn(2)) AddBias(&node, channels, scales);
    const float spread = std::sqrt(static_cast<float>(taps)) * 74 * At(input).scales[0] * scales[0];
    Finish(node, shape, spread * std::exp2(static_cast<float>(bytes_.Between(-3, 3))), bytes_.Byte() - 128);
  }

  ByteReader& bytes_;
  std::mt19937 random_;  // of weights, which are too many to be drawn from the fuzzer's bytes
  TestGraph graph_;
  std::vector<int> live_;
};

}  // namespace

TestGraph BuildGraph(ByteReader* bytes) { return Builder(bytes).Build(); }

}  // namespace tflite_eq
