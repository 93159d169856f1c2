#include "delegate/fuzz/graph_mutations.h"

#include <climits>
#include <cmath>
#include <utility>

namespace tflite_eq {
namespace {

constexpr int kSizes[] = {0, 1, 2, 3, 5, 7, 8, 9, 16, 31, 64, 255, 1000, 4097, -1, INT_MAX};
constexpr int kFactors[] = {0, -1, 1, 2, 3, 7, 50, 300, 32767, 1 << 20, 1 << 30, INT_MAX, INT_MIN, -5};
constexpr float kScales[] = {0, NAN, INFINITY, -INFINITY, -1, 1e-38f, 1e-45f, 3e38f, 1, 1e10f, 0.25f, 1 << 20};
constexpr int kZeroPoints[] = {0, 1, 127, -128, -129, 128, 200, -300, INT_MAX, INT_MIN};
constexpr int32_t kTypes[] = {kTfLiteNoType, kTfLiteFloat32, kTfLiteInt32, kTfLiteUInt8,
                              kTfLiteInt64,  kTfLiteBool,    kTfLiteInt16, kTfLiteInt8};

class Mutator {
 public:
  Mutator(ByteReader* bytes, TestGraph* graph) : bytes_(*bytes), graph_(*graph) {}

  void Mutate() {
    switch (bytes_.Byte() % 12) {
      case 0:
        return MutateShape(&Tensor());
      case 1:
      case 2:
        return MutateQuantization(&Tensor());
      case 3:
        return MutateStorage(&Tensor());
      case 4:
      case 5:
        return MutateParameters(&Node());
      case 6:
        return MutateIndices(&Node().inputs);
      case 7:
      case 8:
        return MutateIndices(&Node().outputs);
      case 9:
        return MutateIndices(&graph_.inputs);
      case 10:
        return MutateIndices(&graph_.outputs);
      case 11:
        return MutateOrder();
    }
  }

 private:
  size_t Index(size_t size) { return bytes_.Byte() % size; }
  TestTensor& Tensor() { return graph_.tensors[Index(graph_.tensors.size())]; }
  TestNode& Node() { return graph_.nodes[Index(graph_.nodes.size())]; }

  void MutateShape(TestTensor* tensor) {
    std::vector<int>& shape = tensor->shape;
    switch (bytes_.Byte() % 4) {
      case 0:
        shape.push_back(bytes_.Pick(kSizes));
        break;
      case 1:
        if (!shape.empty()) shape.pop_back();
        break;
      default:
        if (!shape.empty()) shape[Index(shape.size())] = bytes_.Pick(kSizes);
        break;
    }
    if (tensor->constant && bytes_.OneIn(2)) FillToShape(tensor);
  }

  // The bytes that the shape asks for, or as many as are there where that is too much.
  static void FillToShape(TestTensor* tensor) {
    constexpr size_t kMost = 1 << 16;
    size_t size = ElementBytes(tensor->type);
    for (int dimension : tensor->shape) {
      if (dimension < 0 || size > kMost) return;
      size *= static_cast<size_t>(dimension);
    }
    if (size > kMost) return;
    const std::vector<uint8_t> old = std::move(tensor->data);
    tensor->data = std::vector<uint8_t>(size);  // its capacity too: what lies behind is out of bounds
    for (size_t i = 0; i < size && !old.empty(); ++i) tensor->data[i] = old[i % old.size()];
  }

  void MutateQuantization(TestTensor* tensor) {
    switch (bytes_.Byte() % 8) {
      case 0:
        tensor->scales.clear();
        tensor->zero_points.clear();
        break;
      case 1:
        tensor->scales.push_back(bytes_.Pick(kScales));
        if (!bytes_.OneIn(4)) tensor->zero_points.push_back(0);
        break;
      case 2:
        if (!tensor->scales.empty()) tensor->scales.pop_back();
        if (!tensor->zero_points.empty() && !bytes_.OneIn(4)) tensor->zero_points.pop_back();
        break;
      case 3:
        tensor->quantized_dimension = bytes_.Pick(kSizes);
        break;
      case 4:
      case 5:
        if (!tensor->scales.empty()) tensor->scales[Index(tensor->scales.size())] = bytes_.Pick(kScales);
        break;
      default:
        if (!tensor->zero_points.empty()) tensor->zero_points[Index(tensor->zero_points.size())] = bytes_.Pick(kZeroPoints);
        break;
    }
  }

  void MutateStorage(TestTensor* tensor) {
    switch (bytes_.Byte() % 4) {
      case 0:
        tensor->type = bytes_.Pick(kTypes);
        break;
      case 1:
        tensor->constant = !tensor->constant;
        FillToShape(tensor);
        break;
      case 2:
        if (!tensor->data.empty()) {
          const size_t size = Index(tensor->data.size() + 1);
          tensor->data = std::vector<uint8_t>(tensor->data.begin(), tensor->data.begin() + size);
        }
        break;
      case 3:
        tensor->name.clear();
        break;
    }
  }

  void MutateParameters(TestNode* node) {
    TfLiteConvParams& g = node->geometry;
    switch (bytes_.Byte() % 10) {
      case 0:
        g.stride_height = bytes_.Pick(kFactors);
        break;
      case 1:
        g.stride_width = bytes_.Pick(kFactors);
        break;
      case 2:
        g.dilation_height_factor = bytes_.Pick(kFactors);
        break;
      case 3:
        g.dilation_width_factor = bytes_.Pick(kFactors);
        break;
      case 4:
        g.padding = bytes_.Byte() % 4;
        break;
      case 5:
        g.activation = bytes_.Byte() % 8 - 1;
        break;
      case 6:
        node->has_parameters = false;
        break;
      case 7:
        node->code = bytes_.Byte() % 120;
        break;
      case 8:
        node->depth_multiplier = bytes_.Pick(kFactors);
        break;
      case 9: {  // the number that an operator has
        const int number = bytes_.Between(-5, 5);
        node->axis = node->block = number;
        node->begin_mask = node->end_mask = node->shrink_mask = static_cast<unsigned>(number) & 15;
        if (!node->squeeze_dims.empty()) node->squeeze_dims[0] = number;
        break;
      }
    }
  }

  // Another tensor, none (-1), or one that is not there: mostly another, which makes several writers, cycles, and readers before
  // writers.
  int AnyTensor() {
    const int tensors = static_cast<int>(graph_.tensors.size());
    switch (bytes_.Byte() % 8) {
      case 0:
        return -1;
      case 1:
        return bytes_.OneIn(2) ? tensors : bytes_.Pick(kFactors);
      default:
        return static_cast<int>(Index(graph_.tensors.size()));
    }
  }

  void MutateIndices(std::vector<int>* indices) {
    switch (bytes_.Byte() % 6) {
      case 0:
        indices->push_back(AnyTensor());
        break;
      case 1:
        if (!indices->empty()) indices->pop_back();
        break;
      default:
        if (!indices->empty()) (*indices)[Index(indices->size())] = AnyTensor();
        break;
    }
  }

  void MutateOrder() {
    std::vector<TestNode>& nodes = graph_.nodes;
    const size_t first = Index(nodes.size()), second = Index(nodes.size());
    if (bytes_.OneIn(2)) {
      std::swap(nodes[first], nodes[second]);
    } else {
      const TestNode copy = nodes[first];
      nodes.insert(nodes.begin() + static_cast<std::ptrdiff_t>(second), copy);
    }
  }

  ByteReader& bytes_;
  TestGraph& graph_;
};

}  // namespace

void MutateGraph(ByteReader* bytes, TestGraph* graph) {
  if (!graph->nodes.empty()) Mutator(bytes, graph).Mutate();
}

}  // namespace tflite_eq
