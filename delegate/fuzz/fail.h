// Ends a fuzz target's process with a message, so that the fuzzer keeps the input.
#ifndef TFLITE_EQ_DELEGATE_FUZZ_FAIL_H_
#define TFLITE_EQ_DELEGATE_FUZZ_FAIL_H_

#include <cstdio>
#include <cstdlib>
#include <string>

namespace tflite_eq {

[[noreturn]] inline void Fail(const std::string& what) {
  fprintf(stderr, "%s\n", what.c_str());
  abort();
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_FUZZ_FAIL_H_
