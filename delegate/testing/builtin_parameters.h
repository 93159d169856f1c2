// A node's parameters as a runtime hands them to a delegate: the structure of its operator, in a block of its own.
#ifndef TFLITE_EQ_DELEGATE_TESTING_BUILTIN_PARAMETERS_H_
#define TFLITE_EQ_DELEGATE_TESTING_BUILTIN_PARAMETERS_H_

#include <cstdlib>
#include <cstring>
#include <memory>

#include "delegate/testing/graph.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

struct FreeParameters {
  void operator()(void* memory) const { free(memory); }
};
using BuiltinParameters = std::unique_ptr<void, FreeParameters>;

template <typename Parameters>
BuiltinParameters CopyParameters(const Parameters& parameters) {
  void* memory = malloc(sizeof(parameters));
  memcpy(memory, &parameters, sizeof(parameters));
  return BuiltinParameters(memory);
}

// Null for operators without parameters.
inline BuiltinParameters MakeParameters(const TestNode& node) {
  const TfLiteConvParams& g = node.geometry;
  switch (node.code) {
    case kOperatorConv2d:
      return CopyParameters(g);
    case kOperatorDepthwiseConv2d:
      return CopyParameters(TfLiteDepthwiseConvParams{g.padding, g.stride_width, g.stride_height, node.depth_multiplier, g.activation,
                                                      g.dilation_width_factor, g.dilation_height_factor});
    case kOperatorAveragePool2d:
    case kOperatorMaxPool2d:
      return CopyParameters(
          TfLitePoolParams{g.padding, g.stride_width, g.stride_height, node.pool_width, node.pool_height, g.activation});
    case kOperatorAdd:
      return CopyParameters(TfLiteAddParams{g.activation});
    case kOperatorSub:
      return CopyParameters(TfLiteSubParams{g.activation});
    case kOperatorMul:
      return CopyParameters(TfLiteMulParams{g.activation});
    case kOperatorLeakyRelu:
      return CopyParameters(TfLiteLeakyReluParams{node.alpha});
    case kOperatorConcatenation:
      return CopyParameters(TfLiteConcatenationParams{node.axis, g.activation});
    case kOperatorReshape:
      return CopyParameters(TfLiteReshapeParams{});
    case kOperatorMean:
    case kOperatorReduceMax:
    case kOperatorReduceMin:
      return CopyParameters(TfLiteReducerParams{node.keep_dims});
    case kOperatorResizeBilinear:
      return CopyParameters(TfLiteResizeBilinearParams{node.align_corners, node.half_pixel_centers});
    case kOperatorResizeNearestNeighbor:
      return CopyParameters(TfLiteResizeNearestNeighborParams{node.align_corners, node.half_pixel_centers});
    case kOperatorTransposeConv:
      return CopyParameters(TfLiteTransposeConvParams{g.padding, g.stride_width, g.stride_height, g.activation});
    case kOperatorGelu:
      return CopyParameters(TfLiteGeluParams{node.approximate});
    case kOperatorMirrorPad:
      return CopyParameters(
          TfLiteMirrorPaddingParams{node.mirror_symmetric ? kTfLiteMirrorPaddingSymmetric : kTfLiteMirrorPaddingReflect});
    case kOperatorPack:
      return CopyParameters(TfLitePackParams{static_cast<int>(node.inputs.size()), node.axis});
    case kOperatorUnpack:
      return CopyParameters(TfLiteUnpackParams{static_cast<int>(node.outputs.size()), node.axis});
    case kOperatorSpaceToDepth:
      return CopyParameters(TfLiteSpaceToDepthParams{node.block});
    case kOperatorDepthToSpace:
      return CopyParameters(TfLiteDepthToSpaceParams{node.block});
    case kOperatorStridedSlice:
      return CopyParameters(TfLiteStridedSliceParams{static_cast<int>(node.begin_mask), static_cast<int>(node.end_mask), 0, 0,
                                                     static_cast<int>(node.shrink_mask), false});
    case kOperatorSqueeze: {
      TfLiteSqueezeParams squeeze = {};
      for (int dimension : node.squeeze_dims) squeeze.squeeze_dims[squeeze.num_squeeze_dims++] = dimension;
      return CopyParameters(squeeze);
    }
    default:  // TRANSPOSE and SPLIT among them, of which nothing is read
      return nullptr;
  }
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_TESTING_BUILTIN_PARAMETERS_H_
