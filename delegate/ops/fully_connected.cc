#include "delegate/ops/fully_connected.h"

#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

bool FullyConnected::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteFullyConnectedParams>(node, reason);
  if (parameters == nullptr || !HasTensors(graph, node, 2, 3, reason)) return false;
  const TensorView filter = graph.tensor(node.inputs.at(1, kNoTensor));
  Shape shape;
  if (!HasInt8Type(filter, "filter", reason) || !ReadShape(filter, "filter", &shape, reason)) return false;
  if (shape.rank != 2 || shape.elements() == 0) {
    reason->Set("filter is no matrix");
    return false;
  }
  if (parameters->weights_format != 0) {
    reason->Set("its weights are shuffled");
    return false;
  }
  if (filter.quantization().scales.size() != shape.dims[0] || shape.dims[0] == 1) {
    reason->Set("filter has one scale for all channels: runtimes differ there");
    return false;
  }
  keeps_dimensions_ = parameters->keep_num_dims;
  ConvShape& s = problem_.shape;
  s.output_channels = shape.dims[0];
  s.filter_height = s.filter_width = 1;
  s.input_channels = shape.dims[1];
  padding_ = Padding::kValid;
  return ReadTensors(graph, node, parameters->activation, reason);
}

bool FullyConnected::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  const int depth = problem_.shape.input_channels;
  const int64_t values = inputs[0].elements();
  const bool whole = inputs[0].rank > 0 && inputs[0].dims[inputs[0].rank - 1] == depth;
  if (values % depth != 0 || (keeps_dimensions_ && !whole)) {
    reason->Set("input is not made of vectors of %d", depth);
    return false;
  }
  // Rows of an image, so that threads can share them.
  const Shape image = {4, {1, static_cast<int>(values / depth), 1, depth}};
  Shape ignored;
  if (!Conv2d::Resize(&image, &ignored, reason)) return false;
  if (keeps_dimensions_) {
    *output = inputs[0];
    output->dims[output->rank - 1] = problem_.shape.output_channels;
  } else {
    *output = {2, {image.dims[1], problem_.shape.output_channels}};
  }
  return true;
}

}  // namespace tflite_eq
