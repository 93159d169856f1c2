// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR to a constant size.
#include <algorithm>
#include <cmath>

#include "delegate/testing/operator_helpers.h"
#include "delegate/testing/operators.h"

namespace tflite_eq {
namespace {

bool SameScale(const TfLiteTensor& first, const TfLiteTensor& second) {
  return first.params.scale == second.params.scale && first.params.zero_point == second.params.zero_point;
}

// An image, and a constant of two int32 numbers.
bool IsImageAndPair(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const TfLiteTensor* pair = InputAt(context, node, 1);
  return HasCounts(node, 2, 2) && node->builtin_data != nullptr && IsInt8(input) && IsInt8(OutputAt(context, node)) && IsWhole(*input) &&
         HasRank(input, 4) && pair != nullptr && pair->type == kTfLiteInt32 && pair->allocation_type == kTfLiteMmapRo && IsWhole(*pair) &&
         ToVector(pair->dims) == std::vector<int>{2};
}

// Along one axis: from the first input that an output lies between, to the next, in 1024ths of a pixel; or the nearest.
struct Place {
  int64_t lower, upper, fraction;
};
Place Between(const TestNode& node, int64_t inputs, int64_t outputs, int64_t i) {
  int64_t step = (1024 * inputs + outputs / 2) / outputs;
  if (node.align_corners && outputs > 1) step = (1024 * (inputs - 1) + (outputs - 1) / 2) / (outputs - 1);
  const int64_t at = node.half_pixel_centers ? i * step + step / 2 - 512 : i * step;
  Place place;
  place.lower = std::max<int64_t>(at / 1024, 0);
  place.upper = std::min((at + 1023) / 1024, inputs - 1);
  place.fraction = at - 1024 * place.lower;
  return place;
}
int64_t Nearest(const TestNode& node, int64_t inputs, int64_t outputs, int64_t i) {
  const bool corners = node.align_corners && outputs > 1;
  const float scale = corners ? static_cast<float>(inputs - 1) / static_cast<float>(outputs - 1)
                              : static_cast<float>(inputs) / static_cast<float>(outputs);
  const float at = (static_cast<float>(i) + (node.half_pixel_centers ? 0.5f : 0.0f)) * scale;
  return std::min(static_cast<int64_t>(node.align_corners ? std::round(at) : std::floor(at)), inputs - 1);
}

TfLiteStatus PrepareResize(TfLiteContext* context, TfLiteNode* node) {
  if (!IsImageAndPair(context, node)) return Refuse(context, "resize of other tensors");
  const TestNode& parameters = ParametersOf(*node);
  const TfLiteTensor* input = InputAt(context, node, 0);
  const int32_t* size = InputAt(context, node, 1)->data.i32;
  TfLiteTensor* output = OutputAt(context, node);
  if (!SameScale(*input, *output)) return Refuse(context, "resize that changes the scale");
  if (parameters.align_corners && parameters.half_pixel_centers) return Refuse(context, "resize with both options");
  for (int axis = 0; axis < 2; ++axis) {
    const int inputs = input->dims->data[1 + axis];
    if (size[axis] < 1 || size[axis] > 1 << 16 || inputs < 1) return Refuse(context, "sizes of a resize");
    // TFLite reads beyond the image.
    if (parameters.code == kOperatorResizeBilinear && Between(parameters, inputs, size[axis], size[axis] - 1).lower >= inputs) {
      return Refuse(context, "resize that leaves its input");
    }
  }
  return ResizeTo(context, output, {input->dims->data[0], size[0], size[1], input->dims->data[3]});
}

TfLiteStatus InvokeResize(TfLiteContext* context, TfLiteNode* node) {
  const TestNode& parameters = ParametersOf(*node);
  const TfLiteTensor* input = InputAt(context, node, 0);
  TfLiteTensor* output = OutputAt(context, node);
  const int64_t height = input->dims->data[1], width = input->dims->data[2], channels = input->dims->data[3];
  const int64_t rows = output->dims->data[1], columns = output->dims->data[2];
  for (int64_t i = 0; i < ElementCount(*output); ++i) {
    const int64_t channel = i % channels, x = i / channels % columns, y = i / channels / columns % rows;
    const int8_t* image = input->data.int8 + i / channels / columns / rows * height * width * channels + channel;
    const auto code = [&](int64_t row, int64_t column) { return int64_t{image[(row * width + column) * channels]}; };
    if (parameters.code == kOperatorResizeNearestNeighbor) {
      output->data.int8[i] = static_cast<int8_t>(code(Nearest(parameters, height, rows, y), Nearest(parameters, width, columns, x)));
      continue;
    }
    const Place down = Between(parameters, height, rows, y), right = Between(parameters, width, columns, x);
    const int64_t sum = code(down.lower, right.lower) * (1024 - down.fraction) * (1024 - right.fraction) +
                        code(down.lower, right.upper) * (1024 - down.fraction) * right.fraction +
                        code(down.upper, right.lower) * down.fraction * (1024 - right.fraction) +
                        code(down.upper, right.upper) * down.fraction * right.fraction;
    output->data.int8[i] = static_cast<int8_t>((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
  }
  return kTfLiteOk;
}

}  // namespace

TfLiteRegistration ResizeRegistration() { return Registration(PrepareResize, InvokeResize); }

}  // namespace tflite_eq
