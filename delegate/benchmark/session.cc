#include "delegate/benchmark/session.h"

#include "delegate/clock.h"

namespace tflite_eq {
namespace {

// Collects what the runtime says; handed on only when a step fails.
void CollectError(void* user_data, const char* format, va_list arguments) {
  auto* errors = static_cast<Message*>(user_data);
  if (errors->text[0] != '\0') errors->Append("; ");
  errors->AppendV(format, arguments);
  errors->JoinLines();
}

}  // namespace

bool Session::Failed(Message* error) const {
  return error->Set("%s failed%s%s", *step_, runtime_errors_.text[0] != '\0' ? ": " : "", runtime_errors_.text);
}

bool Session::CreateInterpreter(Message* error) {
  *step_ = delegate_ != nullptr ? "making the interpreter and applying the delegate" : "making the interpreter";
  const TfliteCApi& api = *options_.api;
  TfLiteInterpreterOptions* options = api.InterpreterOptionsCreate();
  if (options == nullptr) return Failed(error);
  api.InterpreterOptionsSetNumThreads(options, options_.num_threads);
  api.InterpreterOptionsSetErrorReporter(options, CollectError, &runtime_errors_);
  if (delegate_ != nullptr) api.InterpreterOptionsAddDelegate(options, delegate_);
  if (options_.profiler != nullptr) api.InterpreterOptionsSetTelemetryProfiler(options, options_.profiler);
  const double start = Milliseconds();
  interpreter_ = api.InterpreterCreate(model_, options);
  times_.create_interpreter = Milliseconds() - start;
  api.InterpreterOptionsDelete(options);
  return interpreter_ != nullptr || Failed(error);
}

bool Session::Open(const SessionOptions& options, Message* error) {
  Close();
  options_ = options;
  const TfliteCApi& api = *options.api;
  *step_ = "loading the model";
  double start = Milliseconds();
  model_ = api.ModelCreateFromFileWithErrorReporter != nullptr
               ? api.ModelCreateFromFileWithErrorReporter(options.graph, CollectError, &runtime_errors_)
               : api.ModelCreateFromFile(options.graph);
  times_.load_model = Milliseconds() - start;
  if (model_ == nullptr) {
    return error->Set("--graph=%s: the runtime does not take it for a valid model: it is truncated, damaged or none%s%s", options.graph,
                      runtime_errors_.text[0] != '\0' ? ": " : "", runtime_errors_.text);
  }
  if (options.delegate != nullptr) {
    *step_ = "making the delegate";
    start = Milliseconds();
    delegate_ = options.delegate->Create(*options.delegate_options, options.observer, error);
    times_.create_delegate = Milliseconds() - start;
    if (delegate_ == nullptr) return false;
  }
  if (!CreateInterpreter(error)) return false;
  *step_ = "setting input shapes";
  if (!options.inputs->Resize(api, interpreter_, error)) return false;
  *step_ = "allocating tensors";
  start = Milliseconds();
  if (api.InterpreterAllocateTensors(interpreter_) != kTfLiteOk) return Failed(error);
  times_.allocate_tensors = Milliseconds() - start;
  return true;
}

bool Session::Fill(uint64_t seed, Message* error) {
  *step_ = "filling the inputs";
  return options_.inputs->Fill(*options_.api, interpreter_, seed, error);
}

bool Session::SetInput(int i, const void* bytes, size_t size, Message* error) {
  const TfliteCApi& api = *options_.api;
  TfLiteTensor* tensor = i < api.InterpreterGetInputTensorCount(interpreter_) ? api.InterpreterGetInputTensor(interpreter_, i) : nullptr;
  if (tensor == nullptr || tensor->bytes != size || (tensor->data.raw == nullptr && size > 0)) {
    return error->Set("input %d is to hold %zu bytes and has %zu", i, size, tensor != nullptr ? tensor->bytes : 0);
  }
  if (size > 0) memcpy(tensor->data.raw, bytes, size);
  return true;
}

bool Session::Invoke(Message* error) {
  *step_ = "running the model";
  return options_.api->InterpreterInvoke(interpreter_) == kTfLiteOk || Failed(error);
}

void Session::Close() {
  *step_ = "deleting the interpreter";
  if (interpreter_ != nullptr) options_.api->InterpreterDelete(interpreter_);
  if (delegate_ != nullptr) options_.delegate->Destroy(delegate_);
  if (model_ != nullptr) options_.api->ModelDelete(model_);
  interpreter_ = nullptr;
  delegate_ = nullptr;
  model_ = nullptr;
  runtime_errors_ = Message();
}

}  // namespace tflite_eq
