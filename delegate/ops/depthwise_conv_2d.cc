#include "delegate/ops/depthwise_conv_2d.h"

#include <limits.h>

#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

bool DepthwiseConv2d::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteDepthwiseConvParams>(node, reason);
  if (parameters == nullptr || !HasTensors(graph, node, 2, 3, reason)) return false;
  const TensorView input = graph.tensor(node.inputs.at(0, kNoTensor));
  const TensorView filter = graph.tensor(node.inputs.at(1, kNoTensor));
  Shape shape;
  if (!HasInt8Type(input, "input", reason) || !HasInt8Type(filter, "filter", reason) ||
      !HasFourDimensions(input, "input", 0, reason) || !HasFourDimensions(filter, "filter", 1, reason) ||
      !ReadShape(filter, "filter", &shape, reason)) {
    return false;
  }
  ConvShape& s = problem_.shape;
  s.depthwise = true;
  s.input_channels = input.shape().at(3, 0);
  s.filter_height = shape.dims[1];
  s.filter_width = shape.dims[2];
  s.output_channels = shape.dims[3];
  if (shape.dims[0] != 1 || int64_t{s.input_channels} * parameters->depth_multiplier != s.output_channels) {
    reason->Set("filter of %d x %d channels, for %d of the input times %d", shape.dims[0], s.output_channels, s.input_channels,
                parameters->depth_multiplier);
    return false;
  }
  s.stride_height = parameters->stride_height;
  s.stride_width = parameters->stride_width;
  s.dilation_height = parameters->dilation_height_factor;
  s.dilation_width = parameters->dilation_width_factor;
  return ReadPadding(parameters->padding, reason) && ReadTensors(graph, node, {}, parameters->activation, reason);
}

Worth DepthwiseConv2d::Judge(const Environment& environment, bool insist) const {
  Worth worth = Conv2d::Judge(environment, insist);
  const ConvShape& s = problem_.shape;
  const double outputs = static_cast<double>(s.batch) * s.output_height * s.output_width * s.output_channels;
  worth.runtime = CostsOf(AllowedCpu(environment)).depthwise.peer * outputs * s.filter_height * s.filter_width;
  return worth;
}

int DepthwiseConv2d::channelwise() const {
  const ConvShape& s = problem_.shape;
  const bool looks_at_one = s.filter_height == 1 && s.filter_width == 1 && s.stride_height == 1 && s.stride_width == 1;
  return looks_at_one && s.input_channels == s.output_channels ? s.output_channels : 0;
}

}  // namespace tflite_eq
