// The command line. Flags are named, and mean, what they do in TFLite's benchmark_model, as far as it has them.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_FLAGS_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_FLAGS_H_

#include <stdint.h>

#include "delegate/benchmark/message.h"

namespace tflite_eq {

// Strings point into the command line; empty where a flag was not given.
struct Flags {
  // One model, with and without the delegate.
  const char* graph = "";
  const char* runtime_library = "";
  const char* external_delegate_path = "";
  const char* external_delegate_options = "";
  const char* golden = "";
  const char* input_layer = "";
  const char* input_layer_shape = "";
  const char* input_layer_value_range = "";
  bool enable_op_profiling = false;

  // Single convolutions.
  bool layers = false;
  const char* layer_list = "";  // what follows --layers=
  const char* kernel = "";
  const char* isa = "";

  int num_threads = 1;
  int num_runs = 50;
  int warmup_runs = 1;
  double min_secs = 1;
  double max_secs = 150;
  int seed = 0;
  bool verify = false;

  bool help = false;
  bool version = false;
};

// False with a message that names the flag, what was found and what is allowed.
bool ParseFlags(int argc, const char* const* argv, Flags* flags, Message* error);

void PrintHelp(const char* program);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_FLAGS_H_
