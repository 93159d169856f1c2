// What one input of the graph fuzzer says: a model, how the delegate is made, and what is done with the interpreter.
#ifndef TFLITE_EQ_DELEGATE_FUZZ_GRAPH_CASE_H_
#define TFLITE_EQ_DELEGATE_FUZZ_GRAPH_CASE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "delegate/options.h"
#include "delegate/testing/graph.h"

namespace tflite_eq {

// Resize what is given, allocate, invoke.
struct CaseStep {
  struct Resize {
    int input;  // position among the graph's inputs
    std::vector<int> shape;
  };
  std::vector<Resize> resizes;
  int invocations = 1;
  unsigned seed = 0;  // of the codes
};

struct GraphCase {
  TestGraph graph;
  bool mutated = false;
  DelegateOptions options;
  int interpreter_threads = 1;
  // Apply the delegate to an interpreter that is ready to run.
  bool allocate_first = false;
  // The n-th call of the runtime by the delegate fails, or the n-th allocation; 0 for none.
  int failing_call = 0;
  int failing_allocation = 0;
  std::vector<CaseStep> steps;
};

GraphCase DecodeGraphCase(const uint8_t* data, size_t size);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_FUZZ_GRAPH_CASE_H_
