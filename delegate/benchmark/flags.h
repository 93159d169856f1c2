// The command line. Flags are named, and mean, what they do in TFLite's benchmark_model, as far as it has them.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_FLAGS_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_FLAGS_H_

#include "delegate/benchmark/message.h"

namespace tflite_eq {

// TEXT(name, what may stand there, help), BOOLEAN(name, help), INTEGER(name, default, least, most, help), SECONDS(name, default, help).
#define TFLITE_EQ_FLAGS(TEXT, BOOLEAN, INTEGER, SECONDS)                                                                \
  TEXT(graph, "FILE", "the .tflite model")                                                                             \
  TEXT(runtime_library, "FILE",                                                                                        \
       "the TFLite or LiteRT shared library that runs it, with the C API:\n"                                           \
       "libtensorflowlite_jni.so from the Android archive (AAR), libtensorflowlite_c.so,\n"                            \
       "or Debian's libtensorflow-lite.so")                                                                            \
  TEXT(external_delegate_path, "FILE",                                                                                 \
       "libtflite_eq_delegate.so, or another external delegate; without it the\n"                                      \
       "model runs on the runtime alone")                                                                              \
  TEXT(external_delegate_options, "K:V;K:V", "the delegate's options, as in 'isa:neon;log_level:2'")                   \
  BOOLEAN(enable_op_profiling, "time every operator, in runs of their own after the others")                           \
  TEXT(golden, "FILE",                                                                                                 \
       "compare the outputs with those of a file that tflite-eq validate --golden wrote,\n"                            \
       "byte for byte; the delegate takes all that it can then, as with the option claim:.")                           \
  TEXT(input_layer, "NAME,NAME", "inputs that --input_layer_shape is about")                                           \
  TEXT(input_layer_shape, "1,8,8,3:1,4", "their shapes, in that order; needed where the model leaves them open")       \
  TEXT(input_layer_value_range, "NAME,LOW,HIGH:...",                                                                   \
       "the range of an input's random values, in the tensor's own numbers")                                           \
  BOOLEAN(layers,                                                                                                      \
          "time single convolutions instead, all kernels of this CPU in turns; needs no\n"                             \
          "model and no runtime. --layers=56x64x64,28x128x128x3x1 chooses them:\n"                                     \
          "SIZExINPUTSxOUTPUTS[xFILTER[xSTRIDE]]")                                                                     \
  TEXT(kernel, "NAME", "with --layers: this kernel only")                                                              \
  TEXT(isa, "NAME", "with --layers: this instruction set only")                                                        \
  INTEGER(num_threads, 1, 1, 256, "threads of the runtime and the delegate")                                           \
  INTEGER(num_runs, 50, 1, 1000000, "at least that many timed runs of each contender")                                 \
  INTEGER(warmup_runs, 1, 0, 1000000, "untimed runs of each before them")                                              \
  SECONDS(min_secs, 1, "go on for that long even if the runs are done")                                                \
  SECONDS(max_secs, 150, "stop then even if they are not")                                                             \
  INTEGER(seed, 0, 0, 2147483647, "of the random inputs and weights")                                                  \
  BOOLEAN(verify,                                                                                                      \
          "compare with the reference kernels, bit for bit: every delegated convolution\n"                             \
          "and the outputs of the model; with --layers, every kernel")                                                 \
  BOOLEAN(help, "print this")                                                                                          \
  BOOLEAN(version, "print the version")

// Strings point into the command line; empty where a flag was not given.
struct Flags {
#define TFLITE_EQ_TEXT(name, meta, help) const char* name = "";
#define TFLITE_EQ_BOOLEAN(name, help) bool name = false;
#define TFLITE_EQ_INTEGER(name, value, least, most, help) int name = value;
#define TFLITE_EQ_SECONDS(name, value, help) double name = value;
  TFLITE_EQ_FLAGS(TFLITE_EQ_TEXT, TFLITE_EQ_BOOLEAN, TFLITE_EQ_INTEGER, TFLITE_EQ_SECONDS)
#undef TFLITE_EQ_TEXT
#undef TFLITE_EQ_BOOLEAN
#undef TFLITE_EQ_INTEGER
#undef TFLITE_EQ_SECONDS
  const char* layer_list = "";  // what follows --layers=
};

// False with a message that names the flag, what was found and what is allowed.
bool ParseFlags(int argc, const char* const* argv, Flags* flags, Message* error);

void PrintHelp(const char* program);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_FLAGS_H_
