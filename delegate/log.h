// Where the delegate's own lines go: stderr, or logcat in an Android app, which has no stderr. The build chooses the file.
#ifndef TFLITE_EQ_DELEGATE_LOG_H_
#define TFLITE_EQ_DELEGATE_LOG_H_

namespace tflite_eq {

enum class Severity { kInfo, kError };

// One line, without a newline at its end; what is beyond kLongestLogLine characters is cut off.
void Log(Severity severity, const char* format, ...) __attribute__((format(printf, 2, 3)));

constexpr int kLongestLogLine = 1000;

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_LOG_H_
