// `adb logcat -s tflite_eq` shows these lines.
#include <android/log.h>
#include <stdarg.h>
#include <stdio.h>

#include "delegate/log.h"

namespace tflite_eq {

void Log(Severity severity, const char* format, ...) {
  char line[kLongestLogLine + 1];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  __android_log_write(severity == Severity::kError ? ANDROID_LOG_ERROR : ANDROID_LOG_INFO, "tflite_eq", line);
}

}  // namespace tflite_eq
