// A model as tests describe it: tensors, and operators that name them by index. Anything may be wrong with it.
#ifndef TFLITE_EQ_DELEGATE_TESTING_GRAPH_H_
#define TFLITE_EQ_DELEGATE_TESTING_GRAPH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "delegate/tflite_abi.h"

namespace tflite_eq {

struct TestTensor {
  std::string name = "tensor";
  int32_t type = kTfLiteInt8;
  std::vector<int> shape;
  // Affine quantization, as many zero points as scales; none of them means no quantization.
  std::vector<float> scales;
  std::vector<int> zero_points;
  int quantized_dimension = 0;
  // Weights and the like; the bytes are as many as the shape says unless the model is damaged.
  bool constant = false;
  std::vector<uint8_t> data;
};

// The operators that operators.h implements: all that the delegate runs.
enum TestOperator : int {
  kOperatorAbs = kTfLiteBuiltinAbs,
  kOperatorAdd = kTfLiteBuiltinAdd,
  kOperatorAveragePool2d = kTfLiteBuiltinAveragePool2d,
  kOperatorConcatenation = kTfLiteBuiltinConcatenation,
  kOperatorConv2d = kTfLiteBuiltinConv2d,
  kOperatorDepthToSpace = kTfLiteBuiltinDepthToSpace,
  kOperatorDepthwiseConv2d = kTfLiteBuiltinDepthwiseConv2d,
  kOperatorExp = kTfLiteBuiltinExp,
  kOperatorExpandDims = kTfLiteBuiltinExpandDims,
  kOperatorGelu = kTfLiteBuiltinGelu,
  kOperatorHardSwish = kTfLiteBuiltinHardSwish,
  kOperatorLeakyRelu = kTfLiteBuiltinLeakyRelu,
  kOperatorLogistic = kTfLiteBuiltinLogistic,
  kOperatorMaximum = kTfLiteBuiltinMaximum,
  kOperatorMaxPool2d = kTfLiteBuiltinMaxPool2d,
  kOperatorMean = kTfLiteBuiltinMean,
  kOperatorMinimum = kTfLiteBuiltinMinimum,
  kOperatorMirrorPad = kTfLiteBuiltinMirrorPad,
  kOperatorMul = kTfLiteBuiltinMul,
  kOperatorPack = kTfLiteBuiltinPack,
  kOperatorPad = kTfLiteBuiltinPad,
  kOperatorPadv2 = kTfLiteBuiltinPadv2,
  kOperatorPrelu = kTfLiteBuiltinPrelu,
  kOperatorQuantize = kTfLiteBuiltinQuantize,
  kOperatorReduceMax = kTfLiteBuiltinReduceMax,
  kOperatorReduceMin = kTfLiteBuiltinReduceMin,
  kOperatorRelu = kTfLiteBuiltinRelu,
  kOperatorRelu0To1 = kTfLiteBuiltinRelu0To1,
  kOperatorRelu6 = kTfLiteBuiltinRelu6,
  kOperatorReluN1To1 = kTfLiteBuiltinReluN1To1,
  kOperatorReshape = kTfLiteBuiltinReshape,
  kOperatorResizeBilinear = kTfLiteBuiltinResizeBilinear,
  kOperatorResizeNearestNeighbor = kTfLiteBuiltinResizeNearestNeighbor,
  kOperatorSlice = kTfLiteBuiltinSlice,
  kOperatorSpaceToDepth = kTfLiteBuiltinSpaceToDepth,
  kOperatorSplit = kTfLiteBuiltinSplit,
  kOperatorSplitV = kTfLiteBuiltinSplitV,
  kOperatorSqueeze = kTfLiteBuiltinSqueeze,
  kOperatorStridedSlice = kTfLiteBuiltinStridedSlice,
  kOperatorSub = kTfLiteBuiltinSub,
  kOperatorTanh = kTfLiteBuiltinTanh,
  kOperatorTranspose = kTfLiteBuiltinTranspose,
  kOperatorTransposeConv = kTfLiteBuiltinTransposeConv,
  kOperatorUnpack = kTfLiteBuiltinUnpack,
};

struct TestNode {
  int code = kOperatorConv2d;
  std::vector<int> inputs, outputs;
  // Whether the runtime hands the operator its parameters at all.
  bool has_parameters = true;
  int version = 1;
  // Of convolutions and pools; the activation also of ADD, SUB, MUL and CONCATENATION. Pools have no dilation.
  TfLiteConvParams geometry = {kTfLitePaddingSame, 1, 1, kTfLiteActNone, 1, 1};
  int pool_height = 1, pool_width = 1;
  int depth_multiplier = 1;
  int axis = 3;  // of CONCATENATION, PACK and UNPACK
  float alpha = 0.1f;  // of LEAKY_RELU
  bool keep_dims = true;  // of MEAN, REDUCE_MAX and REDUCE_MIN
  // Of resizes.
  bool align_corners = false;
  bool half_pixel_centers = false;
  int block = 2;  // of SPACE_TO_DEPTH and DEPTH_TO_SPACE
  unsigned begin_mask = 0, end_mask = 0, shrink_mask = 0;  // of STRIDED_SLICE
  bool mirror_symmetric = false;  // of MIRROR_PAD
  bool approximate = false;  // of GELU
  std::vector<int> squeeze_dims;  // of SQUEEZE, at most 8
};

struct TestGraph {
  std::vector<TestTensor> tensors;
  std::vector<TestNode> nodes;  // in the order in which they run
  std::vector<int> inputs, outputs;
};

// Bytes of one element; 0 for types that tests do not use.
inline size_t ElementBytes(int32_t type) {
  switch (type) {
    case kTfLiteInt8:
    case kTfLiteUInt8:
    case kTfLiteBool:
      return 1;
    case kTfLiteInt16:
      return 2;
    case kTfLiteInt32:
    case kTfLiteFloat32:
      return 4;
    case kTfLiteInt64:
      return 8;
    default:
      return 0;
  }
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_TESTING_GRAPH_H_
