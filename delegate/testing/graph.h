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

// TFLite's numbers of the operators that operators.h implements.
enum TestOperator : int {
  kOperatorAdd = 0,
  kOperatorAveragePool2d = 1,
  kOperatorConcatenation = 2,
  kOperatorConv2d = kTfLiteBuiltinConv2d,
  kOperatorDepthwiseConv2d = 4,
  kOperatorMaxPool2d = 17,
  kOperatorMul = 18,
  kOperatorRelu = 19,
  kOperatorReshape = 22,
  kOperatorResizeBilinear = 23,
  kOperatorPad = 34,
  kOperatorTranspose = 39,
  kOperatorMean = 40,
  kOperatorSub = 41,
  kOperatorSplit = 49,
  kOperatorPrelu = 54,
  kOperatorResizeNearestNeighbor = 97,
  kOperatorLeakyRelu = 98,
};

struct TestNode {
  int code = kOperatorConv2d;
  std::vector<int> inputs, outputs;
  // Whether the runtime hands the operator its parameters at all.
  bool has_parameters = true;
  // Of convolutions and pools; the activation also of ADD, SUB, MUL and CONCATENATION. Pools have no dilation.
  TfLiteConvParams geometry = {kTfLitePaddingSame, 1, 1, kTfLiteActNone, 1, 1};
  int pool_height = 1, pool_width = 1;
  int depth_multiplier = 1;
  int axis = 3;  // of CONCATENATION
  float alpha = 0.1f;  // of LEAKY_RELU
  bool keep_dims = true;  // of MEAN
  // Of resizes.
  bool align_corners = false;
  bool half_pixel_centers = false;
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
