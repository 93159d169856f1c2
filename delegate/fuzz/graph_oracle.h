// Runs a case with the delegate and without, and says where they part.
#ifndef TFLITE_EQ_DELEGATE_FUZZ_GRAPH_ORACLE_H_
#define TFLITE_EQ_DELEGATE_FUZZ_GRAPH_ORACLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "delegate/fuzz/graph_case.h"

namespace tflite_eq {

struct TensorValue {
  std::vector<int> shape;
  std::vector<int8_t> codes;
};

struct InvocationResult {
  bool succeeded = false;
  std::vector<std::vector<uint8_t>> inputs;  // what was written to the graph's inputs
  std::vector<TensorValue> outputs;          // of the graph, where it succeeded
};

struct StepResult {
  bool allocated = false;
  bool undefined = false;
  bool skipped = false;  // too much work; not invoked
  bool changes_channels = false;  // of a convolution, against what the model says
  std::vector<InvocationResult> invocations;
  std::string error;
};

// The steps without the delegate, up to and including the first that has no meaning or is skipped.
std::vector<StepResult> RunAlone(const GraphCase& c);

// Empty when the delegate keeps its promise: with it the same steps succeed as without, with the same shapes and codes; a refusal
// is one line. It may refuse an input that is resized to another number of channels. Steps that have no meaning without it
// (TestRuntime::met_undefined) need only not to crash; where calls or allocations are made to fail, what succeeds is right.
std::string FindDifference(const GraphCase& c);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_FUZZ_GRAPH_ORACLE_H_
