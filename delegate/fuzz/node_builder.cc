#include "delegate/fuzz/node_builder.h"

#include <algorithm>
#include <string>

namespace tflite_eq {

void NodeBuilder::AddInputs(int count, const std::vector<int>& shape, float scale, int zero_point) {
  for (int i = 0; i < count; ++i) {
    graph_.inputs.push_back(AddTensor(shape, scale, zero_point));
    live_.push_back(graph_.inputs.back());
  }
}

TestGraph NodeBuilder::Finish() {
  graph_.outputs.push_back(live_.back());
  for (int tensor : live_) {
    if (tensor != live_.back() && bytes_.OneIn(4)) graph_.outputs.push_back(tensor);
  }
  return std::move(graph_);
}

int NodeBuilder::AddTensor(const std::vector<int>& shape, float scale, int zero_point) {
  TestTensor tensor;
  tensor.name += std::to_string(graph_.tensors.size());
  tensor.shape = shape;
  tensor.scales = {scale};
  tensor.zero_points = {zero_point};
  graph_.tensors.push_back(tensor);
  return static_cast<int>(graph_.tensors.size()) - 1;
}

int NodeBuilder::AddConstant(int32_t type, const std::vector<int>& shape, const std::vector<float>& scales, std::vector<uint8_t> data) {
  const int index = AddTensor(shape, 1, 0);
  TestTensor& tensor = graph_.tensors.back();
  tensor.type = type;
  tensor.scales = scales;
  tensor.zero_points.assign(scales.size(), 0);
  tensor.constant = true;
  tensor.data = std::move(data);
  return index;
}

int NodeBuilder::AddNumbers(const std::vector<int32_t>& numbers) {
  return AddConstant(kTfLiteInt32, {static_cast<int>(numbers.size())}, {}, BytesOf(numbers));
}

int NodeBuilder::AddNumber(int32_t number) { return AddConstant(kTfLiteInt32, {}, {}, BytesOf(std::vector<int32_t>{number})); }

int NodeBuilder::LiveTensor() {
  const int recent = std::min<int>(static_cast<int>(live_.size()), 3);
  return live_[live_.size() - 1 - static_cast<size_t>(bytes_.Byte() % recent)];
}

int NodeBuilder::Partner(int input, bool same_scale) {
  std::vector<int> partners;
  for (int tensor : live_) {
    if (At(tensor).shape != At(input).shape) continue;
    if (same_scale && (At(tensor).scales != At(input).scales || At(tensor).zero_points != At(input).zero_points)) continue;
    partners.push_back(tensor);
  }
  return partners[bytes_.Byte() % partners.size()];
}

int NodeBuilder::WithRoomForADimension(int input) {
  for (size_t i = live_.size(); i-- > 0;) {
    if (At(live_[i]).shape.size() < 4) return live_[i];
  }
  return input;
}

void NodeBuilder::Add(TestNode node, const std::vector<int>& shape, float scale, int zero_point) {
  node.outputs = {AddTensor(shape, scale, zero_point)};
  live_.push_back(node.outputs[0]);
  graph_.nodes.push_back(std::move(node));
}

void NodeBuilder::AddMove(TestNode node, const std::vector<int>& shape, int input) {
  Add(std::move(node), shape, At(input).scales[0], At(input).zero_points[0]);
}

void NodeBuilder::AddParts(TestNode node, const std::vector<std::vector<int>>& shapes, int input) {
  for (const std::vector<int>& shape : shapes) {
    node.outputs.push_back(AddTensor(shape, At(input).scales[0], At(input).zero_points[0]));
    live_.push_back(node.outputs.back());
  }
  graph_.nodes.push_back(std::move(node));
}

}  // namespace tflite_eq
