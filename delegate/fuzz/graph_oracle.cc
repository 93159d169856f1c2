#include "delegate/fuzz/graph_oracle.h"

#include <memory>
#include <random>
#include <utility>

#include "delegate/delegate.h"
#include "delegate/testing/arrays.h"
#include "delegate/testing/failing_allocations.h"
#include "delegate/testing/test_runtime.h"

namespace tflite_eq {
namespace {

// Of one step of a case, in multiplications of its convolutions: what takes longer tests nothing more.
constexpr int64_t kMostWork = 4000000;
constexpr size_t kMostOutputBytes = 1 << 20;
constexpr size_t kLongestError = 600;

int64_t WorkOf(const TestGraph& graph, TestRuntime* runtime) {
  int64_t work = 0;
  for (const TestNode& node : graph.nodes) {
    if (node.outputs.empty() || node.outputs[0] < 0) continue;
    const auto output = static_cast<int64_t>(runtime->tensor(node.outputs[0]).bytes);
    const bool convolution = (node.code == kOperatorConv2d || node.code == kOperatorTransposeConv) && node.inputs.size() > 1 && node.inputs[1] >= 0;
    int64_t taps = 1;
    if (convolution) {
      const TfLiteTensor& filter = runtime->tensor(node.inputs[1]);
      const int channels = filter.dims->size > 0 ? filter.dims->data[0] : 0;
      taps = static_cast<int64_t>(filter.bytes) / (channels > 0 ? channels : 1);
    } else if (node.code == kOperatorDepthwiseConv2d || node.code == kOperatorMaxPool2d || node.code == kOperatorAveragePool2d) {
      taps = 25;
    }
    work += output * taps;
  }
  return work;
}

// Codes, or small numbers for what shapes and paddings are made of.
std::vector<std::vector<uint8_t>> FillInputs(const TestGraph& graph, unsigned seed, TestRuntime* runtime) {
  std::mt19937 random(seed);
  std::vector<std::vector<uint8_t>> all;
  for (int input : graph.inputs) {
    if (input < 0) continue;
    const TfLiteTensor& tensor = runtime->tensor(input);
    std::vector<uint8_t> bytes(tensor.bytes);
    if (tensor.type == kTfLiteInt32) {
      for (size_t i = 0; i + 4 <= bytes.size(); i += 4) bytes[i] = static_cast<uint8_t>(i / 8 == 1 || i / 8 == 2 ? random() % 3 : 0);
    } else {
      const unsigned kind = seed % 4;  // any code, those of INT7, extremes, any
      for (uint8_t& byte : bytes) {
        const unsigned value = random();
        byte = static_cast<uint8_t>(kind == 1 ? value % 128 - 64 : kind == 2 ? (value % 2 != 0 ? 127 : -128) : value);
      }
    }
    runtime->Write(input, bytes.data());
    all.push_back(std::move(bytes));
  }
  return all;
}

// Whether a convolution reads another number of channels than the model says, be it that inputs were resized or that the model
// contradicts itself. TFLite may go on, if it is a multiple, as with a grouped convolution; one that is claimed has weights for so many.
bool ChangesChannels(const TestGraph& graph, TestRuntime* runtime) {
  for (const TestNode& node : graph.nodes) {
    if (node.code != kOperatorConv2d || node.inputs.empty()) continue;
    const int input = node.inputs[0];
    if (input < 0 || input >= static_cast<int>(graph.tensors.size())) continue;
    const std::vector<int>& said = graph.tensors[input].shape;
    const std::vector<int> found = ToVector(runtime->tensor(input).dims);
    if (said.size() != found.size() || (!said.empty() && said.back() != found.back())) return true;
  }
  return false;
}

StepResult RunStep(const GraphCase& c, const CaseStep& step, TestRuntime* runtime) {
  StepResult result;
  for (const CaseStep::Resize& resize : step.resizes) runtime->ResizeInput(c.graph.inputs[resize.input], resize.shape);
  result.allocated = runtime->Allocate();
  result.changes_channels = result.allocated && ChangesChannels(c.graph, runtime);
  if (result.allocated && WorkOf(c.graph, runtime) > kMostWork) {
    result.skipped = true;
    return result;
  }
  for (int i = 0; i < step.invocations && result.allocated; ++i) {
    InvocationResult invocation;
    invocation.inputs = FillInputs(c.graph, step.seed + 16 * static_cast<unsigned>(i), runtime);
    invocation.succeeded = runtime->Invoke();
    for (int output : c.graph.outputs) {
      if (!invocation.succeeded || output < 0 || runtime->tensor(output).bytes > kMostOutputBytes) continue;
      invocation.outputs.push_back({ToVector(runtime->tensor(output).dims), runtime->Read(output)});
    }
    result.invocations.push_back(std::move(invocation));
  }
  result.changes_channels = result.changes_channels || ChangesChannels(c.graph, runtime);
  result.undefined = runtime->met_undefined();
  result.error = runtime->error();
  return result;
}

std::string CheckError(const std::string& error) {
  if (error.empty()) return "a refusal without a reason";
  if (error.find('\n') != std::string::npos) return "an error of several lines: " + error;
  if (error.size() > kLongestError) return "an error that is too long: " + error;
  return "";
}

bool Succeeds(const StepResult& step) {
  return step.allocated && (step.invocations.empty() || step.invocations[0].succeeded);
}

bool SucceedsThroughout(const StepResult& step) {
  bool succeeds = step.allocated;
  for (const InvocationResult& invocation : step.invocations) succeeds = succeeds && invocation.succeeded;
  return succeeds;
}

std::string Compare(const StepResult& alone, const StepResult& delegated) {
  if (delegated.skipped) return "";
  // Behind a dynamic tensor a node is prepared, and found wanting, during the invocation. The delegate's partitions may come before it,
  // so that the same fault shows earlier; without an invocation it does not show at all.
  if (alone.allocated != delegated.allocated) {
    const StepResult& later = alone.allocated ? alone : delegated;
    if (!Succeeds(later) || later.invocations.empty()) return "";
    return std::string("tensors are allocated only ") + (alone.allocated ? "without: " : "with the delegate; without: ") +
           (alone.allocated ? delegated.error : alone.error);
  }
  for (size_t i = 0; i < alone.invocations.size(); ++i) {
    const InvocationResult& expected = alone.invocations[i];
    const InvocationResult& actual = delegated.invocations[i];
    const std::string where = "invocation " + std::to_string(i) + ": ";
    if (expected.succeeded != actual.succeeded) {
      return where + "succeeds only " +
             (expected.succeeded ? "without: " + delegated.error : "with the delegate; without: " + alone.error);
    }
    for (size_t k = 0; k < expected.outputs.size(); ++k) {
      const std::string output = where + "output " + std::to_string(k);
      if (expected.outputs[k].shape != actual.outputs[k].shape) return output + " has another shape";
      if (expected.outputs[k].codes != actual.outputs[k].codes) return output + " has other codes";
    }
  }
  return "";
}

struct Deleter {
  void operator()(TfLiteDelegate* delegate) const { DeleteDelegate(delegate); }
};

// One that claims nothing.
TfLiteDelegate NoDelegate() {
  TfLiteDelegate none = {};
  none.Prepare = [](TfLiteContext*, TfLiteDelegate*) { return kTfLiteOk; };
  none.flags = kTfLiteDelegateFlagsAllowDynamicTensors | kTfLiteDelegateFlagsRequirePropagatedShapes;
  return none;
}

// A model may run only after its inputs were resized, and no delegate can be applied before.
bool RuntimeItselfRefuses(const GraphCase& c) {
  TfLiteDelegate none = NoDelegate();
  TestRuntime runtime(c.graph, c.interpreter_threads);
  if (c.allocate_first) runtime.Allocate();
  return !runtime.Apply(&none);
}

// Of a refusal to be applied: a model that runs must not be refused, unless that was asked for.
std::string CheckRefusal(const GraphCase& c, const std::vector<StepResult>& alone, const std::string& error) {
  const std::string malformed = CheckError(error);
  if (!malformed.empty()) return malformed;
  if (c.options.require_delegation || RuntimeItselfRefuses(c)) return "";
  for (const StepResult& step : alone) {
    // Behind a dynamic tensor a node that cannot be prepared is found out by the invocation; what a delegate claims comes before it.
    if (SucceedsThroughout(step) && !step.invocations.empty() && !step.undefined) {
      return "the delegate refuses a model that runs: " + error;
    }
  }
  return "";
}

}  // namespace

namespace {

std::vector<StepResult> RunSteps(const GraphCase& c, TestRuntime* runtime) {
  std::vector<StepResult> results;
  for (const CaseStep& step : c.steps) {
    results.push_back(RunStep(c, step, runtime));
    // Whatever follows has no meaning either.
    if (results.back().undefined || results.back().skipped) break;
  }
  return results;
}

// A delegate that claims nothing is no change to a model, but for the runtime: it prepares the original nodes an additional time,
// ahead of the others. Where two of them write a dynamic tensor, readers then find the shape that the second gave it.
bool RuntimeItselfDiffers(const GraphCase& c, const std::vector<StepResult>& alone) {
  TfLiteDelegate none = NoDelegate();
  TestRuntime runtime(c.graph, c.interpreter_threads);
  if (c.allocate_first) runtime.Allocate();
  runtime.Apply(&none);
  const std::vector<StepResult> results = RunSteps(c, &runtime);
  if (results.size() != alone.size()) return true;
  for (size_t i = 0; i < alone.size(); ++i) {
    if (!Compare(alone[i], results[i]).empty()) return true;
  }
  return false;
}

}  // namespace

std::vector<StepResult> RunAlone(const GraphCase& c) {
  TestRuntime runtime(c.graph, c.interpreter_threads);
  if (c.allocate_first) runtime.Allocate();
  return RunSteps(c, &runtime);
}

std::string FindDifference(const GraphCase& c) {
  const std::vector<StepResult> alone = RunAlone(c);
  const bool injected = c.failing_call > 0 || c.failing_allocation > 0;
  const std::unique_ptr<TfLiteDelegate, Deleter> delegate(CreateDelegate(c.options));
  if (delegate == nullptr) return "no delegate";
  TestRuntime runtime(c.graph, c.interpreter_threads);
  if (c.allocate_first) runtime.Allocate();
  runtime.FailCall(c.failing_call);
  const FailingAllocation failing(c.failing_allocation);
  if (!runtime.Apply(delegate.get())) return injected ? "" : CheckRefusal(c, alone, runtime.error());
  for (size_t i = 0; i < alone.size(); ++i) {
    const StepResult delegated = RunStep(c, c.steps[i], &runtime);
    if (alone[i].undefined || alone[i].skipped || (injected && !SucceedsThroughout(delegated))) return "";
    if (!SucceedsThroughout(delegated) && alone[i].changes_channels) return CheckError(delegated.error);
    const std::string difference = Compare(alone[i], delegated);
    if (!difference.empty() && RuntimeItselfDiffers(c, alone)) return "";
    if (!difference.empty()) return "step " + std::to_string(i) + ": " + difference;
  }
  return "";
}

}  // namespace tflite_eq
