// Operators that make one code of one, or of two in the same place.
#include "delegate/fuzz/node_builder.h"

#include <algorithm>
#include <cmath>

namespace tflite_eq {

void NodeBuilder::AddCombination(int input, int code) {
  TestNode node;
  node.code = code;
  node.inputs = {input, Partner(input, false)};
  node.geometry.activation = bytes_.Pick(kActivations);
  const float first = At(input).scales[0], second = At(node.inputs[1]).scales[0];
  const float scale = code == kOperatorMul ? first * second * 40 : std::max(first, second);
  Add(node, At(input).shape, scale * std::exp2(static_cast<float>(bytes_.Between(-1, 1))), bytes_.Byte() - 128);
}

void NodeBuilder::AddExtremum(int input) {
  TestNode node;
  node.code = bytes_.OneIn(2) ? kOperatorMaximum : kOperatorMinimum;
  node.inputs = {input, Partner(input, true)};
  AddMove(node, At(input).shape, input);
}

void NodeBuilder::AddLeakyRelu(int input) {
  TestNode node;
  node.code = kOperatorLeakyRelu;
  node.inputs = {input};
  const int slope = bytes_.Between(-8, 40);
  // Of negative ones no products are halves: runtimes do not agree on those.
  node.alpha = static_cast<float>(slope) * (slope < 0 ? 0.0311f : 1.0f / 32);
  Add(node, At(input).shape, At(input).scales[0] * (bytes_.OneIn(2) ? 1.0f : 0.7f), bytes_.Byte() - 128);
}

void NodeBuilder::AddPrelu(int input) {
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
  Add(node, shape, At(input).scales[0] * (same ? 1.0f : 0.7f), same ? At(input).zero_points[0] : bytes_.Byte() - 128);
}

void NodeBuilder::AddRelu(int input) {
  TestNode node;
  node.code = kOperatorRelu;
  node.inputs = {input};
  const bool same = bytes_.OneIn(2);
  Add(node, At(input).shape, At(input).scales[0] * (same ? 1.0f : 0.7f), same ? At(input).zero_points[0] : bytes_.Byte() - 128);
}

void NodeBuilder::AddUnary(int input) {
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
  Add(node, At(input).shape, scale, zero_point);
}

}  // namespace tflite_eq
