// One interpreter with its model and, perhaps, its delegate: from the file to a result, each step timed.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_SESSION_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_SESSION_H_

#include "delegate/benchmark/external_delegate.h"
#include "delegate/benchmark/model_inputs.h"
#include "delegate/benchmark/tflite_c_api.h"

namespace tflite_eq {

struct SessionOptions {
  const TfliteCApi* api = nullptr;
  const char* graph = nullptr;
  int num_threads = 1;
  const InputOptions* inputs = nullptr;
  // Null: the runtime alone.
  const ExternalDelegate* delegate = nullptr;
  const DelegateOptions* delegate_options = nullptr;
  const TfLiteEqObserver* observer = nullptr;         // or null
  TfLiteTelemetryProfilerStruct* profiler = nullptr;  // or null; only where the runtime takes one
};

// Milliseconds of the steps before the first inference.
struct OpenTimes {
  double load_model = 0;
  double create_delegate = 0;
  double create_interpreter = 0;  // applies the delegate, which transforms its weights
  double allocate_tensors = 0;    // a runtime that has XNNPACK applies it here
};

class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { Close(); }

  // False with a message that says which step failed and what the runtime said.
  bool Open(const SessionOptions& options, Message* error);
  // Random inputs, as InputOptions::Fill.
  bool Fill(uint64_t seed, Message* error);
  // As many bytes as the input has, or false with a message.
  bool SetInput(int i, const void* bytes, size_t size, Message* error);
  bool Invoke(Message* error);
  // The interpreter, the delegate and the model go, in this order.
  void Close();

  const OpenTimes& times() const { return times_; }
  int inputs() const { return options_.api->InterpreterGetInputTensorCount(interpreter_); }
  int outputs() const { return options_.api->InterpreterGetOutputTensorCount(interpreter_); }
  const TfLiteTensor& output(int i) const { return *options_.api->InterpreterGetOutputTensor(interpreter_, i); }

  // What is under way, for whoever watches a process that may crash; it must outlive the session.
  void WatchSteps(const char** step) { step_ = step; }

 private:
  bool CreateInterpreter(Message* error);
  bool Failed(Message* error) const;

  SessionOptions options_;
  OpenTimes times_;
  Message runtime_errors_;
  const char* own_step_ = nullptr;
  const char** step_ = &own_step_;
  TfLiteModel* model_ = nullptr;
  TfLiteDelegate* delegate_ = nullptr;
  TfLiteInterpreter* interpreter_ = nullptr;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_SESSION_H_
