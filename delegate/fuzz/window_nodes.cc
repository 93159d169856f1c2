// Operators that make one value of several: pools, means and extrema over dimensions, resizes.
#include "delegate/fuzz/node_builder.h"

#include <algorithm>
#include <cmath>

namespace tflite_eq {

void NodeBuilder::AddPool(int input, int code) {
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
  Add(node, {shape[0], static_cast<int>(rows), static_cast<int>(columns), shape[3]}, At(input).scales[0],
         At(input).zero_points[0]);
}

void NodeBuilder::AddMean(int input) {
  TestNode node;
  node.code = kOperatorMean;
  const std::vector<int> shape = At(input).shape;
  if (shape.size() != 4) return;
  node.keep_dims = !bytes_.OneIn(2);
  node.inputs = {input, AddConstant(kTfLiteInt32, {2}, {}, BytesOf(std::vector<int32_t>{1, 2}))};
  Add(node, node.keep_dims ? std::vector<int>{shape[0], 1, 1, shape[3]} : std::vector<int>{shape[0], shape[3]},
         At(input).scales[0] * std::exp2(static_cast<float>(bytes_.Between(-2, 1))), bytes_.Byte() - 128);
}

void NodeBuilder::AddReduction(int input) {
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
  if (node.code != kOperatorMean) return AddMove(node, shape, input);
  Add(node, shape, At(input).scales[0] * std::exp2(static_cast<float>(bytes_.Between(-2, 1))), bytes_.Byte() - 128);
}

void NodeBuilder::AddResize(int input) {
  TestNode node;
  node.code = bytes_.OneIn(2) ? kOperatorResizeBilinear : kOperatorResizeNearestNeighbor;
  const std::vector<int> shape = At(input).shape;
  if (shape.size() != 4) return;
  node.align_corners = bytes_.OneIn(3);
  node.half_pixel_centers = !node.align_corners && bytes_.OneIn(2);
  const std::vector<int32_t> size = {bytes_.Between(1, 16), bytes_.Between(1, 16)};
  node.inputs = {input, AddConstant(kTfLiteInt32, {2}, {}, BytesOf(size))};
  Add(node, {shape[0], size[0], size[1], shape[3]}, At(input).scales[0], At(input).zero_points[0]);
}

}  // namespace tflite_eq
