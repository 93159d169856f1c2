// The sizes of a convolution: what the output is, what lies outside the image, and which sizes kernels take.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_GEOMETRY_H_
#define TFLITE_EQ_DELEGATE_KERNELS_GEOMETRY_H_

#include <stdint.h>

#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/reason.h"

namespace tflite_eq {

enum class Padding { kSame, kValid };

// The most that ResolvePadding lets a tensor hold, and an axis span: kernels count bytes, rows and columns in 32 bits, and round
// them up to whole blocks.
inline constexpr int64_t kLargestSize = (int64_t{1} << 31) - (1 << 16);

// Fills in the output size and the padding the way TFLite does for the given mode, from everything else in the shape. Sizes may be
// 0, and so may the output's: it is empty then.
//
// False, with a reason where it is asked for, when there is no such convolution, because the filter reaches beyond the image, a size,
// stride or dilation is out of range or a depthwise convolution's channels do not divide, or when it is too large:
//
//   * The filter holds at most kLargestSize values, dimensions of 0 counted as 1; where the output has any, the input and the output, too.
//   * Along either axis, input + stride + (filter - 1) * dilation + 1 is at most kLargestSize. TFLite's own arithmetic is in 32 bits,
//     so that beyond this its versions disagree.
//
// Every kernel relies on these limits: whatever ResolvePadding accepts, no sum or product of theirs overflows. Of an empty output, which
// may have any number of images, none is asked (prepared_conv.h).
bool ResolvePadding(Padding padding, ConvShape* shape, Reason* reason = nullptr);

// Whether the output holds no values: there is nothing to compute.
bool IsEmpty(const ConvShape& shape);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_GEOMETRY_H_
