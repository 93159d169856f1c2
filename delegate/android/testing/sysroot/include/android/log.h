#pragma once
typedef enum {
  ANDROID_LOG_DEBUG = 3,
  ANDROID_LOG_INFO = 4,
  ANDROID_LOG_WARN = 5,
  ANDROID_LOG_ERROR = 6,
} android_LogPriority;
#ifdef __cplusplus
extern "C" {
#endif
int __android_log_write(int priority, const char* tag, const char* text);
#ifdef __cplusplus
}
#endif
