// The on-device benchmark: a TFLite model with and without the delegate, or single convolutions; --help tells the rest. Like the
// library it measures, it needs no C++ runtime: one file to push to a device, beside the runtime and the delegate.
#include <stdio.h>

#include "delegate/benchmark/modes.h"
#include "delegate/version.h"

int main(int argc, char** argv) {
  tflite_eq::Flags flags;
  tflite_eq::Message error;
  int code = tflite_eq::kExitUsage;
  if (tflite_eq::ParseFlags(argc, argv, &flags, &error)) {
    if (flags.help) {
      tflite_eq::PrintHelp(argv[0]);
      return tflite_eq::kExitOk;
    }
    if (flags.version) {
      printf("eq_benchmark %s\n", tflite_eq::kVersion);
      return tflite_eq::kExitOk;
    }
    code = flags.layers ? tflite_eq::RunLayersMode(flags, &error) : tflite_eq::RunModelMode(flags, &error);
  }
  fflush(stdout);
  // Runtimes report in several lines.
  error.JoinLines();
  if (code != tflite_eq::kExitOk) fprintf(stderr, "eq_benchmark: %s\n", error.text);
  return code;
}
