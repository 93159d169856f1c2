// A message for people, in a fixed buffer: the benchmark carries no C++ runtime, like the library it measures (see BUILD).
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_MESSAGE_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_MESSAGE_H_

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

namespace tflite_eq {

struct Message {
  char text[1024] = "";

  void Set(const char* format, ...) __attribute__((format(printf, 2, 3))) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
  }
  // Adds to what is there; what does not fit is cut off.
  void Append(const char* format, ...) __attribute__((format(printf, 2, 3))) {
    va_list arguments;
    va_start(arguments, format);
    AppendV(format, arguments);
    va_end(arguments);
  }
  // Makes one line of it.
  void JoinLines() {
    for (char* c = text; *c != '\0'; ++c) {
      if (*c == '\n' || *c == '\r') *c = ' ';
    }
  }
  void AppendV(const char* format, va_list arguments) {
    const size_t used = strlen(text);
    vsnprintf(text + used, sizeof(text) - used, format, arguments);
  }
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_MESSAGE_H_
