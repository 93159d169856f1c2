// Damage to a model, from a fuzzer's bytes: what no converter writes, but a file may hold.
#ifndef TFLITE_EQ_DELEGATE_FUZZ_GRAPH_MUTATIONS_H_
#define TFLITE_EQ_DELEGATE_FUZZ_GRAPH_MUTATIONS_H_

#include "delegate/fuzz/byte_reader.h"
#include "delegate/testing/graph.h"

namespace tflite_eq {

// One change of one kind.
void MutateGraph(ByteReader* bytes, TestGraph* graph);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_FUZZ_GRAPH_MUTATIONS_H_
