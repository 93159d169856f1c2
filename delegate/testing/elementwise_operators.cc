// ADD, SUB, MUL, MAXIMUM and MINIMUM, broadcast; RELU, LEAKY_RELU, and PRELU with a slope for each channel.
#include <algorithm>
#include <initializer_list>

#include "delegate/testing/operator_helpers.h"
#include "delegate/testing/operators.h"

namespace tflite_eq {
namespace {

// The shape of what combines two tensors; false where they do not go together.
bool BroadcastShape(const TfLiteTensor& first, const TfLiteTensor& second, std::vector<int>* shape) {
  const int ranks[] = {first.dims->size, second.dims->size};
  const int rank = std::max(ranks[0], ranks[1]);
  shape->assign(rank, 1);
  for (int d = 1; d <= rank; ++d) {  // from the last
    const int a = d <= ranks[0] ? first.dims->data[ranks[0] - d] : 1, b = d <= ranks[1] ? second.dims->data[ranks[1] - d] : 1;
    if (a != b && a != 1 && b != 1) return false;
    (*shape)[rank - d] = a == 1 ? b : a;
  }
  return true;
}

// Where the value that goes into value `i` of an output lies in an input that is broadcast to it.
int64_t BroadcastIndex(const TfLiteTensor& input, const std::vector<int>& output, int64_t i) {
  int64_t index = 0, stride = 1;
  for (int d = 1; d <= input.dims->size; ++d) {
    const int size = input.dims->data[input.dims->size - d];
    const int whole = output[output.size() - d];
    index += size == 1 ? 0 : i % whole * stride;
    stride *= size;
    i /= whole;
  }
  return index;
}

// ADD brings both inputs to twice the larger scale, with this many bits more than the codes have.
constexpr int kAddLeftShift = 20;

struct AddScales {
  FixedPoint inputs[2];
  FixedPoint output;
};

// TFLite ends the process where one of them is not between 0 and 1.
bool Scales(const TfLiteTensor& first, const TfLiteTensor& second, const TfLiteTensor& output, AddScales* scales) {
  const double common = 2 * static_cast<double>(std::fmax(first.params.scale, second.params.scale));
  const double reals[] = {static_cast<double>(first.params.scale) / common, static_cast<double>(second.params.scale) / common,
                          common / ((1 << kAddLeftShift) * static_cast<double>(output.params.scale))};
  for (double real : reals) {
    if (!(real > 0 && real < 1)) return false;
  }
  return ToFixedPoint(reals[0], &scales->inputs[0]) && ToFixedPoint(reals[1], &scales->inputs[1]) &&
         ToFixedPoint(reals[2], &scales->output);
}

TfLiteStatus PrepareAdd(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* first = InputAt(context, node, 0);
  const TfLiteTensor* second = InputAt(context, node, 1);
  TfLiteTensor* output = OutputAt(context, node);
  AddScales scales;
  CodeRange range;
  if (!HasCounts(node, 2, 2) || !IsInt8(first) || !IsInt8(second) || !IsInt8(output) || !IsWhole(*first) || !IsWhole(*second)) {
    return Refuse(context, "sum of other types");
  }
  std::vector<int> shape;
  if (!BroadcastShape(*first, *second, &shape)) return Refuse(context, "sum of different shapes");
  if (!Scales(*first, *second, *output, &scales)) return Refuse(context, "scales of a sum");
  if (!ActivationCodes(ParametersOf(*node).geometry.activation, *output, &range)) return Refuse(context, "activation");
  return ResizeTo(context, output, shape);
}

template <bool subtract>
TfLiteStatus InvokeAdd(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* inputs[] = {InputAt(context, node, 0), InputAt(context, node, 1)};
  TfLiteTensor* output = OutputAt(context, node);
  AddScales scales;
  CodeRange range;
  Scales(*inputs[0], *inputs[1], *output, &scales);
  ActivationCodes(ParametersOf(*node).geometry.activation, *output, &range);
  const std::vector<int> shape = ToVector(output->dims);
  for (int64_t i = 0; i < ElementCount(*output); ++i) {
    uint32_t sum = 0;
    for (int side = 0; side < 2; ++side) {
      const int8_t code = inputs[side]->data.int8[BroadcastIndex(*inputs[side], shape, i)];
      const int64_t value = int64_t{code} - inputs[side]->params.zero_point;
      const auto scaled = static_cast<uint32_t>(Multiply(static_cast<int32_t>(value * (1 << kAddLeftShift)), scales.inputs[side]));
      sum += subtract && side == 1 ? 0 - scaled : scaled;
    }
    output->data.int8[i] =
        range.Clamp(int64_t{Multiply(static_cast<int32_t>(sum), scales.output)} + output->params.zero_point);
  }
  return kTfLiteOk;
}

// What is no code overflows once it is multiplied.
bool HasCodeZeroPoints(std::initializer_list<const TfLiteTensor*> tensors) {
  for (const TfLiteTensor* tensor : tensors) {
    if (tensor->params.zero_point < -128 || tensor->params.zero_point > 127) return false;
  }
  return true;
}

bool ProductScale(const TfLiteTensor& first, const TfLiteTensor& second, const TfLiteTensor& output, FixedPoint* scale) {
  return ToFixedPoint(static_cast<double>(first.params.scale * second.params.scale / output.params.scale), scale);
}

TfLiteStatus PrepareMul(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* first = InputAt(context, node, 0);
  const TfLiteTensor* second = InputAt(context, node, 1);
  TfLiteTensor* output = OutputAt(context, node);
  FixedPoint scale;
  CodeRange range;
  if (!HasCounts(node, 2, 2) || !IsInt8(first) || !IsInt8(second) || !IsInt8(output) || !IsWhole(*first) || !IsWhole(*second)) {
    return Refuse(context, "product of other types");
  }
  std::vector<int> shape;
  if (!BroadcastShape(*first, *second, &shape)) return Refuse(context, "product of different shapes");
  if (!HasCodeZeroPoints({first, second}) || !ProductScale(*first, *second, *output, &scale)) return Refuse(context, "scales of a product");
  if (!ActivationCodes(ParametersOf(*node).geometry.activation, *output, &range)) return Refuse(context, "activation");
  return ResizeTo(context, output, shape);
}

TfLiteStatus InvokeMul(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* first = InputAt(context, node, 0);
  const TfLiteTensor* second = InputAt(context, node, 1);
  TfLiteTensor* output = OutputAt(context, node);
  FixedPoint scale;
  CodeRange range;
  ProductScale(*first, *second, *output, &scale);
  ActivationCodes(ParametersOf(*node).geometry.activation, *output, &range);
  const std::vector<int> shape = ToVector(output->dims);
  for (int64_t i = 0; i < ElementCount(*output); ++i) {
    const int8_t a = first->data.int8[BroadcastIndex(*first, shape, i)], b = second->data.int8[BroadcastIndex(*second, shape, i)];
    const int64_t product = (int64_t{a} - first->params.zero_point) * (int64_t{b} - second->params.zero_point);
    output->data.int8[i] = range.Clamp(int64_t{Multiply(static_cast<int32_t>(product), scale)} + output->params.zero_point);
  }
  return kTfLiteOk;
}

TfLiteStatus PrepareExtremum(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* first = InputAt(context, node, 0);
  const TfLiteTensor* second = InputAt(context, node, 1);
  TfLiteTensor* output = OutputAt(context, node);
  if (!HasCounts(node, 2, 2) || !IsInt8(first) || !IsInt8(second) || !IsInt8(output) || !IsWhole(*first) || !IsWhole(*second)) {
    return Refuse(context, "extremum of other types");
  }
  std::vector<int> shape;
  if (!BroadcastShape(*first, *second, &shape)) return Refuse(context, "extremum of different shapes");
  return ResizeTo(context, output, shape);
}

// Of codes, whatever their scales.
TfLiteStatus InvokeExtremum(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* first = InputAt(context, node, 0);
  const TfLiteTensor* second = InputAt(context, node, 1);
  TfLiteTensor* output = OutputAt(context, node);
  const std::vector<int> shape = ToVector(output->dims);
  for (int64_t i = 0; i < ElementCount(*output); ++i) {
    const int8_t a = first->data.int8[BroadcastIndex(*first, shape, i)], b = second->data.int8[BroadcastIndex(*second, shape, i)];
    output->data.int8[i] = ParametersOf(*node).code == kOperatorMaximum ? std::max(a, b) : std::min(a, b);
  }
  return kTfLiteOk;
}

bool ReluScale(const TfLiteTensor& input, const TfLiteTensor& output, FixedPoint* scale) {
  return ToFixedPoint(static_cast<double>(input.params.scale / output.params.scale), scale);
}

TfLiteStatus PrepareRelu(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  TfLiteTensor* output = OutputAt(context, node);
  FixedPoint scale;
  if (!HasCounts(node, 1, 1) || !IsInt8(input) || !IsInt8(output) || !IsWhole(*input)) return Refuse(context, "ReLU of other types");
  if (!ReluScale(*input, *output, &scale)) return Refuse(context, "scales of a ReLU");
  return ResizeTo(context, output, ToVector(input->dims));
}

TfLiteStatus InvokeRelu(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  TfLiteTensor* output = OutputAt(context, node);
  FixedPoint scale;
  ReluScale(*input, *output, &scale);
  const int32_t zero_point = output->params.zero_point;
  const CodeRange range = {zero_point < -128 ? -128 : zero_point, 127};
  for (int64_t i = 0; i < ElementCount(*output); ++i) {
    const int64_t value = int64_t{input->data.int8[i]} - input->params.zero_point;
    output->data.int8[i] = range.Clamp(int64_t{Multiply(static_cast<int32_t>(value), scale)} + zero_point);
  }
  return kTfLiteOk;
}

// Of LEAKY_RELU and PRELU: for values from 0 on, and for those below, once these are multiplied by a slope's code or are all alike.
struct SideScales {
  FixedPoint positive, negative;
};

bool LeakyScales(const TfLiteNode& node, const TfLiteTensor& input, const TfLiteTensor& output, SideScales* scales) {
  const double slope = static_cast<double>(input.params.scale * ParametersOf(node).alpha / output.params.scale);
  if (!ReluScale(input, output, &scales->positive) || !ToFixedPoint(std::abs(slope), &scales->negative)) return false;
  if (slope < 0) scales->negative.multiplier *= -1;
  return true;
}

TfLiteStatus PrepareLeakyRelu(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  TfLiteTensor* output = OutputAt(context, node);
  SideScales scales;
  if (node->builtin_data == nullptr || !HasCounts(node, 1, 1)) return Refuse(context, "leaky ReLU without parameters or tensors");
  if (!IsInt8(input) || !IsInt8(output) || !IsWhole(*input)) return Refuse(context, "leaky ReLU of other types");
  if (!HasCodeZeroPoints({input}) || !LeakyScales(*node, *input, *output, &scales)) return Refuse(context, "scales of a leaky ReLU");
  return ResizeTo(context, output, ToVector(input->dims));
}

TfLiteStatus InvokeLeakyRelu(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  TfLiteTensor* output = OutputAt(context, node);
  SideScales scales;
  LeakyScales(*node, *input, *output, &scales);
  for (int64_t i = 0; i < ElementCount(*output); ++i) {
    const int32_t value = input->data.int8[i] - input->params.zero_point;
    const int64_t scaled = Multiply(value, value < 0 ? scales.negative : scales.positive);
    output->data.int8[i] = CodeRange().Clamp(scaled + output->params.zero_point);
  }
  return kTfLiteOk;
}

bool PreluScales(const TfLiteTensor& input, const TfLiteTensor& slopes, const TfLiteTensor& output, SideScales* scales) {
  return ReluScale(input, output, &scales->positive) &&
         ToFixedPoint(static_cast<double>(input.params.scale * slopes.params.scale / output.params.scale), &scales->negative);
}

TfLiteStatus PreparePrelu(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const TfLiteTensor* slopes = InputAt(context, node, 1);
  TfLiteTensor* output = OutputAt(context, node);
  SideScales scales;
  if (!HasCounts(node, 2, 2) || !IsInt8(input) || !IsInt8(slopes) || !IsInt8(output) || !IsWhole(*input) || !IsWhole(*slopes)) {
    return Refuse(context, "PReLU of other types");
  }
  const int rank = input->dims->size;
  if (rank < 1 || slopes->dims->size < 1 || slopes->dims->size > rank || ElementCount(*slopes) != input->dims->data[rank - 1] ||
      slopes->dims->data[slopes->dims->size - 1] != input->dims->data[rank - 1]) {
    return Refuse(context, "PReLU of other slopes");
  }
  if (!HasCodeZeroPoints({input, slopes}) || !PreluScales(*input, *slopes, *output, &scales)) return Refuse(context, "scales of a PReLU");
  return ResizeTo(context, output, ToVector(input->dims));
}

TfLiteStatus InvokePrelu(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const TfLiteTensor* slopes = InputAt(context, node, 1);
  TfLiteTensor* output = OutputAt(context, node);
  SideScales scales;
  PreluScales(*input, *slopes, *output, &scales);
  const int64_t channels = ElementCount(*slopes);
  for (int64_t i = 0; i < ElementCount(*output); ++i) {
    const int32_t value = input->data.int8[i] - input->params.zero_point;
    const int32_t slope = slopes->data.int8[i % channels] - slopes->params.zero_point;
    const int64_t scaled = value < 0 ? Multiply(value * slope, scales.negative) : Multiply(value, scales.positive);
    output->data.int8[i] = CodeRange().Clamp(scaled + output->params.zero_point);
  }
  return kTfLiteOk;
}

}  // namespace

TfLiteRegistration AddRegistration() { return Registration(PrepareAdd, InvokeAdd<false>); }
TfLiteRegistration SubRegistration() { return Registration(PrepareAdd, InvokeAdd<true>); }
TfLiteRegistration MulRegistration() { return Registration(PrepareMul, InvokeMul); }
TfLiteRegistration ExtremumRegistration() { return Registration(PrepareExtremum, InvokeExtremum); }
TfLiteRegistration ReluRegistration() { return Registration(PrepareRelu, InvokeRelu); }
TfLiteRegistration LeakyReluRegistration() { return Registration(PrepareLeakyRelu, InvokeLeakyRelu); }
TfLiteRegistration PreluRegistration() { return Registration(PreparePrelu, InvokePrelu); }

}  // namespace tflite_eq
