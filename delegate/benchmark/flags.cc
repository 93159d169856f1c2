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

constexpr Flag kFlags[] = {
#define TFLITE_EQ_TEXT(name, meta, help) {#name, meta, help, &Flags::name, nullptr, nullptr, nullptr, 0, 0},
#define TFLITE_EQ_BOOLEAN(name, help) {#name, "true|false", help, nullptr, &Flags::name, nullptr, nullptr, 0, 0},
#define TFLITE_EQ_INTEGER(name, value, least, most, help) {#name, "N", help, nullptr, nullptr, &Flags::name, nullptr, least, most},
#define TFLITE_EQ_SECONDS(name, value, help) {#name, "SECONDS", help, nullptr, nullptr, nullptr, &Flags::name, 0, 86400},
    TFLITE_EQ_FLAGS(TFLITE_EQ_TEXT, TFLITE_EQ_BOOLEAN, TFLITE_EQ_INTEGER, TFLITE_EQ_SECONDS)};

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
    return error->Set("--%s=%s: %s from %.0f to %.0f is needed", flag.name, Quoted(value != nullptr ? value : "", Quoted::kLongest).text,
               flag.integer != nullptr ? "an integer" : "a number", flag.low, flag.high);
  }
  return true;
}

bool ParseBoolean(const Flag& flag, const char* value, bool* result, Message* error) {
  *result = value == nullptr || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
  if (*result || strcmp(value, "false") == 0 || strcmp(value, "0") == 0) return true;
  return error->Set("--%s=%s: true or false is needed", flag.name, Quoted(value, Quoted::kLongest).text);
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
      return error->Set("--%s: a value is missing: --%s=%s", flag.name, flag.name, flag.meta);
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
  const bool delegate = given(flags.external_delegate_path);
  if (flags.min_secs > flags.max_secs) return error->Set("--min_secs=%g is more than --max_secs=%g", flags.min_secs, flags.max_secs);
  const struct {
    bool wrong;
    const char* message;
  } rules[] = {
      {flags.layers && (given(flags.graph) || given(flags.golden) || given(flags.runtime_library) || delegate || flags.enable_op_profiling),
       "--layers times single convolutions: it goes with neither --graph, --golden, --runtime_library, --external_delegate_path nor "
       "--enable_op_profiling"},
      {!flags.layers && (given(flags.kernel) || given(flags.isa)),
       "--kernel and --isa belong to --layers; for a model use --external_delegate_options='kernel:...;isa:...'"},
      {!flags.layers && !given(flags.graph),
       "what shall be timed? --graph=FILE --runtime_library=FILE, or --layers; --help tells more"},
      {!flags.layers && !given(flags.runtime_library),
       "--graph needs --runtime_library=FILE, the TFLite or LiteRT library that runs it; --help tells more"},
      {!delegate && given(flags.external_delegate_options), "--external_delegate_options without --external_delegate_path"},
      {!flags.layers && flags.verify && !delegate, "--verify without --external_delegate_path: there is nothing to compare"},
      {given(flags.input_layer) != given(flags.input_layer_shape), "--input_layer and --input_layer_shape go together"},
  };
  for (const auto& rule : rules) {
    if (rule.wrong) return error->Set("%s", rule.message);
  }
  return true;
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
