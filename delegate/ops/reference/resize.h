// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR of int8 images. Input and output have one scale and zero point.
#ifndef TFLITE_EQ_DELEGATE_OPS_REFERENCE_RESIZE_H_
#define TFLITE_EQ_DELEGATE_OPS_REFERENCE_RESIZE_H_

#include <stdint.h>

#include "delegate/kernels/elementwise.h"

namespace tflite_eq {

struct ResizeAxis {
  int input = 0;
  int output = 0;
  // The operator's options, the same for both axes. Not both at once.
  bool align_corners = false;
  bool half_pixel_centers = false;
};

Interpolation InterpolationOf(const ResizeAxis& axis, int output);

// Whether bilinear interpolation stays within the input. The oracle does not look: its steps are rounded, and where there are many
// more outputs than inputs they take it beyond the last one (33 to 513), where each runtime reads what happens to lie there.
bool StaysInside(const ResizeAxis& axis);

int NearestNeighbor(const ResizeAxis& axis, int output);

// One image. Both axes stay inside.
void ReferenceResizeBilinear(const ResizeAxis& rows, const ResizeAxis& columns, int channels, const int8_t* input, int8_t* output);
void ReferenceResizeNearest(const ResizeAxis& rows, const ResizeAxis& columns, int channels, const int8_t* input, int8_t* output);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REFERENCE_RESIZE_H_
