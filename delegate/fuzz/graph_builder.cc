#include "delegate/fuzz/graph_builder.h"

#include <cmath>
#include <vector>

#include "delegate/fuzz/node_builder.h"

namespace tflite_eq {
namespace {

constexpr int kMostNodes = 8;

void AddNode(ByteReader* bytes, NodeBuilder* graph) {
  const int input = graph->LiveTensor();
  switch (bytes->Byte() % 48) {
    default:
      return graph->AddConv(input, false);
    case 8:
      return graph->AddConv(input, true);
    case 9:
      return graph->AddPool(input, kOperatorMaxPool2d);
    case 10:
      return graph->AddPool(input, kOperatorAveragePool2d);
    case 11:
      return graph->AddCombination(input, kOperatorAdd);
    case 12:
      return graph->AddRelu(input);
    case 13:
      return graph->AddPad(input);
    case 14:
      return graph->AddConcatenation(input);
    case 15:
      return graph->AddReshape(input);
    case 16:
      return graph->AddCombination(input, kOperatorSub);
    case 17:
      return graph->AddCombination(input, kOperatorMul);
    case 18:
      return graph->AddLeakyRelu(input);
    case 19:
    case 20:
      return graph->AddPrelu(input);
    case 21:
      return graph->AddMean(input);
    case 22:
      return graph->AddResize(input);
    case 23:
      return graph->AddTranspose(input);
    case 24:
      return graph->AddSplit(input);
    case 25:
    case 26:
      return graph->AddUnary(input);
    case 27:
      return graph->AddExtremum(input);
    case 28:
      return graph->AddSlice(input);
    case 29:
      return graph->AddStridedSlice(input);
    case 30:
      return graph->AddSplitV(input);
    case 31:
      return graph->AddUnpack(input);
    case 32:
      return graph->AddPack(input);
    case 33:
      return graph->AddBlock(input);
    case 34:
      return graph->AddValuedOrMirroredPad(input);
    case 35:
    case 39:
      return graph->AddOneMoreOrLess(input);
    case 36:
      return graph->AddReduction(input);
    case 37:
    case 38:
      return graph->AddTransposeConv(input);
  }
}

int Size(ByteReader* bytes) { return bytes->OneIn(24) ? 0 : bytes->Between(1, 14); }

}  // namespace

TestGraph BuildGraph(ByteReader* bytes) {
  NodeBuilder graph(bytes);
  constexpr int kBatches[] = {1, 1, 1, 2, 3, 1, 1, 0};
  const std::vector<int> shape = {bytes->Pick(kBatches), Size(bytes), Size(bytes), bytes->Pick(kChannels)};
  const int inputs = bytes->OneIn(8) ? 2 : 1;
  const float scale = std::exp2(static_cast<float>(bytes->Between(-7, 0)));
  graph.AddInputs(inputs, shape, scale, bytes->Byte() - 128);
  const int nodes = bytes->Between(1, kMostNodes);
  for (int i = 0; i < nodes; ++i) AddNode(bytes, &graph);
  return graph.Finish();
}

}  // namespace tflite_eq
