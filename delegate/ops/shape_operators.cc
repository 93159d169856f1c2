#include "delegate/ops/shape_operators.h"

#include <string.h>

#include "delegate/ops/activation.h"
#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {
namespace {

// A dimension of its own in front of another, or behind the last; counted from the end of the new shape where `axis` is below 0.
bool InsertAxis(const Shape& input, int axis, int size, Shape* output, Reason* reason) {
  const int rank = input.rank + 1;
  const int at = axis < 0 ? axis + rank : axis;
  if (rank > Shape::kMostDimensions || at < 0 || at >= rank) {
    reason->Set("there is no place for axis %d beside the %d of the input", axis, input.rank);
    return false;
  }
  output->rank = rank;
  for (int d = 0; d < rank; ++d) output->dims[d] = d < at ? input.dims[d] : d == at ? size : input.dims[d - 1];
  return true;
}

}  // namespace

bool Pad::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  if (!ReadInt8(graph, node, 2, 3, reason)) return false;
  const TensorView output = graph.tensor(output_);
  const TensorView paddings = graph.tensor(node.inputs.at(1, kNoTensor));
  if (!HasSameQuantization(graph.tensor(inputs_[0]), output, reason)) return false;
  Shape shape;
  if (!paddings.exists() || !ReadShape(paddings, "paddings", &shape, reason)) return false;
  if (shape.rank != 2 || shape.dims[1] != 2 || shape.dims[0] > kDimensions) {
    reason->Set("paddings are not two for each of four dimensions at most");
    return false;
  }
  rank_ = shape.dims[0];
  if (!IsConstant(paddings, "paddings", kTfLiteInt32, static_cast<size_t>(2 * rank_), sizeof(int32_t), reason)) return false;
  const auto* values = static_cast<const int32_t*>(paddings.data());
  for (int i = 0; i < rank_; ++i) {
    const int to = kDimensions - rank_ + i;
    before_[to] = values[2 * i];
    after_[to] = values[2 * i + 1];
    if (before_[to] >= 0 && after_[to] >= 0) continue;
    reason->Set("negative padding");
    return false;
  }
  value_ = static_cast<int8_t>(output.zero_point());
  if (before_[0] == 0 && after_[0] == 0 && before_[3] == 0 && after_[3] == 0) pads_ = {before_[1], after_[1], before_[2], after_[2]};
  const TensorView value = graph.tensor(node.inputs.at(2, kNoTensor));
  if (!value.exists()) return true;
  if (!IsConstant(value, "value of the padding", kTfLiteInt8, 1, 1, reason) || !PerTensor(value, "value of the padding", reason) ||
      !HasSameQuantization(value, output, reason)) {
    return false;
  }
  value_ = *static_cast<const int8_t*>(value.data());
  if (value_ != output.zero_point()) pads_ = {};
  return true;
}

bool Pad::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  const Shape& input = inputs[0];
  if (input.rank != rank_) {
    reason->Set("input has %d dimensions, the paddings are for %d", input.rank, rank_);
    return false;
  }
  output->rank = rank_;
  for (int i = 0; i < kDimensions; ++i) {
    const int from = i - (kDimensions - rank_);
    size_[i] = from >= 0 ? input.dims[from] : 1;
    int64_t size;
    if (__builtin_add_overflow(int64_t{size_[i]}, int64_t{before_[i]} + after_[i], &size) || size > kLargestSize) {
      reason->Set("the output is too large");
      return false;
    }
    padded_[i] = static_cast<int>(size);
    if (from >= 0) output->dims[from] = padded_[i];
  }
  if (!output->IsValid()) {
    reason->Set("the output is too large");
    return false;
  }
  // Rows of the output.
  items_ = int64_t{padded_[0]} * padded_[1];
  item_bytes_ = int64_t{padded_[2]} * padded_[3];
  return true;
}

void Pad::Run(const Codes& codes, int unit, void*) const {
  const auto pixel = static_cast<size_t>(padded_[3]);
  const auto row_bytes = static_cast<size_t>(item_bytes_);
  const size_t left = static_cast<size_t>(before_[2]) * pixel;
  for (int64_t row = units_.begin(unit); row < units_.begin(unit + 1); ++row) {
    int8_t* to = codes.output + static_cast<size_t>(row) * row_bytes;
    const int64_t image = row / padded_[1] - before_[0];
    const int64_t y = row % padded_[1] - before_[1];
    if (image < 0 || image >= size_[0] || y < 0 || y >= size_[1]) {
      memset(to, value_, row_bytes);
      continue;
    }
    const auto channels = static_cast<size_t>(size_[3]);
    const size_t from_bytes = static_cast<size_t>(size_[2]) * channels;
    const int8_t* from = codes.inputs[0] + static_cast<size_t>(image * size_[1] + y) * from_bytes;
    if (pixel == channels) {
      memset(to, value_, left);
      if (from_bytes > 0) memcpy(to + left, from, from_bytes);
      memset(to + left + from_bytes, value_, row_bytes - left - from_bytes);
      continue;
    }
    memset(to, value_, row_bytes);
    for (int x = 0; x < size_[2] && channels > 0; ++x) {
      memcpy(to + left + static_cast<size_t>(x) * pixel + before_[3], from + static_cast<size_t>(x) * channels, channels);
    }
  }
}

void Pad::Reference(const Codes& codes) const {
  int8_t* to = codes.output;
  for (int n = 0; n < padded_[0]; ++n) {
    for (int y = 0; y < padded_[1]; ++y) {
      for (int x = 0; x < padded_[2]; ++x) {
        for (int c = 0; c < padded_[3]; ++c) {
          const int at[kDimensions] = {n - before_[0], y - before_[1], x - before_[2], c - before_[3]};
          bool inside = true;
          size_t from = 0;
          for (int i = 0; i < kDimensions; ++i) {
            inside = inside && at[i] >= 0 && at[i] < size_[i];
            from = from * static_cast<size_t>(size_[i]) + static_cast<size_t>(at[i]);
          }
          *to++ = inside ? codes.inputs[0][from] : value_;
        }
      }
    }
  }
}

bool MirrorPad::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteMirrorPaddingParams>(node, reason);
  if (parameters == nullptr || !Pad::Read(graph, node, reason)) return false;
  pads_ = {};
  edge_ = parameters->mode == kTfLiteMirrorPaddingReflect ? 1 : 0;
  if (edge_ == 1 || parameters->mode == kTfLiteMirrorPaddingSymmetric) return true;
  reason->Set("unknown mode %d of mirroring", parameters->mode);
  return false;
}

bool MirrorPad::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  if (!Pad::Resize(inputs, output, reason)) return false;
  for (int i = 0; i < kDimensions; ++i) {
    const int most = size_[i] - edge_;
    if ((before_[i] <= most && after_[i] <= most) || (before_[i] == 0 && after_[i] == 0)) continue;
    reason->Set("a padding of %d is more than is to be mirrored of %d", before_[i] > after_[i] ? before_[i] : after_[i], size_[i]);
    return false;
  }
  return true;
}

int MirrorPad::Mirrored(int dimension, int64_t index) const {
  const int64_t at = index - before_[dimension], size = size_[dimension];
  return static_cast<int>(at < 0 ? -at - 1 + edge_ : at >= size ? 2 * size - at - 1 - edge_ : at);
}

void MirrorPad::Run(const Codes& codes, int unit, void*) const {
  const auto channels = static_cast<size_t>(size_[3]);
  int8_t* to = codes.output + units_.begin(unit) * item_bytes_;
  for (int64_t row = units_.begin(unit); row < units_.begin(unit + 1); ++row) {
    const int64_t image = Mirrored(0, row / padded_[1]), y = Mirrored(1, row % padded_[1]);
    const int8_t* from = codes.inputs[0] + (image * size_[1] + y) * size_[2] * size_[3];
    for (int x = 0; x < padded_[2]; ++x) {
      const int8_t* pixel = from + static_cast<size_t>(Mirrored(2, x)) * channels;
      if (padded_[3] == size_[3]) {
        memcpy(to, pixel, channels);
        to += channels;
        continue;
      }
      for (int c = 0; c < padded_[3]; ++c) *to++ = pixel[Mirrored(3, c)];
    }
  }
}

void MirrorPad::Reference(const Codes& codes) const {
  int8_t* to = codes.output;
  for (int n = 0; n < padded_[0]; ++n) {
    for (int y = 0; y < padded_[1]; ++y) {
      for (int x = 0; x < padded_[2]; ++x) {
        for (int c = 0; c < padded_[3]; ++c) {
          const int at[kDimensions] = {Mirrored(0, n), Mirrored(1, y), Mirrored(2, x), Mirrored(3, c)};
          int64_t from = 0;
          for (int i = 0; i < kDimensions; ++i) from = from * size_[i] + at[i];
          *to++ = codes.inputs[0][from];
        }
      }
    }
  }
}

bool Concatenation::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteConcatenationParams>(node, reason);
  if (parameters == nullptr || !ReadInputs(graph, node, reason)) return false;
  axis_ = parameters->axis;
  joins_channels_ = axis_ == 3 || axis_ == -1;
  stays_among_inputs_ = true;
  if (parameters->activation == kTfLiteActNone) return true;
  reason->Set("it has a fused activation");
  return false;
}

bool Concatenation::ReadInputs(const GraphView& graph, const NodeView& node, Reason* reason) {
  const int count = node.inputs.size();
  if (!ReadInt8(graph, node, 1, count, reason) || !SetInputs(node.inputs.begin(), count, reason)) return false;
  for (int tensor : inputs_) {
    const TensorView view = graph.tensor(tensor);
    if (!HasInt8Codes(view, "input", reason) || !HasSameQuantization(view, graph.tensor(output_), reason)) return false;
    if (!view.is_constant()) continue;
    reason->Set("an input is a constant");
    return false;
  }
  if (bytes_.Allocate(count)) return true;
  reason->Set("out of memory");
  return false;
}

bool Concatenation::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  *output = inputs[0];
  const int axis = axis_ < 0 ? axis_ + output->rank : axis_;
  if (axis < 0 || axis >= output->rank) {
    reason->Set("there is no axis %d", axis_);
    return false;
  }
  int64_t along = 0;
  for (int i = 0; i < inputs_.size(); ++i) {
    Shape other = inputs[i];
    if (other.rank != output->rank) {
      reason->Set("input %d has %d dimensions, the first %d", i, other.rank, output->rank);
      return false;
    }
    along += other.dims[axis];
    bytes_[i] = 1;
    for (int d = axis; d < other.rank; ++d) bytes_[i] *= other.dims[d];
    other.dims[axis] = inputs[0].dims[axis];
    if (other == inputs[0]) continue;
    reason->Set("input %d is of another size than the first along another axis", i);
    return false;
  }
  if (along > kLargestSize) {
    reason->Set("the output is too large");
    return false;
  }
  output->dims[axis] = static_cast<int>(along);
  return CutRows(*output, axis, reason);
}

bool Concatenation::CutRows(const Shape& output, int axis, Reason* reason) {
  if (!output.IsValid()) {
    reason->Set("the output is too large");
    return false;
  }
  items_ = item_bytes_ = 1;
  for (int d = 0; d < output.rank; ++d) (d < axis ? items_ : item_bytes_) *= output.dims[d];
  return true;
}

void Concatenation::Copy(const Codes& codes, int64_t begin, int64_t end) const {
  int64_t at = 0;
  for (int i = 0; i < inputs_.size(); at += bytes_[i++]) {
    const auto bytes = static_cast<size_t>(bytes_[i]);
    int8_t* const place = codes.output + at;
    // What was written here is not to be read as one after the other.
    if (bytes == 0 || codes.inputs[i] == place) continue;
    for (int64_t row = begin; row < end; ++row) {
      memcpy(place + row * item_bytes_, codes.inputs[i] + static_cast<size_t>(row) * bytes, bytes);
    }
  }
}

void Concatenation::Run(const Codes& codes, int unit, void*) const { Copy(codes, units_.begin(unit), units_.begin(unit + 1)); }

void Concatenation::Reference(const Codes& codes) const { Copy(codes, 0, items_); }

bool Reshape::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  if (!ReadInt8(graph, node, 1, 2, reason)) return false;
  const TensorView wanted = graph.tensor(node.inputs.at(1, kNoTensor));
  const int* values;
  int count;
  if (wanted.exists()) {
    if (wanted.shape().size() != 1) {
      reason->Set("the shape it makes is not a list");
      return false;
    }
    count = wanted.shape().at(0, 0);
    if (count < 0 || !IsConstant(wanted, "shape", kTfLiteInt32, static_cast<size_t>(count), sizeof(int32_t), reason)) return false;
    values = static_cast<const int32_t*>(wanted.data());
  } else {
    const auto* parameters = ReadParameters<TfLiteReshapeParams>(node, reason);
    if (parameters == nullptr) return false;
    count = parameters->num_dimensions;
    values = parameters->shape;
  }
  if (count < 1 || count > Shape::kMostDimensions) {
    reason->Set("it makes %d dimensions", count);
    return false;
  }
  rank_ = count;
  int open = 0;
  for (int i = 0; i < rank_; ++i) {
    dims_[i] = values[i];
    open += dims_[i] == -1;
    // 0 has meant several things.
    if (dims_[i] > 0 || dims_[i] == -1) continue;
    reason->Set("it makes a dimension of %d", dims_[i]);
    return false;
  }
  if (open <= 1) return true;
  reason->Set("it leaves two dimensions open");
  return false;
}

bool Reshape::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  items_ = inputs[0].elements();
  output->rank = rank_;
  int64_t product = 1;
  int open = -1;
  for (int i = 0; i < rank_; ++i) {
    output->dims[i] = dims_[i];
    if (dims_[i] == -1) {
      open = i;
    } else if ((product *= dims_[i]) > kLargestSize) {
      reason->Set("the output is too large");
      return false;
    }
  }
  if (open >= 0) {
    output->dims[open] = static_cast<int>(items_ / product);
    product *= output->dims[open];
  }
  if (product == items_) return true;
  reason->Set("%lld values cannot have its shape", static_cast<long long>(items_));
  return false;
}

void Reshape::Run(const Codes& codes, int unit, void*) const {
  const int64_t begin = units_.begin(unit);
  memcpy(codes.output + begin, codes.inputs[0] + begin, static_cast<size_t>(units_.begin(unit + 1) - begin));
}

void Reshape::Reference(const Codes& codes) const { memcpy(codes.output, codes.inputs[0], static_cast<size_t>(items_)); }

bool Squeeze::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteSqueezeParams>(node, reason);
  if (parameters == nullptr || !ReadInt8(graph, node, 1, 1, reason)) return false;
  count_ = parameters->num_squeeze_dims;
  if (count_ < 0 || count_ > 8) {
    reason->Set("it takes away %d dimensions", count_);
    return false;
  }
  for (int i = 0; i < count_; ++i) squeezed_[i] = parameters->squeeze_dims[i];
  return true;
}

bool Squeeze::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  const Shape& input = inputs[0];
  bool away[Shape::kMostDimensions] = {};
  for (int d = 0; d < input.rank && count_ == 0; ++d) away[d] = input.dims[d] == 1;
  for (int i = 0; i < count_; ++i) {
    const int d = squeezed_[i] < 0 ? squeezed_[i] + input.rank : squeezed_[i];
    if (d < 0 || d >= input.rank || input.dims[d] != 1) {
      reason->Set("dimension %d is not of size 1", squeezed_[i]);
      return false;
    }
    away[d] = true;
  }
  output->rank = 0;
  for (int d = 0; d < input.rank; ++d) {
    if (!away[d]) output->dims[output->rank++] = input.dims[d];
  }
  items_ = input.elements();
  return true;
}

bool ExpandDims::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  ConstantInts axis;
  if (!ReadInt8(graph, node, 2, 2, reason) || !ReadInts(graph, node, 1, "axis", &axis, reason)) return false;
  if (axis.count == 1) {
    axis_ = axis[0];
    return true;
  }
  reason->Set("it has %d axes", axis.count);
  return false;
}

bool ExpandDims::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  items_ = inputs[0].elements();
  return InsertAxis(inputs[0], axis_, 1, output, reason);
}

bool Pack::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLitePackParams>(node, reason);
  if (parameters == nullptr || !ReadInputs(graph, node, reason)) return false;
  axis_ = parameters->axis;
  return true;
}

// What follows the new axis in each input is a row of it.
bool Pack::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  if (!InsertAxis(inputs[0], axis_, inputs_.size(), output, reason)) return false;
  for (int i = 1; i < inputs_.size(); ++i) {
    if (inputs[i] == inputs[0]) continue;
    reason->Set("input %d has another shape than the first", i);
    return false;
  }
  const int axis = axis_ < 0 ? axis_ + output->rank : axis_;
  if (!CutRows(*output, axis, reason)) return false;
  for (int64_t& bytes : bytes_) bytes = item_bytes_ / inputs_.size();
  return true;
}

}  // namespace tflite_eq
