// A graph of int8 operators that a fuzzer's bytes make grow: each node reads what was written before it. The functions are in files of
// their kinds: filter_nodes.cc, window_nodes.cc, elementwise_nodes.cc, movement_nodes.cc.
#ifndef TFLITE_EQ_DELEGATE_FUZZ_NODE_BUILDER_H_
#define TFLITE_EQ_DELEGATE_FUZZ_NODE_BUILDER_H_

#include <cstdint>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "delegate/fuzz/byte_reader.h"
#include "delegate/testing/graph.h"

namespace tflite_eq {

inline constexpr int kChannels[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 24, 32, 33};
inline constexpr int32_t kActivations[] = {kTfLiteActNone, kTfLiteActNone, kTfLiteActRelu, kTfLiteActRelu6, kTfLiteActReluN1To1};

inline int64_t Extent(int64_t input, int64_t filter, int64_t stride, int64_t dilation, int32_t padding) {
  const int64_t reach = (filter - 1) * dilation + 1;
  return (input + stride - (padding == kTfLitePaddingSame ? 1 : reach)) / stride;
}

template <typename T>
std::vector<uint8_t> BytesOf(const std::vector<T>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  if (!bytes.empty()) memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

class NodeBuilder {
 public:
  explicit NodeBuilder(ByteReader* bytes) : bytes_(*bytes), random_(bytes->Word()) {}

  // Inputs of one shape and quantization.
  void AddInputs(int count, const std::vector<int>& shape, float scale, int zero_point);
  // The last tensor that was written, and some of the others.
  TestGraph Finish();

  // One that was written lately, so that graphs are long rather than wide.
  int LiveTensor();

  // A node that reads the tensor; or none, where the operator takes no such tensor.
  void AddConv(int input, bool depthwise);
  void AddTransposeConv(int input);
  void AddPool(int input, int code);
  void AddMean(int input);
  // Over some dimensions, mostly neighbours.
  void AddReduction(int input);
  void AddResize(int input);
  void AddCombination(int input, int code);
  void AddExtremum(int input);
  void AddLeakyRelu(int input);
  void AddPrelu(int input);
  void AddRelu(int input);
  void AddUnary(int input);
  // By constants, or by another input of the graph: then the output's shape is known only when the operator runs.
  void AddPad(int input);
  void AddValuedOrMirroredPad(int input);
  void AddConcatenation(int input);
  void AddPack(int input);
  void AddUnpack(int input);
  void AddSplit(int input);
  void AddSplitV(int input);
  void AddSlice(int input);
  void AddStridedSlice(int input);
  void AddReshape(int input);
  // EXPAND_DIMS or SQUEEZE.
  void AddOneMoreOrLess(int input);
  void AddTranspose(int input);
  void AddBlock(int input);

 private:
  int AddTensor(const std::vector<int>& shape, float scale, int zero_point);
  int AddConstant(int32_t type, const std::vector<int>& shape, const std::vector<float>& scales, std::vector<uint8_t> data);
  int AddNumbers(const std::vector<int32_t>& numbers);
  int AddNumber(int32_t number);
  // A live tensor of the same shape, the input itself at worst.
  int Partner(int input, bool same_scale);
  // The latest of fewer than four dimensions, or `input` where there is none: TFLite's operators take no more than four.
  int WithRoomForADimension(int input);
  void Add(TestNode node, const std::vector<int>& shape, float scale, int zero_point);
  // With the input's scale.
  void AddMove(TestNode node, const std::vector<int>& shape, int input);
  // Several outputs with the input's scale.
  void AddParts(TestNode node, const std::vector<std::vector<int>>& shapes, int input);
  void PickGeometry(TestNode* node, int* filter_height, int* filter_width);
  std::vector<float> FilterScales(int channels);
  void AddBias(TestNode* node, int channels, const std::vector<float>& scales);
  void MakeInput(int tensor);
  TestTensor& At(int tensor) { return graph_.tensors[tensor]; }
  int AnyAxis(size_t rank) { return bytes_.Between(0, static_cast<int>(rank) - 1); }
  // The axis, or the same one counted from the end.
  int EitherWay(int axis, size_t rank) { return bytes_.OneIn(3) ? axis - static_cast<int>(rank) : axis; }
  static int64_t Elements(const std::vector<int>& shape) {
    int64_t count = 1;
    for (int size : shape) count *= size;
    return count;
  }

  ByteReader& bytes_;
  std::mt19937 random_;  // of weights, which are too many to be drawn from the fuzzer's bytes
  TestGraph graph_;
  std::vector<int> live_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_FUZZ_NODE_BUILDER_H_
