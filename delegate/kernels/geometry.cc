#include "delegate/kernels/geometry.h"

namespace tflite_eq {
namespace {

bool Refuse(Reason* reason, const Reason& why) {
  if (reason != nullptr) *reason = why;
  return false;
}

// Whether the product of all dimensions that are not 0 is within the limit; none of them is negative.
bool Fits(const int (&dimensions)[4]) {
  int64_t product = 1;
  for (int dimension : dimensions) {
    if (dimension == 0) continue;
    product *= dimension;
    if (product > kLargestSize) return false;
  }
  return true;
}

bool CheckDimensions(const char* name, const int (&dimensions)[4], Reason* reason) {
  Reason why;
  for (int dimension : dimensions) {
    if (dimension >= 0) continue;
    why.Set("%s has a dimension of %d", name, dimension);
    return Refuse(reason, why);
  }
  return true;
}

bool CheckSize(const char* name, const int (&dimensions)[4], Reason* reason) {
  Reason why;
  if (Fits(dimensions)) return true;
  why.Set("%s of %dx%dx%dx%d is larger than the %lld values that kernels take", name, dimensions[0], dimensions[1], dimensions[2],
          dimensions[3], static_cast<long long>(kLargestSize));
  return Refuse(reason, why);
}

bool CheckDepth(const ConvShape& s, Reason* reason) {
  if (!s.depthwise || s.output_channels == s.input_channels * s.depth_multiplier()) return true;
  Reason why;
  why.Set("a depthwise convolution of %d channels has %d output channels, which is no multiple", s.input_channels, s.output_channels);
  return Refuse(reason, why);
}

// One dimension of the image.
struct Axis {
  const char* name;
  int input;
  int filter;
  int stride;
  int dilation;
};

bool ResolveAxis(Padding padding, const Axis& axis, int* output, int* pad, Reason* reason) {
  Reason why;
  if (axis.stride < 1 || axis.dilation < 1) {
    why.Set("%s: stride %d and dilation %d, both of which must be at least 1", axis.name, axis.stride, axis.dilation);
    return Refuse(reason, why);
  }
  const int64_t input = axis.input;
  const int64_t stride = axis.stride;
  const int64_t reach = (int64_t{axis.filter} - 1) * axis.dilation + 1;  // negative for a filter of 0
  if (input + stride + (reach < 0 ? -reach : reach) > kLargestSize) {
    why.Set("%s: input %d, filter %d, stride %d, dilation %d span more than the %lld rows or columns that kernels take", axis.name,
            axis.input, axis.filter, axis.stride, axis.dilation, static_cast<long long>(kLargestSize));
    return Refuse(reason, why);
  }
  // Division truncates, as TFLite's does: a filter that is larger than the image by less than the stride has an empty output.
  const int64_t size = padding == Padding::kSame ? (input + stride - 1) / stride : (input + stride - reach) / stride;
  if (size < 0) {
    why.Set("%s: an input of %d is smaller than a filter that spans %lld", axis.name, axis.input, static_cast<long long>(reach));
    return Refuse(reason, why);
  }
  const int64_t total = (size - 1) * stride + reach - input;
  *output = static_cast<int>(size);
  *pad = static_cast<int>(total > 0 ? total / 2 : 0);
  return true;
}

}  // namespace

bool ResolvePadding(Padding padding, ConvShape* shape, Reason* reason) {
  ConvShape& s = *shape;
  const int input[] = {s.batch, s.input_height, s.input_width, s.input_channels};
  const int filter[] = {s.output_channels, s.filter_height, s.filter_width, s.filter_channels()};
  return CheckDimensions("input", input, reason) && CheckDimensions("filter", filter, reason) && CheckSize("filter", filter, reason) &&
         CheckDepth(s, reason) &&
         ResolveAxis(padding, {"height", s.input_height, s.filter_height, s.stride_height, s.dilation_height}, &s.output_height,
                     &s.pad_top, reason) &&
         ResolveAxis(padding, {"width", s.input_width, s.filter_width, s.stride_width, s.dilation_width}, &s.output_width,
                     &s.pad_left, reason) &&
         (IsEmpty(s) || (CheckSize("input", input, reason) &&
                         CheckSize("output", {s.batch, s.output_height, s.output_width, s.output_channels}, reason)));
}

bool IsEmpty(const ConvShape& s) {
  return s.batch <= 0 || s.output_height <= 0 || s.output_width <= 0 || s.output_channels <= 0;
}

}  // namespace tflite_eq
