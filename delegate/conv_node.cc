#include "delegate/conv_node.h"

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/requantize.h"

namespace tflite_eq {
namespace {

constexpr int kOptionalTensor = -1;

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

const TfLiteTensor* TensorAt(const TfLiteContext& context, const TfLiteIntArray* indices, int i) {
  if (indices == nullptr || i >= indices->size) return nullptr;
  const int index = indices->data[i];
  if (index < 0 || static_cast<size_t>(index) >= context.tensors_size) return nullptr;
  return &context.tensors[index];
}

bool HasInt8Type(const TfLiteTensor& tensor, const char* role, Reason* reason) {
  if (tensor.type == kTfLiteInt8) return true;
  reason->Set("%s is %s, not int8", role, TypeName(tensor.type));
  return false;
}

bool HasFourDimensions(const TfLiteTensor& tensor, const char* role, Reason* reason) {
  if (tensor.dims == nullptr || tensor.dims->size != 4) {
    reason->Set("%s has %d dimensions, not 4", role, tensor.dims != nullptr ? tensor.dims->size : 0);
    return false;
  }
  for (int i = 0; i < 4; ++i) {
    if (tensor.dims->data[i] < 1) {
      reason->Set("%s has a dimension of %d", role, tensor.dims->data[i]);
      return false;
    }
  }
  return true;
}

const TfLiteAffineQuantizationParams* AffineQuantization(const TfLiteTensor& tensor, const char* role, Reason* reason) {
  const auto* affine = static_cast<const TfLiteAffineQuantizationParams*>(tensor.quantization.params);
  if (tensor.quantization.type != kTfLiteAffineQuantization || affine == nullptr || affine->scale == nullptr ||
      affine->zero_point == nullptr || affine->scale->size < 1) {
    reason->Set("%s has no affine quantization", role);
    return nullptr;
  }
  return affine;
}

bool PerTensor(const TfLiteTensor& tensor, const char* role, Reason* reason) {
  const TfLiteAffineQuantizationParams* affine = AffineQuantization(tensor, role, reason);
  if (affine == nullptr) return false;
  if (affine->scale->size != 1 || !(tensor.params.scale > 0) || tensor.params.zero_point < -128 ||
      tensor.params.zero_point > 127) {
    reason->Set("%s is not quantized per tensor with a positive scale and an int8 zero point", role);
    return false;
  }
  return true;
}

}  // namespace

bool ConvNode::Read(const TfLiteContext& context, const TfLiteNode& node, Reason* reason) {
  const TfLiteTensor* input = TensorAt(context, node.inputs, 0);
  const TfLiteTensor* filter = TensorAt(context, node.inputs, 1);
  const TfLiteTensor* output = TensorAt(context, node.outputs, 0);
  const auto* parameters = static_cast<const TfLiteConvParams*>(node.builtin_data);
  if (input == nullptr || filter == nullptr || output == nullptr || parameters == nullptr) {
    reason->Set("malformed node: a tensor or the parameters are missing");
    return false;
  }
  if (!HasInt8Type(*input, "input", reason) || !HasInt8Type(*filter, "filter", reason) ||
      !HasInt8Type(*output, "output", reason)) {
    return false;
  }
  if (filter->allocation_type != kTfLiteMmapRo || filter->data.raw == nullptr) {
    reason->Set("filter is not constant");
    return false;
  }
  const bool has_bias = node.inputs->size > 2 && node.inputs->data[2] != kOptionalTensor;
  const TfLiteTensor* bias = has_bias ? TensorAt(context, node.inputs, 2) : nullptr;
  if (has_bias && (bias == nullptr || bias->type != kTfLiteInt32 || bias->allocation_type != kTfLiteMmapRo ||
                   bias->data.raw == nullptr)) {
    reason->Set("bias is not a constant int32 tensor");
    return false;
  }
  if (!ReadShape(*input, *filter, *output, *parameters, reason)) return false;
  const size_t channels = static_cast<size_t>(problem_.shape.output_channels);
  if (filter->bytes < channels * problem_.shape.filter_size() ||
      (bias != nullptr && bias->bytes < channels * sizeof(int32_t))) {
    reason->Set("filter or bias holds fewer values than its shape says");
    return false;
  }
  problem_.weights.filter = filter->data.int8;
  problem_.weights.bias = bias != nullptr ? bias->data.i32 : nullptr;
  input_ = node.inputs->data[0];
  output_ = node.outputs->data[0];
  return ReadQuantization(*input, *filter, *output, *parameters, reason);
}

bool ConvNode::ReadShape(const TfLiteTensor& input, const TfLiteTensor& filter, const TfLiteTensor& output,
                         const TfLiteConvParams& parameters, Reason* reason) {
  if (!HasFourDimensions(input, "input", reason) || !HasFourDimensions(filter, "filter", reason) ||
      !HasFourDimensions(output, "output", reason)) {
    return false;
  }
  ConvShape& s = problem_.shape;
  s.input_channels = input.dims->data[3];
  s.output_channels = filter.dims->data[0];
  s.filter_height = filter.dims->data[1];
  s.filter_width = filter.dims->data[2];
  if (filter.dims->data[3] != s.input_channels) {
    reason->Set("grouped convolution: filter has %d input channels, input %d", filter.dims->data[3], s.input_channels);
    return false;
  }
  s.stride_height = parameters.stride_height;
  s.stride_width = parameters.stride_width;
  s.dilation_height = parameters.dilation_height_factor;
  s.dilation_width = parameters.dilation_width_factor;
  if (s.stride_height < 1 || s.stride_width < 1 || s.dilation_height < 1 || s.dilation_width < 1) {
    reason->Set("strides %dx%d, dilations %dx%d", s.stride_height, s.stride_width, s.dilation_height, s.dilation_width);
    return false;
  }
  if (parameters.padding != kTfLitePaddingSame && parameters.padding != kTfLitePaddingValid) {
    reason->Set("unknown padding %d", parameters.padding);
    return false;
  }
  padding_ = parameters.padding == kTfLitePaddingSame ? Padding::kSame : Padding::kValid;
  return Resize(input.dims->data[0], input.dims->data[1], input.dims->data[2], reason);
}

bool ConvNode::Resize(int batch, int height, int width, Reason* reason) {
  ConvShape& s = problem_.shape;
  s.batch = batch;
  s.input_height = height;
  s.input_width = width;
  if (!ResolvePadding(padding_, &s, reason)) return false;
  if (s.output_height < 1 || s.output_width < 1) {
    reason->Set("a %dx%d input is smaller than the filter", height, width);
    return false;
  }
  return true;
}

bool ConvNode::ReadQuantization(const TfLiteTensor& input, const TfLiteTensor& filter, const TfLiteTensor& output,
                                const TfLiteConvParams& parameters, Reason* reason) {
  if (!PerTensor(input, "input", reason) || !PerTensor(output, "output", reason)) return false;
  const TfLiteAffineQuantizationParams* scales = AffineQuantization(filter, "filter", reason);
  if (scales == nullptr) return false;
  const int channels = problem_.shape.output_channels;
  if (scales->scale->size != 1 && (scales->scale->size != channels || scales->quantized_dimension != 0)) {
    reason->Set("filter has %d scales along dimension %d for %d output channels", scales->scale->size,
                scales->quantized_dimension, channels);
    return false;
  }
  for (int i = 0; i < scales->zero_point->size; ++i) {
    if (scales->zero_point->data[i] != 0) {
      reason->Set("filter has zero point %d in channel %d", scales->zero_point->data[i], i);
      return false;
    }
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
    const float scale = scales->scale->data[scales->scale->size == 1 ? 0 : k];
    const double effective = EffectiveScale(input.params.scale, scale, output.params.scale);
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
  q.input_zero_point = input.params.zero_point;
  q.output_zero_point = output.params.zero_point;
  ActivationRange(kActivations[parameters.activation], output.params.scale, q.output_zero_point, &q.activation_min,
                  &q.activation_max);
  q.multiplier = multiplier_.begin();
  q.shift = shift_.begin();
  return true;
}

Plan ConvNode::Choose(const DelegateOptions& options, const CpuProfile& cpu) const {
  CpuProfile allowed = cpu;
  if (!options.any_isa) {
    allowed.isa = options.isa;
    allowed.two_vnni_units = cpu.two_vnni_units && options.isa == cpu.isa;
  }
  if (options.any_kernel) return ChooseKernel(problem_, allowed);
  // A named kernel on the best instruction set it is written for.
  for (int isa = static_cast<int>(allowed.isa); isa > 0; --isa) {
    if (FindKernel(options.kernel, static_cast<Isa>(isa)) != nullptr) {
      return ForceKernel(problem_, options.kernel, static_cast<Isa>(isa));
    }
  }
  return ForceKernel(problem_, options.kernel, Isa::kScalar);
}

}  // namespace tflite_eq
