// TFLite's C API, as far as the benchmark uses it, looked up at run time in a library given by path. Like tflite_abi.h it is
// declared here rather than taken from TFLite's headers; abi/tflite_abi_check.cc compares it with them.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_API_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_API_H_

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "delegate/benchmark/message.h"
#include "delegate/benchmark/shared_library.h"
#include "delegate/tflite_abi.h"

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

namespace tflite_eq {

struct TfliteCApi {
  // False with a message naming the first function that is missing, and which libraries have it.
  bool Load(const char* path, Message* error);

  const char* (*Version)();
  TfLiteModel* (*ModelCreateFromFile)(const char* path);
  void (*ModelDelete)(TfLiteModel* model);
  TfLiteInterpreterOptions* (*InterpreterOptionsCreate)();
  void (*InterpreterOptionsDelete)(TfLiteInterpreterOptions* options);
  void (*InterpreterOptionsSetNumThreads)(TfLiteInterpreterOptions* options, int32_t threads);
  void (*InterpreterOptionsAddDelegate)(TfLiteInterpreterOptions* options, TfLiteDelegate* delegate);
  void (*InterpreterOptionsSetErrorReporter)(TfLiteInterpreterOptions* options, TfLiteErrorReporter reporter,
                                             void* user_data);
  TfLiteInterpreter* (*InterpreterCreate)(const TfLiteModel* model, const TfLiteInterpreterOptions* options);
  void (*InterpreterDelete)(TfLiteInterpreter* interpreter);
  int32_t (*InterpreterGetInputTensorCount)(const TfLiteInterpreter* interpreter);
  TfLiteTensor* (*InterpreterGetInputTensor)(const TfLiteInterpreter* interpreter, int32_t index);
  TfLiteStatus (*InterpreterResizeInputTensor)(TfLiteInterpreter* interpreter, int32_t index, const int* dims,
                                               int32_t dims_size);
  TfLiteStatus (*InterpreterAllocateTensors)(TfLiteInterpreter* interpreter);
  TfLiteStatus (*InterpreterInvoke)(TfLiteInterpreter* interpreter);
  int32_t (*InterpreterGetOutputTensorCount)(const TfLiteInterpreter* interpreter);
  const TfLiteTensor* (*InterpreterGetOutputTensor)(const TfLiteInterpreter* interpreter, int32_t index);

  // Null where the runtime has none (before 2.13): then the runtime's own operators cannot be timed one by one.
  void (*InterpreterOptionsSetTelemetryProfiler)(TfLiteInterpreterOptions* options,
                                                 TfLiteTelemetryProfilerStruct* profiler);

 private:
  SharedLibrary library_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_API_H_
