// Operators that take codes in another order, or a part of them.
#include "delegate/fuzz/node_builder.h"

#include <algorithm>
#include <cstdlib>

namespace tflite_eq {

void NodeBuilder::AddPad(int input) {
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
  Add(node, shape, At(input).scales[0], At(input).zero_points[0]);
}

void NodeBuilder::AddValuedOrMirroredPad(int input) {
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
  AddMove(node, shape, input);
}

void NodeBuilder::AddConcatenation(int input) {
  TestNode node;
  node.code = kOperatorConcatenation;
  node.inputs = {input, Partner(input, true)};
  std::vector<int> shape = At(input).shape;
  node.axis = bytes_.Between(0, static_cast<int>(shape.size()) - 1);
  shape[node.axis] *= 2;
  Add(node, shape, At(input).scales[0], At(input).zero_points[0]);
}

void NodeBuilder::AddPack(int input) {
  TestNode node;
  node.code = kOperatorPack;
  input = WithRoomForADimension(input);
  std::vector<int> shape = At(input).shape;
  if (shape.size() > 3) return;
  node.inputs = {input, Partner(input, true)};
  const int axis = AnyAxis(shape.size() + 1);
  node.axis = EitherWay(axis, shape.size() + 1);
  shape.insert(shape.begin() + axis, 2);
  AddMove(node, shape, input);
}

void NodeBuilder::AddUnpack(int input) {
  TestNode node;
  node.code = kOperatorUnpack;
  std::vector<int> shape = At(input).shape;
  const int axis = AnyAxis(shape.size());
  const int pieces = shape[static_cast<size_t>(axis)];
  if (shape.size() < 2 || pieces < 1 || pieces > 4) return;
  node.axis = EitherWay(axis, shape.size());
  shape.erase(shape.begin() + axis);
  node.inputs = {input};
  AddParts(node, std::vector<std::vector<int>>(static_cast<size_t>(pieces), shape), input);
}

void NodeBuilder::AddSplit(int input) {
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

void NodeBuilder::AddSplitV(int input) {
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
  AddParts(node, {one, other}, input);
}

void NodeBuilder::AddSlice(int input) {
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
  AddMove(node, shape, input);
}

void NodeBuilder::AddStridedSlice(int input) {
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
  AddMove(node, shape, input);
}

void NodeBuilder::AddReshape(int input) {
  TestNode node;
  node.code = kOperatorReshape;
  std::vector<int> shape = At(input).shape;
  if (shape.size() != 4) return;
  std::swap(shape[1], shape[2]);
  std::vector<int32_t> sizes(shape.begin(), shape.end());
  if (bytes_.OneIn(2)) sizes[1] = -1;  // can be resized
  const int second = AddConstant(kTfLiteInt32, {4}, {}, BytesOf(sizes));
  node.inputs = {input, second};
  Add(node, shape, At(input).scales[0], At(input).zero_points[0]);
}

void NodeBuilder::AddOneMoreOrLess(int input) {
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
  AddMove(node, shape, input);
}

void NodeBuilder::AddTranspose(int input) {
  TestNode node;
  node.code = kOperatorTranspose;
  const std::vector<int> from = At(input).shape;
  std::vector<int32_t> order(from.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
  for (size_t i = 1; i < order.size(); ++i) std::swap(order[i], order[static_cast<size_t>(bytes_.Between(0, static_cast<int>(i)))]);
  std::vector<int> shape;
  for (int32_t d : order) shape.push_back(from[static_cast<size_t>(d)]);
  node.inputs = {input, AddConstant(kTfLiteInt32, {static_cast<int>(order.size())}, {}, BytesOf(order))};
  Add(node, shape, At(input).scales[0], At(input).zero_points[0]);
}

void NodeBuilder::AddBlock(int input) {
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
  AddMove(node, shape, input);
}

void NodeBuilder::MakeInput(int tensor) {
  At(tensor).constant = false;
  At(tensor).data.clear();
  graph_.inputs.push_back(tensor);
}

}  // namespace tflite_eq
