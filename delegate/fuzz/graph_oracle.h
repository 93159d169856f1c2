// Runs a case with the delegate and without, and says where they part.
#ifndef TFLITE_EQ_DELEGATE_FUZZ_GRAPH_ORACLE_H_
#define TFLITE_EQ_DELEGATE_FUZZ_GRAPH_ORACLE_H_

#include <string>

#include "delegate/fuzz/graph_case.h"

namespace tflite_eq {

// Empty when the delegate keeps its promise: with it the same steps succeed as without, with the same shapes and codes; a refusal
// is one line. Steps that have no meaning without it (TestRuntime::met_undefined) and cases in which calls or allocations are
// made to fail may also be refused, and need only not to crash.
std::string FindDifference(const GraphCase& c);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_FUZZ_GRAPH_ORACLE_H_
