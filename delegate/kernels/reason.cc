#include "delegate/kernels/reason.h"

#include <stdarg.h>
#include <stdio.h>

namespace tflite_eq {

void Reason::Set(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
}

}  // namespace tflite_eq
