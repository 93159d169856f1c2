// What went wrong: a message for people, in a fixed buffer, and the exit code it ends the program with. The benchmark carries no C++
// runtime, like the library it measures.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_MESSAGE_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_MESSAGE_H_

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

namespace tflite_eq {

// --help prints the same.
enum ExitCode {
  kExitOk = 0,
  kExitDifferent = 1,  // --verify or --golden found a difference
  kExitUsage = 2,      // bad flags
  kExitBadInput = 3,   // the model, the runtime library or the delegate cannot be used
  kExitRunFailed = 4,  // the runtime failed or crashed with them
};

struct Message {
  char text[1024] = "";

  // False, for who returns it with the message.
  bool Set(const char* format, ...) __attribute__((format(printf, 2, 3))) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return false;
  }
  // Adds to what is there; what does not fit is cut off.
  void Append(const char* format, ...) __attribute__((format(printf, 2, 3))) {
    va_list arguments;
    va_start(arguments, format);
    AppendV(format, arguments);
    va_end(arguments);
  }
  void AppendV(const char* format, va_list arguments) {
    const size_t used = strlen(text);
    vsnprintf(text + used, sizeof(text) - used, format, arguments);
  }
  // Makes one line of it.
  void JoinLines() {
    for (char* c = text; *c != '\0'; ++c) {
      if (*c == '\n' || *c == '\r') *c = ' ';
    }
  }
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_MESSAGE_H_
