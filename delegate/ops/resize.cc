#include "delegate/ops/resize.h"

#include <string.h>

#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {
namespace {

// There is a table of as many places.
constexpr int kMostColumns = 1 << 20;

}  // namespace

bool ResizeImage::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  static_assert(sizeof(TfLiteResizeBilinearParams) == sizeof(TfLiteResizeNearestNeighborParams), "read as one");
  const auto* parameters = ReadParameters<TfLiteResizeBilinearParams>(node, reason);
  ConstantInts size;
  if (parameters == nullptr || !ReadInt8(graph, node, 2, 2, reason) ||
      !HasSameQuantization(graph.tensor(inputs_[0]), graph.tensor(output_), reason) ||
      !ReadInts(graph, node, 1, "size", &size, reason)) {
    return false;
  }
  rows_.align_corners = columns_.align_corners = parameters->align_corners;
  rows_.half_pixel_centers = columns_.half_pixel_centers = parameters->half_pixel_centers;
  if (parameters->align_corners && parameters->half_pixel_centers) {
    reason->Set("it asks for aligned corners and half-pixel centers at once");
    return false;
  }
  if (size.count != 2 || size[0] < 1 || size[1] < 1) {
    reason->Set("size is not a height and a width from 1 on");
    return false;
  }
  rows_.output = size[0];
  columns_.output = size[1];
  if (columns_.output <= kMostColumns && places_.Allocate(columns_.output)) return true;
  reason->Set("%d columns are too many", columns_.output);
  return false;
}

bool ResizeImage::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  const Shape& input = inputs[0];
  if (input.rank != 4) {
    reason->Set("input has %d dimensions, not 4", input.rank);
    return false;
  }
  *output = {4, {input.dims[0], rows_.output, columns_.output, input.dims[3]}};
  if (!output->IsValid()) {
    reason->Set("the output is too large");
    return false;
  }
  rows_.input = input.dims[1];
  columns_.input = input.dims[2];
  channels_ = input.dims[3];
  items_ = int64_t{input.dims[0]} * rows_.output;
  item_bytes_ = output_row();
  if (rows_.input < 1 || columns_.input < 1) {
    reason->Set("input has no pixels");
    return false;
  }
  if (!stays_inside()) {
    reason->Set("from %dx%d to %dx%d its rounded steps lead beyond the input, where each runtime reads something else", rows_.input,
                columns_.input, rows_.output, columns_.output);
    return false;
  }
  PlaceColumns();
  return true;
}

void ResizeImage::Run(const Codes& codes, int unit, void*) const {
  for (int64_t item = units_.begin(unit); item < units_.begin(unit + 1); ++item) {
    const int8_t* image = codes.inputs[0] + item / rows_.output * rows_.input * input_row();
    RunRow(image, static_cast<int>(item % rows_.output), codes.output + item * output_row());
  }
}

void ResizeImage::Reference(const Codes& codes) const {
  for (int64_t image = 0; image < items_ / rows_.output; ++image) {
    ReferenceImage(codes.inputs[0] + image * rows_.input * input_row(), codes.output + image * rows_.output * output_row());
  }
}

void ResizeBilinear::PlaceColumns() {
  for (int i = 0; i < columns_.output; ++i) places_[i] = InterpolationOf(columns_, i);
}

void ResizeBilinear::RunRow(const int8_t* image, int row, int8_t* output) const {
  const Interpolation place = InterpolationOf(rows_, row);
  kernels_.resize_bilinear({image + place.lower * input_row(), image + place.upper * input_row(), place.fraction, columns_.input,
                            places_.begin(), columns_.output, channels_},
                           output);
}

void ResizeNearestNeighbor::PlaceColumns() {
  for (int i = 0; i < columns_.output; ++i) places_[i].lower = NearestNeighbor(columns_, i);
}

void ResizeNearestNeighbor::RunRow(const int8_t* image, int row, int8_t* output) const {
  const int8_t* from = image + NearestNeighbor(rows_, row) * input_row();
  const auto bytes = static_cast<size_t>(channels_);
  for (const Interpolation& place : places_) {
    memcpy(output, from + place.lower * int64_t{channels_}, bytes);
    output += bytes;
  }
}

}  // namespace tflite_eq
