// Operators that move codes, each as the place where a value of an output comes from: SLICE, STRIDED_SLICE, SPLIT_V, UNPACK, PACK,
// SPACE_TO_DEPTH, DEPTH_TO_SPACE, MIRROR_PAD, PADV2, EXPAND_DIMS, SQUEEZE.
#include <algorithm>
#include <functional>
#include <optional>

#include "delegate/testing/operator_helpers.h"
#include "delegate/testing/operators.h"

namespace tflite_eq {
namespace {

using Index = std::vector<int64_t>;
using Ints = std::vector<int32_t>;

// Where a value comes from: the position of an input of the node, and the value's place in it.
struct Source {
  int input;
  Index place;
};

struct Movement {
  std::vector<int> shape;  // of the output
  std::function<Source(const Index&)> source;
};

std::optional<Movement> Impossible() { return std::nullopt; }

// A node's constant int32 input, which has at most one dimension but for paddings.
std::optional<Ints> Numbers(const TfLiteContext* context, const TfLiteNode* node, int position) {
  const TfLiteTensor* tensor = InputAt(context, node, position);
  if (tensor == nullptr || tensor->type != kTfLiteInt32 || tensor->allocation_type != kTfLiteMmapRo || !IsWhole(*tensor)) {
    return std::nullopt;
  }
  return Ints(tensor->data.i32, tensor->data.i32 + ElementCount(*tensor));
}

std::optional<int> Axis(int64_t axis, size_t rank) {
  const int64_t counted = axis < 0 ? axis + static_cast<int64_t>(rank) : axis;
  if (counted < 0 || counted >= static_cast<int64_t>(rank)) return std::nullopt;
  return static_cast<int>(counted);
}

// Values `first`, `first` + `step`, ... along every axis of input 0.
Movement Steps(std::vector<int> shape, Index first, Index step) {
  return {std::move(shape), [first, step](const Index& to) {
            Index from(to.size());
            for (size_t d = 0; d < to.size(); ++d) from[d] = first[d] + to[d] * step[d];
            return Source{0, from};
          }};
}

std::optional<Movement> Slice(const TfLiteContext* context, const TfLiteNode* node, std::vector<int> shape) {
  const auto begin = Numbers(context, node, 1), size = Numbers(context, node, 2);
  if (!begin || !size || begin->size() != shape.size() || size->size() != shape.size()) return Impossible();
  Index first(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) {
    const int64_t count = (*size)[d] == -1 ? int64_t{shape[d]} - (*begin)[d] : (*size)[d];
    if ((*begin)[d] < 0 || count < 0 || (*begin)[d] + count > shape[d]) return Impossible();
    first[d] = (*begin)[d];
    shape[d] = static_cast<int>(count);
  }
  return Steps(shape, first, Index(shape.size(), 1));
}

std::optional<Movement> StridedSlice(const TfLiteContext* context, const TfLiteNode* node, const std::vector<int>& shape) {
  const TestNode& p = ParametersOf(*node);
  const auto begin = Numbers(context, node, 1), end = Numbers(context, node, 2), strides = Numbers(context, node, 3);
  if (!begin || !end || !strides || begin->size() > shape.size() || end->size() != begin->size() || strides->size() != begin->size()) {
    return Impossible();
  }
  std::vector<int> left;
  std::vector<bool> stays(shape.size(), true);
  Index first(shape.size(), 0), step(shape.size(), 1);
  for (size_t d = 0; d < shape.size(); ++d) {
    const int64_t size = shape[d];
    if (d >= begin->size()) {
      left.push_back(shape[d]);
      continue;
    }
    const int64_t stride = (*strides)[d];
    if (stride == 0) return Impossible();
    const auto place = [&](int64_t number, bool masked, bool last) {
      if (masked) return last == (stride > 0) ? (stride > 0 ? size : size - 1) : (stride > 0 ? int64_t{0} : int64_t{-1});
      const int64_t counted = number < 0 ? number + size : number;
      return std::clamp<int64_t>(counted, stride > 0 ? 0 : -1, stride > 0 ? size : size - 1);
    };
    step[d] = stride;
    if ((p.shrink_mask >> d & 1) != 0) {
      const int64_t one = (p.begin_mask >> d & 1) != 0 ? 0 : (*begin)[d] < 0 ? (*begin)[d] + size : (*begin)[d];
      if (stride != 1 || one < 0 || one >= size) return Impossible();
      first[d] = one;
      stays[d] = false;
      continue;
    }
    first[d] = place((*begin)[d], (p.begin_mask >> d & 1) != 0, false);
    const int64_t stop = place((*end)[d], (p.end_mask >> d & 1) != 0, true);
    const int64_t span = stride > 0 ? stop - first[d] : first[d] - stop, stride_size = stride > 0 ? stride : -stride;
    left.push_back(span > 0 ? static_cast<int>((span + stride_size - 1) / stride_size) : 0);
  }
  return Movement{left, [first, step, stays](const Index& to) {
                    Index from = first;
                    size_t next = 0;
                    for (size_t d = 0; d < from.size(); ++d) {
                      if (stays[d]) from[d] += to[next++] * step[d];
                    }
                    return Source{0, from};
                  }};
}

std::optional<Movement> SplitV(const TfLiteContext* context, const TfLiteNode* node, std::vector<int> shape, int which) {
  auto sizes = Numbers(context, node, 1);
  const auto number = Numbers(context, node, 2);
  if (!sizes || !number || number->size() != 1 || sizes->size() != static_cast<size_t>(node->outputs->size)) return Impossible();
  const auto axis = Axis((*number)[0], shape.size());
  if (!axis) return Impossible();
  const auto d = static_cast<size_t>(*axis);
  int64_t sum = 0;
  int32_t* open = nullptr;
  for (int32_t& size : *sizes) {
    if (size < -1 || (size == -1 && open != nullptr)) return Impossible();
    if (size == -1) open = &size;
    else sum += size;
  }
  if (sum > shape[d] || (open == nullptr && sum != shape[d])) return Impossible();
  if (open != nullptr) *open = static_cast<int32_t>(shape[d] - sum);
  Index first(shape.size(), 0);
  for (int i = 0; i < which; ++i) first[d] += (*sizes)[static_cast<size_t>(i)];
  shape[d] = (*sizes)[static_cast<size_t>(which)];
  return Steps(shape, first, Index(shape.size(), 1));
}

std::optional<Movement> Unpack(const TfLiteNode* node, std::vector<int> shape, int which) {
  const auto axis = Axis(ParametersOf(*node).axis, shape.size());
  if (!axis || shape[static_cast<size_t>(*axis)] != node->outputs->size) return Impossible();
  shape.erase(shape.begin() + *axis);
  return Movement{shape, [axis, which](Index to) {
                    to.insert(to.begin() + *axis, which);
                    return Source{0, to};
                  }};
}

std::optional<Movement> Pack(const TfLiteContext* context, const TfLiteNode* node, std::vector<int> shape) {
  const auto axis = Axis(ParametersOf(*node).axis, shape.size() + 1);
  for (int i = 0; i < node->inputs->size; ++i) {
    const TfLiteTensor* input = InputAt(context, node, i);
    if (!IsInt8(input) || !IsWhole(*input) || ToVector(input->dims) != shape) return Impossible();
  }
  if (!axis) return Impossible();
  shape.insert(shape.begin() + *axis, node->inputs->size);
  return Movement{shape, [axis](Index to) {
                    const int input = static_cast<int>(to[static_cast<size_t>(*axis)]);
                    to.erase(to.begin() + *axis);
                    return Source{input, to};
                  }};
}

// Pixels of a block to channels, or back.
std::optional<Movement> Block(const TfLiteNode* node, std::vector<int> shape, bool to_depth) {
  const int block = ParametersOf(*node).block;
  if (shape.size() != 4 || block < 1 || block > 1 << 10) return Impossible();
  const int area = block * block;
  if (to_depth ? shape[1] % block != 0 || shape[2] % block != 0 : shape[3] % area != 0) return Impossible();
  const int64_t depth = to_depth ? shape[3] : shape[3] / area;
  const int64_t sizes[] = {to_depth ? shape[1] / block : int64_t{shape[1]} * block, to_depth ? shape[2] / block : int64_t{shape[2]} * block,
                           to_depth ? depth * area : depth};
  for (int d = 0; d < 3; ++d) {
    if (sizes[d] > INT32_MAX) return Impossible();
    shape[static_cast<size_t>(d) + 1] = static_cast<int>(sizes[d]);
  }
  return Movement{shape, [block, depth, to_depth](const Index& to) {
                    if (!to_depth) {
                      const int64_t part = to[1] % block * block + to[2] % block;
                      return Source{0, {to[0], to[1] / block, to[2] / block, part * depth + to[3]}};
                    }
                    const int64_t part = to[3] / depth;
                    return Source{0, {to[0], to[1] * block + part / block, to[2] * block + part % block, to[3] % depth}};
                  }};
}

std::optional<Movement> Padded(const TfLiteContext* context, const TfLiteNode* node, const std::vector<int>& shape) {
  const TestNode& p = ParametersOf(*node);
  const bool mirror = p.code == kOperatorMirrorPad;
  const auto paddings = Numbers(context, node, 1);
  const TfLiteTensor* tensor = InputAt(context, node, 1);
  const int rank = static_cast<int>(shape.size());
  if (!paddings || rank > 4 || ToVector(tensor->dims) != std::vector<int>{rank, 2}) return Impossible();
  if (!mirror) {
    const TfLiteTensor* value = InputAt(context, node, 2);
    const TfLiteTensor* output = OutputAt(context, node);
    if (!IsInt8(value) || value->allocation_type != kTfLiteMmapRo || !IsWhole(*value) || ElementCount(*value) != 1 ||
        value->params.scale != output->params.scale || value->params.zero_point != output->params.zero_point) {
      return Impossible();
    }
  }
  // The one at the edge is not repeated.
  const int64_t edge = p.mirror_symmetric ? 0 : 1;
  std::vector<int> padded = shape;
  for (size_t d = 0; d < shape.size(); ++d) {
    const int64_t before = (*paddings)[2 * d], after = (*paddings)[2 * d + 1], size = before + shape[d] + after;
    const bool reaches = mirror && std::max(before, after) > shape[d] - edge;
    if (before < 0 || after < 0 || size > INT32_MAX || reaches) return Impossible();
    padded[d] = static_cast<int>(size);
  }
  return Movement{padded, [paddings, shape, mirror, edge](const Index& to) {
                    Source from = {0, to};
                    for (size_t d = 0; d < to.size(); ++d) {
                      int64_t& place = from.place[d];
                      place -= (*paddings)[2 * d];
                      if (place >= 0 && place < shape[d]) continue;
                      if (!mirror) return Source{2, {}};
                      place = place < 0 ? -place - 1 + edge : 2 * int64_t{shape[d]} - 1 - place - edge;
                    }
                    return from;
                  }};
}

std::optional<Movement> ExpandDims(const TfLiteContext* context, const TfLiteNode* node, std::vector<int> shape) {
  const auto number = Numbers(context, node, 1);
  if (!number || number->size() != 1) return Impossible();
  const auto axis = Axis((*number)[0], shape.size() + 1);
  if (!axis) return Impossible();
  shape.insert(shape.begin() + *axis, 1);
  return Movement{shape, [axis](Index to) {
                    to.erase(to.begin() + *axis);
                    return Source{0, to};
                  }};
}

std::optional<Movement> Squeeze(const TfLiteNode* node, const std::vector<int>& shape) {
  const TestNode& p = ParametersOf(*node);
  std::vector<bool> goes(shape.size(), p.squeeze_dims.empty());
  for (int number : p.squeeze_dims) {
    const auto axis = Axis(number, shape.size());
    if (!axis || shape[static_cast<size_t>(*axis)] != 1) return Impossible();
    goes[static_cast<size_t>(*axis)] = true;
  }
  std::vector<int> left;
  for (size_t d = 0; d < shape.size(); ++d) {
    goes[d] = goes[d] && shape[d] == 1;
    if (!goes[d]) left.push_back(shape[d]);
  }
  return Movement{left, [goes](const Index& to) {
                    Source from = {0, Index(goes.size(), 0)};
                    size_t next = 0;
                    for (size_t d = 0; d < goes.size(); ++d) {
                      if (!goes[d]) from.place[d] = to[next++];
                    }
                    return from;
                  }};
}

std::optional<Movement> MovementOf(const TfLiteContext* context, const TfLiteNode* node, int which) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  if (!IsInt8(input) || !IsWhole(*input)) return Impossible();
  const std::vector<int> shape = ToVector(input->dims);
  switch (ParametersOf(*node).code) {
    case kOperatorSlice:
      return Slice(context, node, shape);
    case kOperatorStridedSlice:
      return StridedSlice(context, node, shape);
    case kOperatorSplitV:
      return SplitV(context, node, shape, which);
    case kOperatorUnpack:
      return Unpack(node, shape, which);
    case kOperatorPack:
      return Pack(context, node, shape);
    case kOperatorSpaceToDepth:
    case kOperatorDepthToSpace:
      return Block(node, shape, ParametersOf(*node).code == kOperatorSpaceToDepth);
    case kOperatorMirrorPad:
    case kOperatorPadv2:
      return Padded(context, node, shape);
    case kOperatorExpandDims:
      return ExpandDims(context, node, shape);
    default:
      return Squeeze(node, shape);
  }
}

// How many inputs a node has, PACK's excepted.
int InputCount(int code) {
  switch (code) {
    case kOperatorUnpack:
    case kOperatorSpaceToDepth:
    case kOperatorDepthToSpace:
    case kOperatorSqueeze:
      return 1;
    case kOperatorSlice:
    case kOperatorSplitV:
    case kOperatorPadv2:
      return 3;
    case kOperatorStridedSlice:
      return 4;
    default:
      return 2;
  }
}

bool ReadsParameters(int code) {
  return code != kOperatorSlice && code != kOperatorSplitV && code != kOperatorPadv2 && code != kOperatorExpandDims;
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  const int code = ParametersOf(*node).code, outputs = node->outputs->size;
  const bool several = code == kOperatorSplitV || code == kOperatorUnpack;
  if (code == kOperatorPack ? node->inputs->size < 1 : node->inputs->size != InputCount(code)) return Refuse(context, "inputs of a move");
  if (outputs < 1 || (outputs > 1 && !several)) return Refuse(context, "outputs of a move");
  if (node->builtin_data == nullptr && ReadsParameters(code)) return Refuse(context, "a move without parameters");
  for (int i = 0; i < outputs; ++i) {
    TfLiteTensor* output = TensorAt(context, node->outputs, i);
    if (!IsInt8(output)) return Refuse(context, "a move of other types");
    for (int k = 0; k < (code == kOperatorPack ? node->inputs->size : 1); ++k) {
      const TfLiteTensor* input = InputAt(context, node, k);
      if (input == nullptr || input->params.scale != output->params.scale || input->params.zero_point != output->params.zero_point) {
        return Refuse(context, "a move that changes the scale");
      }
    }
    const std::optional<Movement> movement = MovementOf(context, node, i);
    if (!movement) return Refuse(context, "a move of other sizes");
    if (ResizeTo(context, output, movement->shape) != kTfLiteOk) return kTfLiteError;
  }
  return kTfLiteOk;
}

TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node) {
  for (int i = 0; i < node->outputs->size; ++i) {
    TfLiteTensor* output = TensorAt(context, node->outputs, i);
    const std::optional<Movement> movement = MovementOf(context, node, i);
    if (!movement || ToVector(output->dims) != movement->shape) return Refuse(context, "a move of other sizes than prepared");
    Index to(movement->shape.size(), 0);
    for (int64_t k = 0; k < ElementCount(*output); ++k) {
      const Source from = movement->source(to);
      const TfLiteTensor* input = InputAt(context, node, from.input);
      int64_t place = 0;
      for (size_t d = 0; d < from.place.size(); ++d) place = place * input->dims->data[d] + from.place[d];
      output->data.int8[k] = input->data.int8[place];
      for (size_t d = to.size(); d-- > 0;) {
        if (++to[d] < movement->shape[d]) break;
        to[d] = 0;
      }
    }
  }
  return kTfLiteOk;
}

}  // namespace

TfLiteRegistration MovementRegistration() { return Registration(Prepare, Invoke); }

}  // namespace tflite_eq
