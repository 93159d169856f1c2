#include "delegate/python/parameters.h"

#include <pybind11/stl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <new>
#include <string>
#include <vector>

#include "delegate/tflite_abi.h"

namespace py = pybind11;

namespace tflite_eq {
namespace {

enum class FieldType { kInt, kFloat, kBool, kPadding, kMirrorPadding, kInts };

// Where an option goes.
struct Field {
  const char* option;
  FieldType type;
  size_t offset;
  size_t count_offset = 0;  // of kInts: where their number goes
  size_t most = 0;          // of kInts: how many there is room for
};

struct Structure {
  int32_t builtin_code;
  size_t bytes;
  std::vector<Field> fields;
};

#define FIELD(structure, option, type, member) {option, FieldType::type, offsetof(structure, member)}
#define INTS(structure, option, member, number)                            \
  {option, FieldType::kInts, offsetof(structure, member), offsetof(structure, number), \
   sizeof(structure::member) / sizeof(int)}

template <typename Parameters>
std::vector<Field> ActivationOnly() {
  return {FIELD(Parameters, "fusedActivationFunction", kInt, activation)};
}

std::vector<Field> Pooling() {
  return {FIELD(TfLitePoolParams, "padding", kPadding, padding), FIELD(TfLitePoolParams, "strideW", kInt, stride_width),
          FIELD(TfLitePoolParams, "strideH", kInt, stride_height), FIELD(TfLitePoolParams, "filterWidth", kInt, filter_width),
          FIELD(TfLitePoolParams, "filterHeight", kInt, filter_height),
          FIELD(TfLitePoolParams, "fusedActivationFunction", kInt, activation)};
}

template <typename Parameters>
std::vector<Field> Resizing() {
  return {FIELD(Parameters, "alignCorners", kBool, align_corners),
          FIELD(Parameters, "halfPixelCenters", kBool, half_pixel_centers)};
}

// Operators that are not listed have no parameters, or none that this library reads.
const std::vector<Structure>& Structures() {
  static const auto* structures = new std::vector<Structure>{
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
      {kTfLiteBuiltinDepthToSpace,
       sizeof(TfLiteDepthToSpaceParams),
       {FIELD(TfLiteDepthToSpaceParams, "blockSize", kInt, block_size)}},
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
      {kTfLiteBuiltinReshape, sizeof(TfLiteReshapeParams), {INTS(TfLiteReshapeParams, "newShape", shape, num_dimensions)}},
      {kTfLiteBuiltinResizeBilinear, sizeof(TfLiteResizeBilinearParams), Resizing<TfLiteResizeBilinearParams>()},
      {kTfLiteBuiltinResizeNearestNeighbor, sizeof(TfLiteResizeNearestNeighborParams),
       Resizing<TfLiteResizeNearestNeighborParams>()},
      {kTfLiteBuiltinSpaceToDepth,
       sizeof(TfLiteSpaceToDepthParams),
       {FIELD(TfLiteSpaceToDepthParams, "blockSize", kInt, block_size)}},
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
      {kTfLiteBuiltinUnpack,
       sizeof(TfLiteUnpackParams),
       {FIELD(TfLiteUnpackParams, "num", kInt, num), FIELD(TfLiteUnpackParams, "axis", kInt, axis)}},
  };
  return *structures;
}

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

void Fill(const Field& field, const py::handle& value, char* structure) {
  switch (field.type) {
    case FieldType::kInt:
      Store(structure, field.offset, value.cast<int32_t>());
      break;
    case FieldType::kFloat:
      Store(structure, field.offset, value.cast<float>());
      break;
    case FieldType::kBool:
      Store(structure, field.offset, value.cast<bool>());
      break;
    case FieldType::kPadding:
      Store(structure, field.offset, PaddingCode(value.cast<int>()));
      break;
    case FieldType::kMirrorPadding:
      Store(structure, field.offset, MirrorPaddingCode(value.cast<int>()));
      break;
    case FieldType::kInts: {
      const auto values = value.cast<std::vector<int>>();
      if (values.size() > field.most) throw py::value_error(std::string(field.option) + " has too many values");
      if (!values.empty()) memcpy(structure + field.offset, values.data(), values.size() * sizeof(int));
      Store(structure, field.count_offset, static_cast<int>(values.size()));
      break;
    }
  }
}

}  // namespace

std::shared_ptr<void> MakeParameters(const OperatorKind& kind, const py::dict& options) {
  const auto& all = Structures();
  const auto structure =
      std::find_if(all.begin(), all.end(), [&](const Structure& one) { return one.builtin_code == kind.builtin_code; });
  if (structure == all.end()) return nullptr;
  std::shared_ptr<void> made(calloc(1, structure->bytes), free);
  if (made == nullptr) throw std::bad_alloc();
  for (const Field& field : structure->fields) {
    if (!options.contains(field.option)) continue;
    try {
      Fill(field, options[field.option], static_cast<char*>(made.get()));
    } catch (const py::cast_error&) {
      throw py::value_error(std::string(kind.name) + ": option " + field.option + " has a value of another type");
    }
  }
  return made;
}

}  // namespace tflite_eq
