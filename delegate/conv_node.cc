#include "delegate/conv_node.h"

#include <limits.h>

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/requantize.h"

namespace tflite_eq {
namespace {

const char* TypeName(int32_t type) {
  switch (type) {
    case kTfLiteFloat32:
      return "float32";
    case kTfLiteInt32:
      return "int32";
    case kTfLiteInt16:
      return "int16";
    case kTfLiteInt8:
      return "int8";
    default:
      return "another type";
  }
}

bool HasInt8Type(TensorView tensor, const char* role, Reason* reason) {
  if (tensor.type() == kTfLiteInt8) return true;
  reason->Set("%s is %s, not int8", role, TypeName(tensor.type()));
  return false;
}

// Dimensions of at least `least`.
bool HasFourDimensions(TensorView tensor, const char* role, int least, Reason* reason) {
  const IntView shape = tensor.shape();
  if (shape.size() != 4) {
    reason->Set("%s has %d dimensions, not 4", role, shape.size());
    return false;
  }
  for (int dimension : shape) {
    if (dimension < least) {
      reason->Set("%s has a dimension of %d", role, dimension);
      return false;
    }
  }
  return true;
}

bool HasQuantization(const QuantizationView& quantization, const char* role, Reason* reason) {
  const int scales = quantization.scales.size();
  if (scales < 1 || quantization.zero_points.size() < 1) {
    reason->Set("%s has no affine quantization", role);
    return false;
  }
  // One stands for all of them.
  if (quantization.zero_points.size() != 1 && quantization.zero_points.size() != scales) {
    reason->Set("%s has %d zero points for %d scales", role, quantization.zero_points.size(), scales);
    return false;
  }
  return true;
}

// Kernels read the scale and the zero point of a tensor that is quantized as a whole in a place of their own.
bool PerTensor(TensorView tensor, const char* role, Reason* reason) {
  const QuantizationView quantization = tensor.quantization();
  if (!HasQuantization(quantization, role, reason)) return false;
  if (quantization.scales.size() != 1 || !(tensor.scale() > 0) || tensor.zero_point() < -128 || tensor.zero_point() > 127) {
    reason->Set("%s is not quantized per tensor with a positive scale and an int8 zero point", role);
    return false;
  }
  if (tensor.scale() != quantization.scales.at(0, 0) || tensor.zero_point() != quantization.zero_points.at(0, 0)) {
    reason->Set("%s says that it has scale %g, zero point %d, and scale %g, zero point %d", role, tensor.scale(),
                tensor.zero_point(), quantization.scales.at(0, 0), quantization.zero_points.at(0, 0));
    return false;
  }
  return true;
}

}  // namespace

bool ConvNode::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  input_ = node.inputs.at(0, kNoTensor);
  output_ = node.outputs.at(0, kNoTensor);
  const int bias_index = node.inputs.at(2, kNoTensor);
  const TensorView input = graph.tensor(input_);
  const TensorView filter = graph.tensor(node.inputs.at(1, kNoTensor));
  const TensorView bias = graph.tensor(bias_index);
  const TensorView output = graph.tensor(output_);
  const auto* parameters = static_cast<const TfLiteConvParams*>(node.parameters);
  if (!input.exists() || !filter.exists() || !output.exists() || parameters == nullptr ||
      (bias_index != kNoTensor && !bias.exists())) {
    reason->Set("malformed node: a tensor or the parameters are missing");
    return false;
  }
  if (node.inputs.size() > 3 || node.outputs.size() != 1) {
    reason->Set("malformed node: %d inputs and %d outputs, not 3 and 1", node.inputs.size(), node.outputs.size());
    return false;
  }
  if (input.is_variable() || output.is_variable()) {
    reason->Set("%s is a variable", input.is_variable() ? "input" : "output");
    return false;
  }
  return HasInt8Type(input, "input", reason) && HasInt8Type(filter, "filter", reason) &&
         HasInt8Type(output, "output", reason) && ReadShape(input, filter, output, *parameters, reason) &&
         ReadWeights(filter, bias, reason) && ReadQuantization(input, filter, output, *parameters, reason);
}

bool ConvNode::ReadShape(TensorView input, TensorView filter, TensorView output, const TfLiteConvParams& parameters,
                         Reason* reason) {
  // Of the output's shape only the rank counts: the runtime asks for the rest once it knows the input's.
  if (!HasFourDimensions(input, "input", 0, reason) || !HasFourDimensions(filter, "filter", 1, reason) ||
      !HasFourDimensions(output, "output", INT_MIN, reason)) {
    return false;
  }
  ConvShape& s = problem_.shape;
  const int* in = input.shape().begin();
  const int* taps = filter.shape().begin();
  s.input_channels = in[3];
  s.output_channels = taps[0];
  s.filter_height = taps[1];
  s.filter_width = taps[2];
  if (taps[3] != s.input_channels) {
    reason->Set("grouped convolution: filter has %d input channels, input %d", taps[3], s.input_channels);
    return false;
  }
  s.stride_height = parameters.stride_height;
  s.stride_width = parameters.stride_width;
  s.dilation_height = parameters.dilation_height_factor;
  s.dilation_width = parameters.dilation_width_factor;
  if (parameters.padding != kTfLitePaddingSame && parameters.padding != kTfLitePaddingValid) {
    reason->Set("unknown padding %d", parameters.padding);
    return false;
  }
  padding_ = parameters.padding == kTfLitePaddingSame ? Padding::kSame : Padding::kValid;
  if (!Resize(in[0], in[1], in[2], reason)) return false;
  // Legal, but a model that is made for it was not meant so.
  if (s.input_height > 0 && s.input_width > 0 && (s.output_height < 1 || s.output_width < 1)) {
    reason->Set("a %dx%d input is smaller than the filter", s.input_height, s.input_width);
    return false;
  }
  return true;
}

// Sizes are within kLargestSize once there is a shape.
bool ConvNode::ReadWeights(TensorView filter, TensorView bias, Reason* reason) {
  if (!filter.is_constant() || filter.data() == nullptr) {
    reason->Set("filter is not constant");
    return false;
  }
  if (filter.is_sparse()) {
    reason->Set("filter is sparse");
    return false;
  }
  if (bias.exists() && (bias.type() != kTfLiteInt32 || !bias.is_constant() || bias.data() == nullptr || bias.is_sparse())) {
    reason->Set("bias is not a constant int32 tensor");
    return false;
  }
  const ConvShape& s = problem_.shape;
  const auto channels = static_cast<size_t>(s.output_channels);
  if (filter.bytes() < channels * static_cast<size_t>(s.filter_size()) ||
      (bias.exists() && bias.bytes() < channels * sizeof(int32_t))) {
    reason->Set("filter or bias holds fewer values than its shape says");
    return false;
  }
  problem_.weights.filter = static_cast<const int8_t*>(filter.data());
  problem_.weights.bias = bias.exists() ? static_cast<const int32_t*>(bias.data()) : nullptr;
  return true;
}

bool ConvNode::Resize(int batch, int height, int width, Reason* reason) {
  ConvShape& s = problem_.shape;
  s.batch = batch;
  s.input_height = height;
  s.input_width = width;
  return ResolvePadding(padding_, &s, reason);
}

bool ConvNode::ReadQuantization(TensorView input, TensorView filter, TensorView output, const TfLiteConvParams& parameters,
                                Reason* reason) {
  if (!PerTensor(input, "input", reason) || !PerTensor(output, "output", reason)) return false;
  const QuantizationView weights = filter.quantization();
  if (!HasQuantization(weights, "filter", reason)) return false;
  const int channels = problem_.shape.output_channels;
  const int scales = weights.scales.size();
  if (scales != 1 && (scales != channels || weights.dimension != 0)) {
    reason->Set("filter has %d scales along dimension %d for %d output channels", scales, weights.dimension, channels);
    return false;
  }
  for (int i = 0; i < scales; ++i) {
    const int zero_point = weights.zero_points.at(i, 0);
    if (zero_point == 0) continue;
    reason->Set("filter has zero point %d in channel %d", zero_point, i);
    return false;
  }
  if (parameters.activation < kTfLiteActNone || parameters.activation > kTfLiteActRelu6) {
    reason->Set("fused activation %d is none of none, relu, relu6, relu_n1_to_1", parameters.activation);
    return false;
  }
  if (!multiplier_.Allocate(channels) || !shift_.Allocate(channels)) {
    reason->Set("out of memory");
    return false;
  }
  for (int k = 0; k < channels; ++k) {
    const float scale = weights.scales.at(scales == 1 ? 0 : k, 0);
    const double effective = EffectiveScale(input.scale(), scale, output.scale());
    // Negated so that a NaN is refused too. Scales from 2^30 on have no fixed-point form.
    if (!(effective >= 0 && effective < 1 << 30)) {
      reason->Set("channel %d has an effective scale of %g", k, effective);
      return false;
    }
    int shift;
    QuantizeMultiplier(effective, &multiplier_[k], &shift);
    shift_[k] = shift;
  }
  constexpr Activation kActivations[] = {Activation::kNone, Activation::kRelu, Activation::kReluN1To1, Activation::kRelu6};
  ConvQuantization& q = problem_.quantization;
  q.input_zero_point = input.zero_point();
  q.output_zero_point = output.zero_point();
  ActivationRange(kActivations[parameters.activation], output.scale(), q.output_zero_point, &q.activation_min,
                  &q.activation_max);
  q.multiplier = multiplier_.begin();
  q.shift = shift_.begin();
  return true;
}

namespace {

// The CPU as far as the options let it be used.
CpuProfile Allowed(const DelegateOptions& options, const CpuProfile& cpu) {
  CpuProfile allowed = cpu;
  if (!options.any_isa && options.isa != cpu.isa) {
    allowed.isa = options.isa;
    allowed.two_vnni_units = false;
    if (allowed.peer == Peer::kAvx512) allowed.peer = Peer::kSameInstructions;
  }
  return allowed;
}

}  // namespace

// A batch of 0 stands for one that is not known yet: the layer is judged by one image.
ConvProblem ConvNode::Judged() const {
  ConvProblem judged = problem_;
  if (judged.shape.batch == 0) judged.shape.batch = 1;
  return judged;
}

Plan ConvNode::Choose(const DelegateOptions& options, const CpuProfile& cpu) const {
  const CpuProfile allowed = Allowed(options, cpu);
  if (options.any_kernel) {
    const ConvProblem judged = Judged();
    if (!IsEmpty(judged.shape)) return ChooseKernel(judged, allowed);
    Plan plan;
    plan.reason.Set("an input of %dx%d gives nothing to compute", judged.shape.input_height, judged.shape.input_width);
    return plan;
  }
  return ForceBestKernel(problem_, options.kernel, allowed.isa);
}

Plan ConvNode::Insist(const DelegateOptions& options, const CpuProfile& cpu) const {
  if (!options.any_kernel) return Choose(options, cpu);
  return InsistOnKernel(Judged(), Allowed(options, cpu));
}

}  // namespace tflite_eq
