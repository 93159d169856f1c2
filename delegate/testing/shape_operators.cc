// PAD, CONCATENATION, RESHAPE, TRANSPOSE and SPLIT: codes move, none is computed. PAD and RESHAPE by a tensor that is no constant have outputs of
// dynamic shape.
#include <cstring>

#include "delegate/testing/operator_helpers.h"
#include "delegate/testing/operators.h"

namespace tflite_eq {
namespace {

constexpr int kMostDimensions = 4;

// The second input of PAD and RESHAPE.
const TfLiteTensor* Int32Input(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* tensor = InputAt(context, node, 1);
  return tensor != nullptr && tensor->type == kTfLiteInt32 && IsWhole(*tensor) ? tensor : nullptr;
}

bool IsConstant(const TfLiteTensor& tensor) { return tensor.allocation_type == kTfLiteMmapRo; }

TfLiteStatus ResizePadded(TfLiteContext* context, const TfLiteTensor& input, const TfLiteTensor& paddings, TfLiteTensor* output) {
  std::vector<int> shape(input.dims->size);
  for (int i = 0; i < input.dims->size; ++i) {
    const int before = paddings.data.i32[2 * i], after = paddings.data.i32[2 * i + 1];
    const int64_t size = int64_t{input.dims->data[i]} + before + after;
    if (before < 0 || after < 0 || size > INT32_MAX) return Refuse(context, "negative paddings");
    shape[i] = static_cast<int>(size);
  }
  return ResizeTo(context, output, shape);
}

TfLiteStatus PreparePad(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const TfLiteTensor* paddings = Int32Input(context, node);
  TfLiteTensor* output = OutputAt(context, node);
  if (!HasCounts(node, 2, 2)) return Refuse(context, "PAD of other tensors");
  if (!IsInt8(input) || !IsInt8(output) || paddings == nullptr || !IsWhole(*input)) return Refuse(context, "PAD of other types");
  const int rank = input->dims->size;
  if (rank > kMostDimensions || ToVector(paddings->dims) != std::vector<int>{rank, 2}) return Refuse(context, "paddings");
  if (input->params.scale != output->params.scale || input->params.zero_point != output->params.zero_point ||
      output->params.zero_point < -128 || output->params.zero_point > 127) {
    return Refuse(context, "PAD that changes the scale");
  }
  if (IsConstant(*paddings)) return ResizePadded(context, *input, *paddings, output);
  if (IsConstant(*output)) return Refuse(context, "PAD into a constant");
  MakeDynamic(output);
  return kTfLiteOk;
}

TfLiteStatus InvokePad(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const TfLiteTensor* paddings = InputAt(context, node, 1);
  TfLiteTensor* output = OutputAt(context, node);
  if (!IsConstant(*paddings) && ResizePadded(context, *input, *paddings, output) != kTfLiteOk) return kTfLiteError;
  if (output->bytes > 0) memset(output->data.raw, output->params.zero_point, output->bytes);
  if (ElementCount(*input) == 0) return kTfLiteOk;
  // Absent leading dimensions have size 1.
  int64_t size[kMostDimensions] = {1, 1, 1, 1}, padded[kMostDimensions] = {1, 1, 1, 1}, before[kMostDimensions] = {};
  for (int i = 0; i < input->dims->size; ++i) {
    const int to = kMostDimensions - input->dims->size + i;
    size[to] = input->dims->data[i];
    padded[to] = output->dims->data[i];
    before[to] = paddings->data.i32[2 * i];
  }
  const int8_t* from = input->data.int8;
  for (int64_t n = 0; n < size[0]; ++n) {
    for (int64_t y = 0; y < size[1]; ++y) {
      for (int64_t x = 0; x < size[2]; ++x, from += size[3]) {
        const int64_t pixel = ((n + before[0]) * padded[1] + y + before[1]) * padded[2] + x + before[2];
        memcpy(output->data.int8 + pixel * padded[3] + before[3], from, static_cast<size_t>(size[3]));
      }
    }
  }
  return kTfLiteOk;
}

// The axis, or -1.
int AxisOf(const TfLiteNode& node, int rank) {
  const int axis = ParametersOf(node).axis;
  const int counted = axis < 0 ? axis + rank : axis;
  return counted >= 0 && counted < rank ? counted : -1;
}

TfLiteStatus PrepareConcatenation(TfLiteContext* context, TfLiteNode* node) {
  TfLiteTensor* output = OutputAt(context, node);
  const TfLiteTensor* first = InputAt(context, node, 0);
  if (!HasCounts(node, 1, node->inputs->size) || !IsInt8(output) || first == nullptr) return Refuse(context, "CONCATENATION of other types");
  const int axis = AxisOf(*node, first->dims->size);
  if (axis < 0 || ParametersOf(*node).geometry.activation != kTfLiteActNone) return Refuse(context, "axis");
  std::vector<int> shape = ToVector(first->dims);
  int64_t sum = 0;
  for (int i = 0; i < node->inputs->size; ++i) {
    const TfLiteTensor* input = InputAt(context, node, i);
    if (!IsInt8(input) || !IsWhole(*input) || input->params.scale != output->params.scale ||
        input->params.zero_point != output->params.zero_point) {
      return Refuse(context, "CONCATENATION that changes the scale");
    }
    std::vector<int> other = ToVector(input->dims);
    if (other.size() != shape.size()) return Refuse(context, "CONCATENATION of different ranks");
    sum += other[axis];
    other[axis] = shape[axis];
    if (other != shape) return Refuse(context, "CONCATENATION of different shapes");
  }
  if (sum > INT32_MAX) return Refuse(context, "CONCATENATION of large tensors");
  shape[axis] = static_cast<int>(sum);
  return ResizeTo(context, output, shape);
}

TfLiteStatus InvokeConcatenation(TfLiteContext* context, TfLiteNode* node) {
  TfLiteTensor* output = OutputAt(context, node);
  if (ElementCount(*output) == 0) return kTfLiteOk;
  const int axis = AxisOf(*node, output->dims->size);
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= output->dims->data[i];
  for (int i = axis + 1; i < output->dims->size; ++i) inner *= output->dims->data[i];
  int8_t* to = output->data.int8;
  for (int64_t o = 0; o < outer; ++o) {
    for (int i = 0; i < node->inputs->size; ++i) {
      const TfLiteTensor* input = InputAt(context, node, i);
      const int64_t bytes = input->dims->data[axis] * inner;
      if (bytes > 0) memcpy(to, input->data.int8 + o * bytes, static_cast<size_t>(bytes));
      to += bytes;
    }
  }
  return kTfLiteOk;
}

TfLiteStatus ResizeReshaped(TfLiteContext* context, const TfLiteTensor& input, const TfLiteTensor& shape, TfLiteTensor* output) {
  std::vector<int> sizes(shape.data.i32, shape.data.i32 + ElementCount(shape));
  int64_t product = 1;
  int open = -1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == -1 && open < 0) {
      open = static_cast<int>(i);
    } else if (sizes[i] < 0 || (product *= sizes[i]) > INT32_MAX) {
      return Refuse(context, "RESHAPE to a negative or large size");
    }
  }
  if (open >= 0) {
    if (product == 0) return Refuse(context, "RESHAPE to an open size among empty ones");
    sizes[open] = static_cast<int>(ElementCount(input) / product);
    product *= sizes[open];
  }
  if (product != ElementCount(input)) return Refuse(context, "RESHAPE to another number of elements");
  return ResizeTo(context, output, sizes);
}

TfLiteStatus PrepareReshape(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const TfLiteTensor* shape = Int32Input(context, node);
  TfLiteTensor* output = OutputAt(context, node);
  if (!HasCounts(node, 2, 2)) return Refuse(context, "RESHAPE of other tensors");
  if (!IsInt8(input) || !IsInt8(output) || shape == nullptr || !IsWhole(*input)) return Refuse(context, "RESHAPE of other types");
  if (!HasRank(shape, 1)) return Refuse(context, "RESHAPE by another rank");
  if (IsConstant(*shape)) return ResizeReshaped(context, *input, *shape, output);
  if (IsConstant(*output)) return Refuse(context, "RESHAPE into a constant");
  MakeDynamic(output);
  return kTfLiteOk;
}

TfLiteStatus InvokeReshape(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const TfLiteTensor* shape = InputAt(context, node, 1);
  TfLiteTensor* output = OutputAt(context, node);
  if (!IsConstant(*shape) && ResizeReshaped(context, *input, *shape, output) != kTfLiteOk) return kTfLiteError;
  if (output->bytes > 0) memcpy(output->data.raw, input->data.raw, output->bytes);
  return kTfLiteOk;
}

bool SameScale(const TfLiteTensor& first, const TfLiteTensor& second) {
  return first.params.scale == second.params.scale && first.params.zero_point == second.params.zero_point;
}

TfLiteStatus PrepareTranspose(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const TfLiteTensor* order = Int32Input(context, node);
  TfLiteTensor* output = OutputAt(context, node);
  if (!HasCounts(node, 2, 2)) return Refuse(context, "TRANSPOSE of other tensors");
  if (!IsInt8(input) || !IsInt8(output) || order == nullptr || !IsWhole(*input) || !IsConstant(*order)) {
    return Refuse(context, "TRANSPOSE of other types");
  }
  if (!SameScale(*input, *output)) return Refuse(context, "TRANSPOSE that changes the scale");
  const int rank = input->dims->size;
  if (rank > kMostDimensions || ToVector(order->dims) != std::vector<int>{rank}) return Refuse(context, "order of another rank");
  std::vector<int> shape(static_cast<size_t>(rank));
  std::vector<bool> seen(shape.size(), false);
  for (int d = 0; d < rank; ++d) {
    const int from = order->data.i32[d];
    if (from < 0 || from >= rank || seen[static_cast<size_t>(from)]) return Refuse(context, "order");
    seen[static_cast<size_t>(from)] = true;
    shape[static_cast<size_t>(d)] = input->dims->data[from];
  }
  return ResizeTo(context, output, shape);
}

// Every code of the input goes to its place.
TfLiteStatus InvokeTranspose(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  const int32_t* order = InputAt(context, node, 1)->data.i32;
  TfLiteTensor* output = OutputAt(context, node);
  const int rank = input->dims->size;
  for (int64_t i = 0; i < ElementCount(*input); ++i) {
    int64_t index[kMostDimensions] = {}, left = i, to = 0;
    for (int d = rank - 1; d >= 0; --d) {
      index[d] = left % input->dims->data[d];
      left /= input->dims->data[d];
    }
    for (int d = 0; d < rank; ++d) to = to * output->dims->data[d] + index[order[d]];
    output->data.int8[to] = input->data.int8[i];
  }
  return kTfLiteOk;
}

// The axis, or -1.
int SplitAxis(TfLiteContext* context, const TfLiteNode* node) {
  const TfLiteTensor* axis = InputAt(context, node, 0);
  const TfLiteTensor* input = InputAt(context, node, 1);
  if (axis->type != kTfLiteInt32 || !IsConstant(*axis) || !IsWhole(*axis) || ElementCount(*axis) != 1) return -1;
  const int counted = *axis->data.i32 < 0 ? *axis->data.i32 + input->dims->size : *axis->data.i32;
  return counted >= 0 && counted < input->dims->size ? counted : -1;
}

TfLiteStatus PrepareSplit(TfLiteContext* context, TfLiteNode* node) {
  const int pieces = node->outputs->size;
  const TfLiteTensor* input = InputAt(context, node, 1);
  if (node->inputs->size != 2 || pieces < 1 || InputAt(context, node, 0) == nullptr) return Refuse(context, "SPLIT of other tensors");
  if (!IsInt8(input) || !IsWhole(*input)) return Refuse(context, "SPLIT of other types");
  const int axis = SplitAxis(context, node);
  if (axis < 0 || input->dims->data[axis] % pieces != 0) return Refuse(context, "SPLIT along another axis");
  std::vector<int> shape = ToVector(input->dims);
  shape[static_cast<size_t>(axis)] /= pieces;
  for (int i = 0; i < pieces; ++i) {
    TfLiteTensor* output = TensorAt(context, node->outputs, i);
    if (!IsInt8(output) || !SameScale(*input, *output)) return Refuse(context, "SPLIT that changes the scale");
    if (ResizeTo(context, output, shape) != kTfLiteOk) return kTfLiteError;
  }
  return kTfLiteOk;
}

TfLiteStatus InvokeSplit(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 1);
  if (ElementCount(*input) == 0) return kTfLiteOk;
  const int axis = SplitAxis(context, node);
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= input->dims->data[i];
  for (int i = axis; i < input->dims->size; ++i) inner *= input->dims->data[i];
  const int64_t piece = inner / node->outputs->size;
  const int8_t* from = input->data.int8;
  for (int64_t o = 0; o < outer; ++o) {
    for (int i = 0; i < node->outputs->size; ++i, from += piece) {
      memcpy(TensorAt(context, node->outputs, i)->data.int8 + o * piece, from, static_cast<size_t>(piece));
    }
  }
  return kTfLiteOk;
}

}  // namespace

TfLiteRegistration SplitRegistration() { return Registration(PrepareSplit, InvokeSplit); }
TfLiteRegistration TransposeRegistration() { return Registration(PrepareTranspose, InvokeTranspose); }
TfLiteRegistration PadRegistration() { return Registration(PreparePad, InvokePad); }
TfLiteRegistration ConcatenationRegistration() { return Registration(PrepareConcatenation, InvokeConcatenation); }
TfLiteRegistration ReshapeRegistration() { return Registration(PrepareReshape, InvokeReshape); }

}  // namespace tflite_eq
