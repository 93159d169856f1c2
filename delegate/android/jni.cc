// The native methods of org.tfliteeq.NativeLibrary.
#include <jni.h>

#include "delegate/delegate.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/litert/accelerator.h"
#include "delegate/options.h"
#include "delegate/version.h"

namespace tflite_eq {
namespace {

void Throw(JNIEnv* env, const char* class_name, const char* message) {
  jclass type = env->FindClass(class_name);
  if (type == nullptr) return;  // FindClass has thrown
  env->ThrowNew(type, message);
  env->DeleteLocalRef(type);
}

// The characters of one element of a string array, null if it is null or memory runs out.
class StringElement {
 public:
  StringElement(JNIEnv* env, jobjectArray array, jsize index)
      : env_(env), string_(static_cast<jstring>(env->GetObjectArrayElement(array, index))) {
    if (string_ != nullptr) characters_ = env->GetStringUTFChars(string_, nullptr);
  }
  StringElement(const StringElement&) = delete;
  StringElement& operator=(const StringElement&) = delete;
  ~StringElement() {
    if (characters_ != nullptr) env_->ReleaseStringUTFChars(string_, characters_);
    if (string_ != nullptr) env_->DeleteLocalRef(string_);
  }
  const char* characters() const { return characters_; }

 private:
  JNIEnv* env_;
  jstring string_;
  const char* characters_ = nullptr;
};

// False with an exception pending.
bool ReadOptions(JNIEnv* env, jobjectArray keys, jobjectArray values, DelegateOptions* options) {
  const jsize count = env->GetArrayLength(keys);
  for (jsize i = 0; i < count; ++i) {
    const StringElement key(env, keys, i);
    if (env->ExceptionCheck()) return false;
    const StringElement value(env, values, i);
    if (env->ExceptionCheck()) return false;
    const char* key_characters = key.characters();
    const char* value_characters = value.characters();
    Reason error;
    if (!ParseOptions(&key_characters, &value_characters, 1, options, &error)) {
      Throw(env, "java/lang/IllegalArgumentException", error.text);
      return false;
    }
  }
  return true;
}

TfLiteDelegate* FromHandle(jlong handle) { return reinterpret_cast<TfLiteDelegate*>(static_cast<intptr_t>(handle)); }

jstring Version(JNIEnv* env, jclass) { return env->NewStringUTF(kVersion); }

jboolean HasFastKernels(JNIEnv*, jclass) { return CpuIsa() != Isa::kScalar ? JNI_TRUE : JNI_FALSE; }

jlong Create(JNIEnv* env, jclass, jobjectArray keys, jobjectArray values) {
  DelegateOptions options;
  if (!ReadOptions(env, keys, values, &options)) return 0;
  TfLiteDelegate* delegate = CreateDelegate(options);
  if (delegate == nullptr) Throw(env, "java/lang/OutOfMemoryError", "tflite_eq: no memory for a delegate");
  return static_cast<jlong>(reinterpret_cast<intptr_t>(delegate));
}

// The address of a definition, which is never freed; 0 with an exception pending.
jlong CreateAccelerator(JNIEnv* env, jclass, jobjectArray keys, jobjectArray values) {
  DelegateOptions options;
  if (!ReadOptions(env, keys, values, &options)) return 0;
  const LiteRtAcceleratorDef* accelerator = NewAccelerator(options);
  if (accelerator == nullptr) Throw(env, "java/lang/OutOfMemoryError", "tflite_eq: no memory for an accelerator");
  return static_cast<jlong>(reinterpret_cast<intptr_t>(accelerator));
}

void Close(JNIEnv*, jclass, jlong handle) { CloseDelegate(FromHandle(handle)); }

void Delete(JNIEnv*, jclass, jlong handle) { DeleteDelegate(FromHandle(handle)); }

// The JDK's jni.h wants char*, Android's const char*.
template <typename Function>
JNINativeMethod Method(const char* name, const char* signature, Function* function) {
  return {const_cast<char*>(name), const_cast<char*>(signature), reinterpret_cast<void*>(function)};
}

}  // namespace
}  // namespace tflite_eq

// Natives are registered here rather than found by name: one exported symbol, and a class that does not fit is refused when the
// library is loaded, not at the first call.
extern "C" JNIEXPORT jint JNI_OnLoad(JavaVM* vm, void*) {
  using namespace tflite_eq;
  void* env_pointer = nullptr;
  if (vm->GetEnv(&env_pointer, JNI_VERSION_1_6) != JNI_OK) return JNI_ERR;
  JNIEnv* env = static_cast<JNIEnv*>(env_pointer);
  jclass library = env->FindClass("org/tfliteeq/NativeLibrary");
  if (library == nullptr) return JNI_ERR;
  const JNINativeMethod methods[] = {
      Method("version", "()Ljava/lang/String;", Version),
      Method("hasFastKernels", "()Z", HasFastKernels),
      Method("create", "([Ljava/lang/String;[Ljava/lang/String;)J", Create),
      Method("createAccelerator", "([Ljava/lang/String;[Ljava/lang/String;)J", CreateAccelerator),
      Method("close", "(J)V", Close),
      Method("delete", "(J)V", Delete),
  };
  const jint result = env->RegisterNatives(library, methods, sizeof(methods) / sizeof(methods[0]));
  env->DeleteLocalRef(library);
  return result == JNI_OK ? JNI_VERSION_1_6 : JNI_ERR;
}
