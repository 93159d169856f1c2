// Graphs of int8 operators: with the delegate they do what they do without. graph_case.h says what the bytes mean.
#include "delegate/fuzz/fail.h"
#include "delegate/fuzz/graph_case.h"
#include "delegate/fuzz/graph_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string difference = tflite_eq::FindDifference(tflite_eq::DecodeGraphCase(data, size));
  if (!difference.empty()) tflite_eq::Fail("graph_fuzzer: " + difference);
  return 0;
}
