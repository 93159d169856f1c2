#include "delegate/ops/pool.h"

#include "delegate/ops/activation.h"
#include "delegate/ops/reference/pool.h"
#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

bool Pool::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLitePoolParams>(node, reason);
  if (parameters == nullptr || !ReadInt8(graph, node, 1, 1, reason)) return false;
  const TensorView output = graph.tensor(output_);
  if (!HasSameQuantization(graph.tensor(inputs_[0]), output, reason)) return false;
  if (parameters->padding != kTfLitePaddingSame && parameters->padding != kTfLitePaddingValid) {
    reason->Set("unknown padding %d", parameters->padding);
    return false;
  }
  padding_ = parameters->padding == kTfLitePaddingSame ? Padding::kSame : Padding::kValid;
  shape_.rows.filter = parameters->filter_height;
  shape_.columns.filter = parameters->filter_width;
  shape_.rows.stride = parameters->stride_height;
  shape_.columns.stride = parameters->stride_width;
  stays_among_inputs_ = true;
  if (!ReadActivationRange(parameters->activation, output.scale(), output.zero_point(), &shape_.activation_min, &shape_.activation_max,
                           reason)) {
    return false;
  }
  codes_ = {shape_.activation_min, shape_.activation_max};
  is_maximum_ = kind_ == SimpleOperator::kMaxPool && codes_.least == -128 && codes_.greatest == 127;
  // Edges of the least code are never a maximum, as long as every window sees some of the image. An average counts them.
  if (kind_ == SimpleOperator::kMaxPool && padding_ == Padding::kValid && output.zero_point() == -128) {
    const int rows = shape_.rows.filter - 1, columns = shape_.columns.filter - 1;
    most_edges_ = {rows, rows, columns, columns};
  }
  return true;
}

bool Pool::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  const Shape& input = inputs[0];
  if (input.rank != 4) {
    reason->Set("input has %d dimensions, not 4", input.rank);
    return false;
  }
  // The windows are those of a convolution of one channel.
  ConvShape s;
  s.batch = input.dims[0];
  s.input_height = input.dims[1] + edges_.top + edges_.bottom;
  s.input_width = input.dims[2] + edges_.left + edges_.right;
  s.input_channels = s.output_channels = 1;
  s.filter_height = shape_.rows.filter;
  s.filter_width = shape_.columns.filter;
  s.stride_height = shape_.rows.stride;
  s.stride_width = shape_.columns.stride;
  if (!ResolvePadding(padding_, &s, reason)) return false;
  s.input_height = input.dims[1];
  s.input_width = input.dims[2];
  s.pad_top += edges_.top;
  s.pad_left += edges_.left;
  *output = {4, {s.batch, s.output_height, s.output_width, input.dims[3]}};
  // Kernels count the bytes of a row, of a window and of a step in ints.
  const int64_t columns = int64_t{s.input_width} + s.output_width + s.filter_width + s.stride_width;
  if (!output->IsValid() || columns * input.dims[3] > kLargestSize) {
    reason->Set("the output or its windows are too large");
    return false;
  }
  batch_ = s.batch;
  shape_.rows = {s.input_height, s.output_height, s.filter_height, s.stride_height, s.pad_top};
  shape_.columns = {s.input_width, s.output_width, s.filter_width, s.stride_width, s.pad_left};
  shape_.channels = input.dims[3];
  items_ = int64_t{batch_} * shape_.rows.output;
  item_bytes_ = int64_t{shape_.columns.output} * shape_.channels;
  row_work_.run = [](const void* of, const int8_t* from, Rows rows, int8_t* to, void*) {
    const Pool& pool = *static_cast<const Pool*>(of);
    pool.kernel()(pool.shape_, from, rows.begin, rows.end, to);
  };
  row_work_.of = this;
  row_work_.stride = s.stride_height;
  row_work_.pad = s.pad_top;
  row_work_.reach = s.filter_height;
  row_work_.input_rows = s.input_height;
  row_work_.output_rows = s.output_height;
  row_work_.images = s.batch;
  row_work_.input_row_bytes = static_cast<size_t>(s.input_width) * static_cast<size_t>(shape_.channels);
  row_work_.output_row_bytes = static_cast<size_t>(item_bytes_);
  return true;
}

int64_t Pool::values() const { return static_cast<int64_t>(batch_ > 0 ? batch_ : 1) * static_cast<int64_t>(input_image()); }

size_t Pool::input_image() const {
  return static_cast<size_t>(shape_.rows.input) * static_cast<size_t>(shape_.columns.input) * static_cast<size_t>(shape_.channels);
}

size_t Pool::output_image() const {
  return static_cast<size_t>(shape_.rows.output) * static_cast<size_t>(shape_.columns.output) * static_cast<size_t>(shape_.channels);
}

void Pool::Run(const Codes& codes, int unit, void*) const {
  const int64_t end = units_.begin(unit + 1);
  for (int64_t row = units_.begin(unit); row < end;) {
    const int64_t image = row / shape_.rows.output;
    const int64_t last = (image + 1) * shape_.rows.output < end ? (image + 1) * shape_.rows.output : end;
    const int64_t first_row = image * shape_.rows.output;
    kernel()(shape_, codes.inputs[0] + static_cast<size_t>(image) * input_image(), static_cast<int>(row - first_row),
             static_cast<int>(last - first_row), codes.output + static_cast<size_t>(image) * output_image());
    row = last;
  }
}

void Pool::Reference(const Codes& codes) const {
  for (int image = 0; image < batch_; ++image) {
    ReferenceImage(codes.inputs[0] + static_cast<size_t>(image) * input_image(),
                   codes.output + static_cast<size_t>(image) * output_image());
  }
}

Description Pool::Describe() const {
  Description description = ElementwiseOperator::Describe();
  description.filter_height = shape_.rows.filter;
  description.filter_width = shape_.columns.filter;
  description.stride_height = shape_.rows.stride;
  description.stride_width = shape_.columns.stride;
  return description;
}

void MaxPool2d::ReferenceImage(const int8_t* input, int8_t* output) const { ReferenceMaxPool(shape_, input, output); }

void AveragePool2d::ReferenceImage(const int8_t* input, int8_t* output) const { ReferenceAveragePool(shape_, input, output); }

}  // namespace tflite_eq
