// TFLite's C API, as far as the benchmark uses it, looked up at run time in a library given by path.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_API_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_API_H_

#include <stdint.h>

#include "delegate/benchmark/message.h"
#include "delegate/benchmark/shared_library.h"
#include "delegate/benchmark/tflite_c_types.h"
#include "delegate/tflite_abi.h"

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

  // Null where the runtime has none. Without the first it writes to stderr why a model is none, without the second its own
  // operators cannot be timed one by one.
  TfLiteModel* (*ModelCreateFromFileWithErrorReporter)(const char* path, TfLiteErrorReporter reporter, void* user_data);
  void (*InterpreterOptionsSetTelemetryProfiler)(TfLiteInterpreterOptions* options,
                                                 TfLiteTelemetryProfilerStruct* profiler);

 private:
  SharedLibrary library_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_API_H_
