// TFLite's C API, as far as the benchmark uses it, looked up at run time in a library given by path.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_API_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_API_H_

#include <stdint.h>

#include "delegate/benchmark/files.h"
#include "delegate/benchmark/tflite_c_types.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

// Every function's name behind "TfLite", result and parameters.
#define TFLITE_EQ_FOR_EACH_FUNCTION(F)                                                                                 \
  F(Version, const char*, ())                                                                                          \
  F(ModelCreateFromFile, TfLiteModel*, (const char* path))                                                             \
  F(ModelDelete, void, (TfLiteModel * model))                                                                          \
  F(InterpreterOptionsCreate, TfLiteInterpreterOptions*, ())                                                           \
  F(InterpreterOptionsDelete, void, (TfLiteInterpreterOptions * options))                                              \
  F(InterpreterOptionsSetNumThreads, void, (TfLiteInterpreterOptions * options, int32_t threads))                      \
  F(InterpreterOptionsAddDelegate, void, (TfLiteInterpreterOptions * options, TfLiteDelegate* delegate))               \
  F(InterpreterOptionsSetErrorReporter, void,                                                                          \
    (TfLiteInterpreterOptions * options, TfLiteErrorReporter reporter, void* user_data))                               \
  F(InterpreterCreate, TfLiteInterpreter*, (const TfLiteModel* model, const TfLiteInterpreterOptions* options))        \
  F(InterpreterDelete, void, (TfLiteInterpreter * interpreter))                                                        \
  F(InterpreterGetInputTensorCount, int32_t, (const TfLiteInterpreter* interpreter))                                   \
  F(InterpreterGetInputTensor, TfLiteTensor*, (const TfLiteInterpreter* interpreter, int32_t index))                   \
  F(InterpreterResizeInputTensor, TfLiteStatus,                                                                        \
    (TfLiteInterpreter * interpreter, int32_t index, const int* dims, int32_t dims_size))                              \
  F(InterpreterAllocateTensors, TfLiteStatus, (TfLiteInterpreter * interpreter))                                       \
  F(InterpreterInvoke, TfLiteStatus, (TfLiteInterpreter * interpreter))                                                \
  F(InterpreterGetOutputTensorCount, int32_t, (const TfLiteInterpreter* interpreter))                                  \
  F(InterpreterGetOutputTensor, const TfLiteTensor*, (const TfLiteInterpreter* interpreter, int32_t index))

// Null where the runtime has none. Without the first it writes to stderr why a model is none, without the second its own operators
// cannot be timed one by one.
#define TFLITE_EQ_FOR_EACH_OPTIONAL_FUNCTION(F)                                                                        \
  F(ModelCreateFromFileWithErrorReporter, TfLiteModel*, (const char* path, TfLiteErrorReporter reporter, void* data))  \
  F(InterpreterOptionsSetTelemetryProfiler, void,                                                                      \
    (TfLiteInterpreterOptions * options, TfLiteTelemetryProfilerStruct* profiler))

struct TfliteCApi {
  // False with a message naming the first function that is missing, and which libraries have it.
  bool Load(const char* path, Message* error);

#define TFLITE_EQ_DECLARE(name, result, parameters) result(*name) parameters;
  TFLITE_EQ_FOR_EACH_FUNCTION(TFLITE_EQ_DECLARE)
  TFLITE_EQ_FOR_EACH_OPTIONAL_FUNCTION(TFLITE_EQ_DECLARE)
#undef TFLITE_EQ_DECLARE

 private:
  SharedLibrary library_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_TFLITE_C_API_H_
