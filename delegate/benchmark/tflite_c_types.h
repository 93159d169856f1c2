// Types of TFLite's C API that a delegate does not meet. Like tflite_abi.h a mirror of TFLite's own headers, and compared with them
// by abi/tflite_abi_check.cc.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_TYPES_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_TYPES_H_

#include <stdarg.h>
#include <stdint.h>

extern "C" {

struct TfLiteModel;
struct TfLiteInterpreter;
struct TfLiteInterpreterOptions;

typedef void (*TfLiteErrorReporter)(void* user_data, const char* format, va_list arguments);

// Told of events while a model runs; of these the benchmark uses the begin and end of operators. The runtime calls every
// function without asking whether it is null.
typedef struct TfLiteTelemetryProfilerStruct {
  void* data;
  void (*ReportTelemetryEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* event_name, uint64_t status);
  void (*ReportTelemetryOpEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* event_name, int64_t op_idx,
                                 int64_t subgraph_idx, uint64_t status);
  void (*ReportSettings)(struct TfLiteTelemetryProfilerStruct* profiler, const char* setting_name, const void* settings);
  uint32_t (*ReportBeginOpInvokeEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* op_name, int64_t op_idx,
                                       int64_t subgraph_idx);
  void (*ReportEndOpInvokeEvent)(struct TfLiteTelemetryProfilerStruct* profiler, uint32_t event_handle);
  void (*ReportOpInvokeEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* op_name, uint64_t elapsed_time,
                              int64_t op_idx, int64_t subgraph_idx);
} TfLiteTelemetryProfilerStruct;

}  // extern "C"

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_TYPES_H_
