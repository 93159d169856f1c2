#include <stdarg.h>
#include <stdio.h>

#include "delegate/log.h"

namespace tflite_eq {

void Log(Severity, const char* format, ...) {
  char line[kLongestLogLine + 1];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  // One call, so that lines of several threads do not mix.
  fprintf(stderr, "tflite_eq: %s\n", line);
}

}  // namespace tflite_eq
