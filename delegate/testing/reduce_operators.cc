// MEAN, REDUCE_MAX and REDUCE_MIN over any dimensions.
#include <algorithm>

#include "delegate/testing/operator_helpers.h"
#include "delegate/testing/operators.h"

namespace tflite_eq {
namespace {

// By dimension of the input; empty where an axis is none, or there is none.
std::vector<bool> ReducedDimensions(const TfLiteContext* context, const TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const TfLiteTensor* axes = InputAt(context, node, 1);
  const int rank = input->dims->size;
  if (axes == nullptr || axes->type != kTfLiteInt32 || axes->allocation_type != kTfLiteMmapRo || !IsWhole(*axes) || axes->dims->size > 1) {
    return {};
  }
  std::vector<bool> reduced(static_cast<size_t>(rank), false);
  for (int64_t i = 0; i < ElementCount(*axes); ++i) {
    const int64_t axis = axes->data.i32[i] < 0 ? int64_t{axes->data.i32[i]} + rank : axes->data.i32[i];
    if (axis < 0 || axis >= rank) return {};
    reduced[static_cast<size_t>(axis)] = true;
  }
  return ElementCount(*axes) > 0 ? reduced : std::vector<bool>();
}

int64_t CountReduced(const TfLiteTensor& input, const std::vector<bool>& reduced) {
  int64_t count = 1;
  for (size_t d = 0; d < reduced.size(); ++d) count *= reduced[d] ? input.dims->data[d] : 1;
  return count;
}

// The scale in fixed point, with the number of values divided out of its multiplier. False where the division is one by zero, or where
// TFLite's int32 would overflow.
bool MeanScale(const TfLiteTensor& input, const TfLiteTensor& output, int64_t values, FixedPoint* scale) {
  if (values < 1 || values > 1 << 20) return false;
  if (!ToFixedPoint(static_cast<double>(input.params.scale) / static_cast<double>(output.params.scale), scale)) return false;
  if (scale->shift > 10) return false;
  int shift = 0;
  while (int64_t{2} << shift <= values) ++shift;
  shift = std::min(shift, 31 + scale->shift);
  // Not shifted: scales may be negative.
  scale->multiplier = static_cast<int32_t>(scale->multiplier * (int64_t{1} << shift) / values);
  scale->shift -= shift;
  return true;
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  TfLiteTensor* output = OutputAt(context, node);
  if (!HasCounts(node, 2, 2) || node->builtin_data == nullptr || !IsInt8(input) || !IsInt8(output) || !IsWhole(*input)) {
    return Refuse(context, "reduction of other tensors");
  }
  const std::vector<bool> reduced = ReducedDimensions(context, node);
  if (reduced.empty() || CountReduced(*input, reduced) < 1) return Refuse(context, "reduction over other axes");
  if (ParametersOf(*node).code == kOperatorMean) {
    FixedPoint scale;
    for (const TfLiteTensor* tensor : {input, static_cast<const TfLiteTensor*>(output)}) {
      if (tensor->params.zero_point < -128 || tensor->params.zero_point > 127) return Refuse(context, "zero point of a MEAN");
    }
    if (!MeanScale(*input, *output, CountReduced(*input, reduced), &scale)) return Refuse(context, "scales of a MEAN");
  } else if (input->params.scale != output->params.scale || input->params.zero_point != output->params.zero_point) {
    return Refuse(context, "extremum that changes the scale");
  }
  std::vector<int> shape;
  for (size_t d = 0; d < reduced.size(); ++d) {
    if (!reduced[d]) shape.push_back(input->dims->data[d]);
    else if (ParametersOf(*node).keep_dims) shape.push_back(1);
  }
  return ResizeTo(context, output, shape);
}

TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  TfLiteTensor* output = OutputAt(context, node);
  const int code = ParametersOf(*node).code;
  const std::vector<bool> reduced = ReducedDimensions(context, node);
  std::vector<int32_t> gathered(static_cast<size_t>(ElementCount(*output)), code == kOperatorMean ? 0 : code == kOperatorReduceMax ? -128 : 127);
  for (int64_t i = 0; i < ElementCount(*input); ++i) {
    int64_t left = i, to = 0, stride = 1;
    for (size_t d = reduced.size(); d-- > 0;) {
      const int64_t size = input->dims->data[d];
      if (!reduced[d]) {
        to += left % size * stride;
        stride *= size;
      }
      left /= size;
    }
    const int32_t value = input->data.int8[i];
    int32_t& all = gathered[static_cast<size_t>(to)];
    all = code == kOperatorMean ? all + value - input->params.zero_point : code == kOperatorReduceMax ? std::max(all, value) : std::min(all, value);
  }
  FixedPoint scale;
  if (code == kOperatorMean) MeanScale(*input, *output, CountReduced(*input, reduced), &scale);
  for (size_t i = 0; i < gathered.size(); ++i) {
    const int64_t mean = int64_t{Multiply(gathered[i], scale)} + output->params.zero_point;
    output->data.int8[i] = CodeRange().Clamp(code == kOperatorMean ? mean : gathered[i]);
  }
  return kTfLiteOk;
}

}  // namespace

TfLiteRegistration ReductionRegistration() { return Registration(Prepare, Invoke); }

}  // namespace tflite_eq
