#include "delegate/benchmark/flags.h"

#include <math.h>
#include <stdlib.h>

#include "delegate/quoted.h"

namespace tflite_eq {
namespace {

// One flag: where its value goes, and what may stand there.
struct Flag {
  const char* name;
  const char* meta;  // what --help writes behind the equals sign
  const char* help;
  const char* Flags::*text;
  bool Flags::*boolean;
  int Flags::*integer;
  double Flags::*number;
  double low;
  double high;
};

constexpr Flag Text(const char* name, const char* meta, const char* Flags::*field, const char* help) {
  return {name, meta, help, field, nullptr, nullptr, nullptr, 0, 0};
}
constexpr Flag Boolean(const char* name, bool Flags::*field, const char* help) {
  return {name, "true|false", help, nullptr, field, nullptr, nullptr, 0, 0};
}
constexpr Flag Integer(const char* name, int Flags::*field, double low, double high, const char* help) {
  return {name, "N", help, nullptr, nullptr, field, nullptr, low, high};
}
constexpr Flag Seconds(const char* name, double Flags::*field, const char* help) {
  return {name, "SECONDS", help, nullptr, nullptr, nullptr, field, 0, 86400};
}

constexpr Flag kFlags[] = {
    Text("graph", "FILE", &Flags::graph, "the .tflite model"),
    Text("runtime_library", "FILE", &Flags::runtime_library,
         "the TFLite or LiteRT shared library that runs it, with the C API:\n"
         "libtensorflowlite_jni.so from the Android archive (AAR), libtensorflowlite_c.so,\n"
         "or Debian's libtensorflow-lite.so"),
    Text("external_delegate_path", "FILE", &Flags::external_delegate_path,
         "libtflite_eq_delegate.so, or another external delegate; without it the\nmodel runs on the runtime alone"),
    Text("external_delegate_options", "K:V;K:V", &Flags::external_delegate_options,
         "the delegate's options, as in 'isa:neon;log_level:2'"),
    Boolean("enable_op_profiling", &Flags::enable_op_profiling,
            "time every operator, in runs of their own after the others"),
    Text("golden", "FILE", &Flags::golden,
         "compare the outputs with those of a file that tflite-eq validate --golden wrote,\n"
         "byte for byte; the delegate takes all that it can then, as with the option claim:."),
    Text("input_layer", "NAME,NAME", &Flags::input_layer, "inputs that --input_layer_shape is about"),
    Text("input_layer_shape", "1,8,8,3:1,4", &Flags::input_layer_shape,
         "their shapes, in that order; needed where the model leaves them open"),
    Text("input_layer_value_range", "NAME,LOW,HIGH:...", &Flags::input_layer_value_range,
         "the range of an input's random values, in the tensor's own numbers"),
    Boolean("layers", &Flags::layers,
            "time single convolutions instead, all kernels of this CPU in turns; needs no\n"
            "model and no runtime. --layers=56x64x64,28x128x128x3x1 chooses them:\n"
            "SIZExINPUTSxOUTPUTS[xFILTER[xSTRIDE]]"),
    Text("kernel", "NAME", &Flags::kernel, "with --layers: this kernel only"),
    Text("isa", "NAME", &Flags::isa, "with --layers: this instruction set only"),
    Integer("num_threads", &Flags::num_threads, 1, 256, "threads of the runtime and the delegate"),
    Integer("num_runs", &Flags::num_runs, 1, 1000000, "at least that many timed runs of each contender"),
    Integer("warmup_runs", &Flags::warmup_runs, 0, 1000000, "untimed runs of each before them"),
    Seconds("min_secs", &Flags::min_secs, "go on for that long even if the runs are done"),
    Seconds("max_secs", &Flags::max_secs, "stop then even if they are not"),
    Integer("seed", &Flags::seed, 0, 2147483647, "of the random inputs and weights"),
    Boolean("verify", &Flags::verify,
            "compare with the reference kernels, bit for bit: every delegated convolution\n"
            "and the outputs of the model; with --layers, every kernel"),
    Boolean("help", &Flags::help, "print this"),
    Boolean("version", &Flags::version, "print the version"),
};

const Flag* Find(const char* name, size_t length) {
  for (const Flag& flag : kFlags) {
    if (strlen(flag.name) == length && strncmp(flag.name, name, length) == 0) return &flag;
  }
  return nullptr;
}

bool ParseNumber(const Flag& flag, const char* value, double* number, Message* error) {
  char* end = nullptr;
  *number = value != nullptr ? strtod(value, &end) : 0;
  const bool whole = flag.integer == nullptr || *number == floor(*number);
  // Negated so that a NaN is refused too.
  if (value == nullptr || end == value || *end != '\0' || !whole || !(*number >= flag.low && *number <= flag.high)) {
    error->Set("--%s=%s: %s from %.0f to %.0f is needed", flag.name, Quoted(value != nullptr ? value : "", Quoted::kLongest).text,
               flag.integer != nullptr ? "an integer" : "a number", flag.low, flag.high);
    return false;
  }
  return true;
}

bool ParseBoolean(const Flag& flag, const char* value, bool* result, Message* error) {
  *result = value == nullptr || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
  if (*result || strcmp(value, "false") == 0 || strcmp(value, "0") == 0) return true;
  error->Set("--%s=%s: true or false is needed", flag.name, Quoted(value, Quoted::kLongest).text);
  return false;
}

bool SetFlag(const Flag& flag, const char* value, Flags* flags, Message* error) {
  if (flag.boolean == &Flags::layers && value != nullptr) {
    // --layers=true and a list of layers both make sense.
    Message not_a_boolean;
    if (ParseBoolean(flag, value, &flags->layers, &not_a_boolean)) return true;
    flags->layers = true;
    flags->layer_list = value;
    return true;
  }
  if (flag.boolean != nullptr) return ParseBoolean(flag, value, &(flags->*flag.boolean), error);
  if (flag.text != nullptr) {
    if (value == nullptr || *value == '\0') {
      error->Set("--%s: a value is missing: --%s=%s", flag.name, flag.name, flag.meta);
      return false;
    }
    flags->*flag.text = value;
    return true;
  }
  double number;
  if (!ParseNumber(flag, value, &number, error)) return false;
  if (flag.integer != nullptr) {
    flags->*flag.integer = static_cast<int>(number);
  } else {
    flags->*flag.number = number;
  }
  return true;
}

// Flags that are about one mode and were given for the other, or that need each other.
bool CheckTogether(const Flags& flags, Message* error) {
  if (flags.help || flags.version) return true;
  const auto given = [](const char* text) { return *text != '\0'; };
  if (flags.min_secs > flags.max_secs) {
    error->Set("--min_secs=%g is more than --max_secs=%g", flags.min_secs, flags.max_secs);
  } else if (flags.layers && (given(flags.graph) || given(flags.golden) || given(flags.runtime_library) || given(flags.external_delegate_path) ||
                              flags.enable_op_profiling)) {
    error->Set("--layers times single convolutions: it goes with neither --graph, --golden, --runtime_library, "
               "--external_delegate_path nor --enable_op_profiling");
  } else if (!flags.layers && (given(flags.kernel) || given(flags.isa))) {
    error->Set("--kernel and --isa belong to --layers; for a model use --external_delegate_options='kernel:...;isa:...'");
  } else if (!flags.layers && !given(flags.graph)) {
    error->Set("what shall be timed? --graph=FILE --runtime_library=FILE, or --layers; --help tells more");
  } else if (!flags.layers && !given(flags.runtime_library)) {
    error->Set("--graph needs --runtime_library=FILE, the TFLite or LiteRT library that runs it; --help tells more");
  } else if (!given(flags.external_delegate_path) && given(flags.external_delegate_options)) {
    error->Set("--external_delegate_options without --external_delegate_path");
  } else if (!flags.layers && flags.verify && !given(flags.external_delegate_path)) {
    error->Set("--verify without --external_delegate_path: there is nothing to compare");
  } else if (given(flags.input_layer) != given(flags.input_layer_shape)) {
    error->Set("--input_layer and --input_layer_shape go together");
  } else {
    return true;
  }
  return false;
}

}  // namespace

bool ParseFlags(int argc, const char* const* argv, Flags* flags, Message* error) {
  for (int i = 1; i < argc; ++i) {
    const char* argument = argv[i];
    if (strncmp(argument, "--", 2) != 0) {
      error->Set("\"%s\" is no flag: flags are --name=value; --help lists them", Quoted(argument, Quoted::kLongest).text);
      return false;
    }
    const char* name = argument + 2;
    const char* equals = strchr(name, '=');
    const size_t length = equals != nullptr ? static_cast<size_t>(equals - name) : strlen(name);
    const Flag* flag = Find(name, length);
    if (flag == nullptr) {
      char alone[Quoted::kLongest + 1];
      snprintf(alone, sizeof(alone), "%.*s", static_cast<int>(length < sizeof(alone) ? length : sizeof(alone)), name);
      error->Set("unknown flag --%s; --help lists all", Quoted(alone, Quoted::kLongest).text);
      return false;
    }
    if (!SetFlag(*flag, equals != nullptr ? equals + 1 : nullptr, flags, error)) return false;
  }
  return CheckTogether(*flags, error);
}

void PrintHelp(const char* program) {
  printf("Times a TFLite model with and without the tflite_eq delegate, in turns, or single convolutions.\n\n"
         "  %s --graph=FILE --runtime_library=FILE --external_delegate_path=FILE [flags]\n"
         "  %s --layers [flags]\n\n",
         program, program);
  const Flags defaults;
  for (const Flag& flag : kFlags) {
    printf("  --%s=%s", flag.name, flag.meta);
    if (flag.integer != nullptr) printf("   (%d)", defaults.*flag.integer);
    if (flag.number != nullptr) printf("   (%g)", defaults.*flag.number);
    printf("\n        ");
    for (const char* c = flag.help; *c != '\0'; ++c) {
      putchar(*c);
      if (*c == '\n') printf("        ");
    }
    putchar('\n');
  }
  printf("\nThe last line of the output is JSON. Exit codes: 0 good, 1 --verify or --golden found a difference, 2 bad flags,\n"
         "3 the model, runtime library or delegate cannot be used, 4 the runtime failed or crashed with them.\n");
}

}  // namespace tflite_eq
