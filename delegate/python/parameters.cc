#include "delegate/python/parameters.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <initializer_list>

#include "delegate/tflite_abi.h"

namespace tflite_eq {
namespace {

enum class FieldType { kInt, kFloat, kBool, kPadding, kMirrorPadding, kInts };

// Where an option goes.
struct Field {
  const char* option = nullptr;
  FieldType type = FieldType::kInt;
  size_t offset = 0;
  size_t count_offset = 0;  // of kInts: where their number goes
  size_t most = 0;          // of kInts: how many there is room for
};

struct Fields {
  constexpr Fields(std::initializer_list<Field> fields) {
    for (const Field& field : fields) items[count++] = field;
  }
  const Field* begin() const { return items; }
  const Field* end() const { return items + count; }

  Field items[8] = {};
  int count = 0;
};

struct Structure {
  int32_t builtin_code;
  size_t bytes;
  Fields fields;
};

#define FIELD(structure, option, type, member) {option, FieldType::type, offsetof(structure, member)}
#define INTS(structure, option, member, number)                            \
  {option, FieldType::kInts, offsetof(structure, member), offsetof(structure, number), \
   sizeof(structure::member) / sizeof(int)}

template <typename Parameters>
constexpr Fields ActivationOnly() {
  return {FIELD(Parameters, "fusedActivationFunction", kInt, activation)};
}

constexpr Fields Pooling() {
  return {FIELD(TfLitePoolParams, "padding", kPadding, padding), FIELD(TfLitePoolParams, "strideW", kInt, stride_width),
          FIELD(TfLitePoolParams, "strideH", kInt, stride_height), FIELD(TfLitePoolParams, "filterWidth", kInt, filter_width),
          FIELD(TfLitePoolParams, "filterHeight", kInt, filter_height),
          FIELD(TfLitePoolParams, "fusedActivationFunction", kInt, activation)};
}

template <typename Parameters>
constexpr Fields Resizing() {
  return {FIELD(Parameters, "alignCorners", kBool, align_corners),
          FIELD(Parameters, "halfPixelCenters", kBool, half_pixel_centers)};
}

// Operators that are not listed have no parameters, or none that this library reads.
constexpr Structure kStructures[] = {
    {kTfLiteBuiltinAdd, sizeof(TfLiteAddParams), ActivationOnly<TfLiteAddParams>()},
    {kTfLiteBuiltinAveragePool2d, sizeof(TfLitePoolParams), Pooling()},
    {kTfLiteBuiltinConcatenation,
     sizeof(TfLiteConcatenationParams),
     {FIELD(TfLiteConcatenationParams, "axis", kInt, axis),
      FIELD(TfLiteConcatenationParams, "fusedActivationFunction", kInt, activation)}},
    {kTfLiteBuiltinConv2d,
     sizeof(TfLiteConvParams),
     {FIELD(TfLiteConvParams, "padding", kPadding, padding), FIELD(TfLiteConvParams, "strideW", kInt, stride_width),
      FIELD(TfLiteConvParams, "strideH", kInt, stride_height),
      FIELD(TfLiteConvParams, "fusedActivationFunction", kInt, activation),
      FIELD(TfLiteConvParams, "dilationWFactor", kInt, dilation_width_factor),
      FIELD(TfLiteConvParams, "dilationHFactor", kInt, dilation_height_factor)}},
    {kTfLiteBuiltinDepthwiseConv2d,
     sizeof(TfLiteDepthwiseConvParams),
     {FIELD(TfLiteDepthwiseConvParams, "padding", kPadding, padding),
      FIELD(TfLiteDepthwiseConvParams, "strideW", kInt, stride_width),
      FIELD(TfLiteDepthwiseConvParams, "strideH", kInt, stride_height),
      FIELD(TfLiteDepthwiseConvParams, "depthMultiplier", kInt, depth_multiplier),
      FIELD(TfLiteDepthwiseConvParams, "fusedActivationFunction", kInt, activation),
      FIELD(TfLiteDepthwiseConvParams, "dilationWFactor", kInt, dilation_width_factor),
      FIELD(TfLiteDepthwiseConvParams, "dilationHFactor", kInt, dilation_height_factor)}},
    {kTfLiteBuiltinDepthToSpace, sizeof(TfLiteDepthToSpaceParams), {FIELD(TfLiteDepthToSpaceParams, "blockSize", kInt, block_size)}},
    {kTfLiteBuiltinGelu, sizeof(TfLiteGeluParams), {FIELD(TfLiteGeluParams, "approximate", kBool, approximate)}},
    {kTfLiteBuiltinLeakyRelu, sizeof(TfLiteLeakyReluParams), {FIELD(TfLiteLeakyReluParams, "alpha", kFloat, alpha)}},
    {kTfLiteBuiltinMaxPool2d, sizeof(TfLitePoolParams), Pooling()},
    {kTfLiteBuiltinMean, sizeof(TfLiteReducerParams), {FIELD(TfLiteReducerParams, "keepDims", kBool, keep_dims)}},
    {kTfLiteBuiltinMirrorPad,
     sizeof(TfLiteMirrorPaddingParams),
     {FIELD(TfLiteMirrorPaddingParams, "mode", kMirrorPadding, mode)}},
    {kTfLiteBuiltinMul, sizeof(TfLiteMulParams), ActivationOnly<TfLiteMulParams>()},
    {kTfLiteBuiltinPack,
     sizeof(TfLitePackParams),
     {FIELD(TfLitePackParams, "valuesCount", kInt, values_count), FIELD(TfLitePackParams, "axis", kInt, axis)}},
    {kTfLiteBuiltinReduceMax, sizeof(TfLiteReducerParams), {FIELD(TfLiteReducerParams, "keepDims", kBool, keep_dims)}},
    {kTfLiteBuiltinReduceMin, sizeof(TfLiteReducerParams), {FIELD(TfLiteReducerParams, "keepDims", kBool, keep_dims)}},
    {kTfLiteBuiltinReshape, sizeof(TfLiteReshapeParams), {INTS(TfLiteReshapeParams, "newShape", shape, num_dimensions)}},
    {kTfLiteBuiltinResizeBilinear, sizeof(TfLiteResizeBilinearParams), Resizing<TfLiteResizeBilinearParams>()},
    {kTfLiteBuiltinResizeNearestNeighbor, sizeof(TfLiteResizeNearestNeighborParams),
     Resizing<TfLiteResizeNearestNeighborParams>()},
    {kTfLiteBuiltinSpaceToDepth, sizeof(TfLiteSpaceToDepthParams), {FIELD(TfLiteSpaceToDepthParams, "blockSize", kInt, block_size)}},
    {kTfLiteBuiltinSqueeze,
     sizeof(TfLiteSqueezeParams),
     {INTS(TfLiteSqueezeParams, "squeezeDims", squeeze_dims, num_squeeze_dims)}},
    {kTfLiteBuiltinStridedSlice,
     sizeof(TfLiteStridedSliceParams),
     {FIELD(TfLiteStridedSliceParams, "beginMask", kInt, begin_mask), FIELD(TfLiteStridedSliceParams, "endMask", kInt, end_mask),
      FIELD(TfLiteStridedSliceParams, "ellipsisMask", kInt, ellipsis_mask),
      FIELD(TfLiteStridedSliceParams, "newAxisMask", kInt, new_axis_mask),
      FIELD(TfLiteStridedSliceParams, "shrinkAxisMask", kInt, shrink_axis_mask),
      FIELD(TfLiteStridedSliceParams, "offset", kBool, offset)}},
    {kTfLiteBuiltinSub, sizeof(TfLiteSubParams), ActivationOnly<TfLiteSubParams>()},
    {kTfLiteBuiltinTransposeConv,
     sizeof(TfLiteTransposeConvParams),
     {FIELD(TfLiteTransposeConvParams, "padding", kPadding, padding), FIELD(TfLiteTransposeConvParams, "strideW", kInt, stride_width),
      FIELD(TfLiteTransposeConvParams, "strideH", kInt, stride_height),
      FIELD(TfLiteTransposeConvParams, "fusedActivationFunction", kInt, activation)}},
    {kTfLiteBuiltinUnpack,
     sizeof(TfLiteUnpackParams),
     {FIELD(TfLiteUnpackParams, "num", kInt, num), FIELD(TfLiteUnpackParams, "axis", kInt, axis)}},
};

#undef FIELD
#undef INTS

template <typename T>
void Store(char* structure, size_t offset, T value) {
  memcpy(structure + offset, &value, sizeof(value));
}

int32_t PaddingCode(int schema_code) {
  return schema_code == 0 ? kTfLitePaddingSame : schema_code == 1 ? kTfLitePaddingValid : kTfLitePaddingUnknown;
}

int32_t MirrorPaddingCode(int schema_code) {
  return schema_code == 0   ? kTfLiteMirrorPaddingReflect
         : schema_code == 1 ? kTfLiteMirrorPaddingSymmetric
                            : kTfLiteMirrorPaddingUnknown;
}

bool IsNumber(const EqOption& option) { return option.type == kIntOption || option.type == kBoolOption; }

bool FitsInt32(const EqOption& option) { return option.number >= INT32_MIN && option.number <= INT32_MAX; }

// False where the value is of another type, or too large.
bool Fill(const Field& field, const EqOption& option, char* structure) {
  switch (field.type) {
    case FieldType::kInt:
    case FieldType::kPadding:
    case FieldType::kMirrorPadding: {
      if (!IsNumber(option) || !FitsInt32(option)) return false;
      const int32_t value = static_cast<int32_t>(option.number);
      Store(structure, field.offset,
            field.type == FieldType::kPadding         ? PaddingCode(value)
            : field.type == FieldType::kMirrorPadding ? MirrorPaddingCode(value)
                                                      : value);
      return true;
    }
    case FieldType::kFloat:
      if (!IsNumber(option) && option.type != kFloatOption) return false;
      Store(structure, field.offset, static_cast<float>(IsNumber(option) ? static_cast<double>(option.number) : option.real));
      return true;
    case FieldType::kBool:
      if (option.type != kBoolOption) return false;
      Store(structure, field.offset, option.number != 0);
      return true;
    case FieldType::kInts:
      if (option.type != kIntsOption || static_cast<size_t>(option.count) > field.most) return false;
      if (option.count > 0) memcpy(structure + field.offset, option.list, static_cast<size_t>(option.count) * sizeof(int));
      Store(structure, field.count_offset, option.count);
      return true;
  }
  return false;
}

const EqOption* Find(const EqNode& node, const char* name) {
  for (int i = 0; i < node.option_count; ++i) {
    if (strcmp(node.options[i].name, name) == 0) return &node.options[i];
  }
  return nullptr;
}

}  // namespace

int32_t Parameters::Make(const OperatorKind& kind, const EqNode& node, Reason* reason) {
  for (const Structure& structure : kStructures) {
    if (structure.builtin_code != kind.builtin_code) continue;
    made_ = calloc(1, structure.bytes);
    if (made_ == nullptr) return kOutOfMemory;
    for (const Field& field : structure.fields) {
      const EqOption* option = Find(node, field.option);
      if (option == nullptr || Fill(field, *option, static_cast<char*>(made_))) continue;
      reason->Set("%s: option %s has a value of another type, or too large a one", kind.name, field.option);
      return kRefused;
    }
  }
  return kDone;
}

}  // namespace tflite_eq
