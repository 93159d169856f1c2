#include "delegate/ops/channelwise_group.h"

namespace tflite_eq {

bool ChannelwiseGroup::Make(const Member* members, int count, int channels, int kink, const Environment& environment, int workers) {
  constexpr int kMostInputs = 2;
  if (channels > kMostChannels) return false;
  kernels_ = FindElementwise(AllowedCpu(environment).isa);
  channels_ = channels;
  workers_ = workers;
  // A row with a pixel for every code, and what each member makes of it.
  const Shape shape = {4, {1, 1, kCodes, channels}};
  const auto bytes = static_cast<size_t>(shape.elements());
  Buffer values, tables, scratch;
  if (!values.Allocate(bytes * static_cast<size_t>(count + 1)) || !tables.Allocate(bytes)) return false;
  auto* source = values.as<int8_t>();
  for (size_t i = 0; i < bytes; ++i) source[i] = static_cast<int8_t>(static_cast<int>(i) / channels - 128);
  const auto value = [&](int member) { return source + bytes * static_cast<size_t>(member + 1); };
  static_assert(kSource == -1, "what the source is the value of");
  for (int m = 0; m < count; ++m) {
    Operator& op = *members[m].op;
    Shape shapes[kMostInputs], made;
    const int8_t* inputs[kMostInputs];
    Reason reason;
    if (op.inputs().size() > kMostInputs) return false;
    for (int k = 0; k < op.inputs().size(); ++k) {
      shapes[k] = shape;
      inputs[k] = value(members[m].inputs[k]);
    }
    if (!op.Resize(shapes, &made, &reason) || made != shape) return false;
    const Units units = op.Divide();
    if (!scratch.Allocate(units.scratch_bytes)) return false;
    for (int unit = 0; unit < units.count; ++unit) op.Run({inputs, value(m)}, unit, scratch.as<void>());
  }
  const int8_t* result = value(count - 1);
  auto* table = tables.as<int8_t>();
  for (int c = 0; c < channels; ++c) {
    for (int code = 0; code < kCodes; ++code) *table++ = result[static_cast<ptrdiff_t>(code) * channels + c];
  }
  function_.Make(&tables, channels, kink, kernels_);
  return true;
}

Units ChannelwiseGroup::Divide(const Shape& shape) {
  units_ = EvenUnits(shape.elements() / channels_, channels_, workers_);
  row_work_.run = [](const void* of, const int8_t* from, Rows rows, int8_t* to, void*) {
    const ChannelwiseGroup& group = *static_cast<const ChannelwiseGroup*>(of);
    const size_t bytes = group.row_work_.output_row_bytes, begin = static_cast<size_t>(rows.begin) * bytes;
    const size_t pixels = static_cast<size_t>(rows.end - rows.begin) * bytes / static_cast<size_t>(group.channels_);
    group.function_.Run(group.kernels_, from + begin, to + begin, pixels);
  };
  row_work_.of = this;
  row_work_.SetEach(shape);
  return {units_.count(), 0};
}

void ChannelwiseGroup::Run(const int8_t* source, int8_t* output, int unit) const {
  const int64_t begin = units_.begin(unit);
  function_.Run(kernels_, source + begin * channels_, output + begin * channels_, static_cast<size_t>(units_.begin(unit + 1) - begin));
}

Description ChannelwiseGroup::Describe() const {
  Description description;
  description.kernel = function_.name();
  description.isa = kernels_.isa;
  description.packed_bytes = function_.memory_bytes();
  return description;
}

}  // namespace tflite_eq
