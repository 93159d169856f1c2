#include "delegate/benchmark/tflite_c_api.h"

namespace tflite_eq {

bool TfliteCApi::Load(const char* path, Message* error) {
  if (!library_.Open(path, "runtime_library", error)) return false;
  const char* missing = nullptr;
  const auto resolve = [&](const char* name, auto** function) {
    if (!library_.Resolve(name, function) && missing == nullptr) missing = name;
  };
  resolve("TfLiteVersion", &Version);
  resolve("TfLiteModelCreateFromFile", &ModelCreateFromFile);
  resolve("TfLiteModelDelete", &ModelDelete);
  resolve("TfLiteInterpreterOptionsCreate", &InterpreterOptionsCreate);
  resolve("TfLiteInterpreterOptionsDelete", &InterpreterOptionsDelete);
  resolve("TfLiteInterpreterOptionsSetNumThreads", &InterpreterOptionsSetNumThreads);
  resolve("TfLiteInterpreterOptionsAddDelegate", &InterpreterOptionsAddDelegate);
  resolve("TfLiteInterpreterOptionsSetErrorReporter", &InterpreterOptionsSetErrorReporter);
  resolve("TfLiteInterpreterCreate", &InterpreterCreate);
  resolve("TfLiteInterpreterDelete", &InterpreterDelete);
  resolve("TfLiteInterpreterGetInputTensorCount", &InterpreterGetInputTensorCount);
  resolve("TfLiteInterpreterGetInputTensor", &InterpreterGetInputTensor);
  resolve("TfLiteInterpreterResizeInputTensor", &InterpreterResizeInputTensor);
  resolve("TfLiteInterpreterAllocateTensors", &InterpreterAllocateTensors);
  resolve("TfLiteInterpreterInvoke", &InterpreterInvoke);
  resolve("TfLiteInterpreterGetOutputTensorCount", &InterpreterGetOutputTensorCount);
  resolve("TfLiteInterpreterGetOutputTensor", &InterpreterGetOutputTensor);
  if (missing != nullptr) {
    error->Set("--runtime_library=%s: does not export %s. A library with TFLite's C API is needed: "
               "jni/arm64-v8a/libtensorflowlite_jni.so of the Android archive org.tensorflow:tensorflow-lite, "
               "libtensorflowlite_c.so (TensorFlow, //tensorflow/lite/c:tensorflowlite_c), or Debian's libtensorflow-lite.so. "
               "The libraries inside Python wheels do not have it",
               path, missing);
    return false;
  }
  library_.Resolve("TfLiteModelCreateFromFileWithErrorReporter", &ModelCreateFromFileWithErrorReporter);
  library_.Resolve("TfLiteInterpreterOptionsSetTelemetryProfiler", &InterpreterOptionsSetTelemetryProfiler);
  return true;
}

}  // namespace tflite_eq
