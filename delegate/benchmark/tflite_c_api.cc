#include "delegate/benchmark/tflite_c_api.h"

namespace tflite_eq {

bool TfliteCApi::Load(const char* path, Message* error) {
  if (!library_.Open(path, "runtime_library", error)) return false;
  const char* missing = nullptr;
#define TFLITE_EQ_RESOLVE(name, result, parameters) \
  if (!library_.Resolve("TfLite" #name, &name) && missing == nullptr) missing = "TfLite" #name;
  TFLITE_EQ_FOR_EACH_FUNCTION(TFLITE_EQ_RESOLVE)
#undef TFLITE_EQ_RESOLVE
  if (missing != nullptr) {
    return error->Set(
        "--runtime_library=%s: does not export %s. A library with TFLite's C API is needed: "
        "jni/arm64-v8a/libtensorflowlite_jni.so of the Android archive org.tensorflow:tensorflow-lite, "
        "libtensorflowlite_c.so (TensorFlow, //tensorflow/lite/c:tensorflowlite_c), or Debian's libtensorflow-lite.so. "
        "The libraries inside Python wheels do not have it",
        path, missing);
  }
#define TFLITE_EQ_RESOLVE(name, result, parameters) library_.Resolve("TfLite" #name, &name);
  TFLITE_EQ_FOR_EACH_OPTIONAL_FUNCTION(TFLITE_EQ_RESOLVE)
#undef TFLITE_EQ_RESOLVE
  return true;
}

}  // namespace tflite_eq
