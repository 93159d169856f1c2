// Valid models of int8 operators around convolutions, from a fuzzer's bytes.
#ifndef TFLITE_EQ_DELEGATE_FUZZ_GRAPH_BUILDER_H_
#define TFLITE_EQ_DELEGATE_FUZZ_GRAPH_BUILDER_H_

#include <random>

#include "delegate/fuzz/byte_reader.h"
#include "delegate/testing/graph.h"

namespace tflite_eq {

// Shapes are small and dimensions may be 0. Every node reads what an earlier one has written.
TestGraph BuildGraph(ByteReader* bytes);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_FUZZ_GRAPH_BUILDER_H_
