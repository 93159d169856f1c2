#include "delegate/benchmark/session.h"

#include "delegate/benchmark/statistics.h"

namespace tflite_eq {
namespace {

// Collects what the runtime says; handed on only when a step fails.
void CollectError(void* user_data, const char* format, va_list arguments) {
  auto* errors = static_cast<Message*>(user_data);
  if (errors->text[0] != '\0') errors->Append("; ");
  errors->AppendV(format, arguments);
  for (char* c = errors->text; *c != '\0'; ++c) {
    if (*c == '\n') *c = ' ';
  }
}

}  // namespace

bool Session::Failed(const char* step, Message* error) const {
  error->Set("%s failed%s%s", step, runtime_errors_.text[0] != '\0' ? ": " : "", runtime_errors_.text);
  return false;
}

bool Session::CreateInterpreter(Message* error) {
  const TfliteCApi& api = *options_.api;
  TfLiteInterpreterOptions* options = api.InterpreterOptionsCreate();
  if (options == nullptr) return Failed("making interpreter options", error);
  api.InterpreterOptionsSetNumThreads(options, options_.num_threads);
  api.InterpreterOptionsSetErrorReporter(options, CollectError, &runtime_errors_);
  if (delegate_ != nullptr) api.InterpreterOptionsAddDelegate(options, delegate_);
  if (options_.profiler != nullptr) api.InterpreterOptionsSetTelemetryProfiler(options, options_.profiler);
  const double start = NowMilliseconds();
  interpreter_ = api.InterpreterCreate(model_, options);
  times_.create_interpreter = NowMilliseconds() - start;
  api.InterpreterOptionsDelete(options);
  return interpreter_ != nullptr ||
         Failed(delegate_ != nullptr ? "making the interpreter and applying the delegate" : "making the interpreter", error);
}

bool Session::Open(const SessionOptions& options, Message* error, const char** step) {
  Close();
  options_ = options;
  const TfliteCApi& api = *options.api;
  const char* unwatched;
  if (step == nullptr) step = &unwatched;

  *step = "loading the model";
  double start = NowMilliseconds();
  model_ = api.ModelCreateFromFileWithErrorReporter != nullptr
               ? api.ModelCreateFromFileWithErrorReporter(options.graph, CollectError, &runtime_errors_)
               : api.ModelCreateFromFile(options.graph);
  times_.load_model = NowMilliseconds() - start;
  if (model_ == nullptr) {
    error->Set("--graph=%s: the runtime does not take it for a valid model%s%s", options.graph,
               runtime_errors_.text[0] != '\0' ? ": " : "", runtime_errors_.text);
    return false;
  }
  if (options.delegate != nullptr) {
    *step = "making the delegate";
    start = NowMilliseconds();
    delegate_ = options.delegate->Create(*options.delegate_options, options.observer, error);
    times_.create_delegate = NowMilliseconds() - start;
    if (delegate_ == nullptr) return false;
  }
  *step = delegate_ != nullptr ? "making the interpreter and applying the delegate" : "making the interpreter";
  if (!CreateInterpreter(error)) return false;
  *step = "setting input shapes";
  if (!options.inputs->Resize(api, interpreter_, error)) return false;
  *step = "allocating tensors";
  start = NowMilliseconds();
  if (api.InterpreterAllocateTensors(interpreter_) != kTfLiteOk) return Failed(*step, error);
  times_.allocate_tensors = NowMilliseconds() - start;
  return true;
}

bool Session::Fill(uint64_t seed, Message* error) {
  return options_.inputs->Fill(*options_.api, interpreter_, seed, error);
}

bool Session::SetInput(int i, const void* bytes, size_t size, Message* error) {
  const TfliteCApi& api = *options_.api;
  TfLiteTensor* tensor = i < api.InterpreterGetInputTensorCount(interpreter_) ? api.InterpreterGetInputTensor(interpreter_, i) : nullptr;
  if (tensor == nullptr || tensor->bytes != size || (tensor->data.raw == nullptr && size > 0)) {
    error->Set("input %d is to hold %zu bytes and has %zu", i, size, tensor != nullptr ? tensor->bytes : 0);
    return false;
  }
  if (size > 0) memcpy(tensor->data.raw, bytes, size);
  return true;
}

bool Session::Invoke(Message* error) {
  return options_.api->InterpreterInvoke(interpreter_) == kTfLiteOk || Failed("running the model", error);
}

void Session::Close() {
  if (interpreter_ != nullptr) options_.api->InterpreterDelete(interpreter_);
  if (delegate_ != nullptr) options_.delegate->Destroy(delegate_);
  if (model_ != nullptr) options_.api->ModelDelete(model_);
  interpreter_ = nullptr;
  delegate_ = nullptr;
  model_ = nullptr;
  runtime_errors_ = Message();
}

}  // namespace tflite_eq
