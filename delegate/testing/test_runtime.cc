#include "delegate/testing/test_runtime.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "delegate/testing/arrays.h"
#include "delegate/testing/operators.h"

namespace tflite_eq {
namespace {

constexpr int kOptionalTensor = -1;

}  // namespace

TestRuntime::TestRuntime(const TestGraph& graph, int threads) : graph_(graph), table_(graph), written_(graph.tensors.size()) {
  context_.recommended_num_threads = threads;
  context_.ResizeTensor = ResizeTensor;
  context_.ReportError = ReportError;
  SyncTable();
  AllowDelegateCalls(false);
  graph_outputs_.Copy(graph.outputs.data(), static_cast<int>(graph.outputs.size()));
  for (const TestNode& node : graph.nodes) AddGraphNode(node);
  CheckGraph();
}

TestRuntime::~TestRuntime() {
  for (Node& node : nodes_) FreeNode(&node);
}

void TestRuntime::AddGraphNode(const TestNode& from) {
  plan_.push_back(static_cast<int>(nodes_.size()));
  nodes_.emplace_back();
  Node& to = nodes_.back();
  to.registration = OperatorRegistration(from.code);
  to.registration.version = from.version;
  to.node.inputs = MakeIntArray(from.inputs);
  to.node.outputs = MakeIntArray(from.outputs);
  to.node.custom_initial_data = &from;  // the operators of this runtime find all their parameters here
  if (!from.has_parameters) return;
  to.parameters = MakeParameters(from);
  to.node.builtin_data = to.parameters.get();
}

// What keeps TFLite from loading a model.
void TestRuntime::CheckGraph() {
  const auto check = [this](const std::vector<int>& tensors) {
    for (int tensor : tensors) consistent_ = consistent_ && (tensor == kOptionalTensor || table_.Contains(tensor));
  };
  for (const TestNode& node : graph_.nodes) {
    check(node.inputs);
    check(node.outputs);
    for (int output : node.outputs) {
      consistent_ = consistent_ && std::find(node.inputs.begin(), node.inputs.end(), output) == node.inputs.end();
    }
  }
  check(graph_.inputs);
  check(graph_.outputs);
  consistent_ = consistent_ && table_.valid();
  for (const TestTensor& tensor : graph_.tensors) consistent_ = consistent_ && tensor.scales.size() == tensor.zero_points.size();
}

void TestRuntime::FreeNode(Node* node) {
  if (node->registration.free != nullptr) node->registration.free(&context_, node->node.user_data);
  free(node->node.inputs);
  free(node->node.outputs);
  node->node = {};
  node->registration = {};
}

void TestRuntime::AllowDelegateCalls(bool allow) {
  AllowQuestions(allow);
  context_.ReplaceNodeSubsetsWithDelegateKernels = allow ? Replace : NoReplacement;
}

void TestRuntime::SyncTable() {
  context_.tensors = table_.tensors();
  context_.tensors_size = static_cast<size_t>(table_.size());
}

bool TestRuntime::Fail(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  error_ = text;
  return false;
}

bool TestRuntime::Apply(TfLiteDelegate* delegate) {
  const bool was_invokable = state_ == State::kInvokable;
  if (!applied_) original_plan_ = plan_;
  AllowDelegateCalls(true);
  const TfLiteStatus status = delegate->Prepare(&context_, delegate);
  AllowDelegateCalls(false);
  if (status != kTfLiteOk) {
    Restore();
    return false;
  }
  applied_ = true;
  propagates_shapes_ = (delegate->flags & kTfLiteDelegateFlagsRequirePropagatedShapes) != 0;
  state_ = State::kUninvokable;
  if (was_invokable && !Allocate()) {
    Restore();
    return false;
  }
  return true;
}

// The original nodes run again.
void TestRuntime::Restore() {
  for (Node& node : nodes_) {
    if (node.node.delegate != nullptr) FreeNode(&node);
  }
  nodes_.resize(graph_.nodes.size());
  for (int i = 0; i < table_.size(); ++i) table_.at(i).delegate = nullptr;
  plan_ = original_plan_;
  applied_ = propagates_shapes_ = false;
  state_ = State::kUninvokable;
}

bool TestRuntime::ResizeInput(int tensor, const std::vector<int>& shape) {
  if (!table_.Contains(tensor)) return Fail("there is no tensor %d", tensor);
  TfLiteTensor& t = table_.at(tensor);
  if (t.data.raw != nullptr && ToVector(t.dims) == shape) return true;
  state_ = State::kUninvokable;
  return table_.Resize(&t, MakeIntArray(shape)) || Fail("tensor %d cannot be resized", tensor);
}

bool TestRuntime::HasDynamicInput() {
  return std::any_of(graph_.inputs.begin(), graph_.inputs.end(),
                     [this](int tensor) { return table_.Contains(tensor) && table_.at(tensor).allocation_type == kTfLiteDynamic; });
}

bool TestRuntime::HasDynamicOutput(const Node& node) {
  for (int tensor : IntArrayView{node.node.outputs}) {
    if (table_.Contains(tensor) && table_.at(tensor).allocation_type == kTfLiteDynamic) return true;
  }
  return false;
}

bool TestRuntime::Allocate() {
  if (!consistent_) return Fail("TFLite would not load this model");
  if (state_ == State::kInvokable && !HasDynamicInput()) return true;
  next_to_prepare_ = next_original_to_prepare_ = 0;
  if (!PrepareAndAllocate()) return false;
  state_ = State::kInvokable;
  return true;
}

// From node `*next` of the plan, which becomes the first that was not prepared, up to and including one with a dynamic output:
// what comes after it waits for its shape. Nothing changes where a node fails.
bool TestRuntime::PreparePlan(const std::vector<int>& plan, size_t* next) {
  for (size_t i = *next; i < plan.size(); ++i) {
    Node& node = nodes_[plan[i]];
    table_.Move();
    SyncTable();
    if (node.registration.prepare == nullptr || node.registration.prepare(&context_, &node.node) != kTfLiteOk) {
      return Fail("node %d failed to prepare: %s", plan[i], std::string(error_).c_str());
    }
    node.shapes = ShapesOf(node);
    if (HasDynamicOutput(node)) {
      *next = i + 1;
      return true;
    }
  }
  *next = plan.size();
  return true;
}

bool TestRuntime::PrepareAndAllocate() {
  // The nodes that were replaced are prepared too, before what replaces them.
  if (propagates_shapes_ && !PreparePlan(original_plan_, &next_original_to_prepare_)) return false;
  const size_t first = next_to_prepare_;
  if (!PreparePlan(plan_, &next_to_prepare_)) return false;
  AllocateTensors(graph_.inputs);
  for (size_t i = first; i < next_to_prepare_; ++i) AllocateTensors(ToVector(nodes_[plan_[i]].node.outputs));
  return true;
}

void TestRuntime::AllocateTensors(const std::vector<int>& tensors) {
  for (int tensor : tensors) {
    if (table_.Contains(tensor)) table_.Allocate(tensor);
  }
}

bool TestRuntime::Invoke() {
  if (state_ != State::kInvokable) return Fail("Invoke called on model that is not ready");
  for (int i = 0; i < table_.size(); ++i) written_[i] = graph_.tensors[i].constant;
  for (int tensor : graph_.inputs) {
    if (table_.Contains(tensor)) written_[tensor] = true;
  }
  for (size_t i = 0; i < plan_.size(); ++i) {
    if (i == next_to_prepare_ && !PrepareAndAllocate()) return false;
    if (i >= next_to_prepare_) return Fail("node %d is not prepared", plan_[i]);
    Node& node = nodes_[plan_[i]];
    resized_since_invoke_ = false;
    if (!InvokeNode(&node)) return false;
    if (resized_since_invoke_ && HasDynamicOutput(node)) next_to_prepare_ = i + 1;
  }
  return true;
}

bool TestRuntime::InvokeNode(Node* node) {
  for (int tensor : IntArrayView{node->node.inputs}) {
    if (!table_.Contains(tensor)) continue;
    const TfLiteTensor& t = table_.at(tensor);
    if (t.data.raw == nullptr && t.bytes > 0) return Fail("input tensor %d lacks data", tensor);
  }
  if (node->node.delegate == nullptr && !CheckDefined(*node)) return false;
  if (node->registration.invoke(&context_, &node->node) != kTfLiteOk) {
    return Fail("node failed to invoke: %s", std::string(error_).c_str());
  }
  for (int tensor : IntArrayView{node->node.outputs}) {
    if (table_.Contains(tensor)) written_[tensor] = true;
  }
  return true;
}

// An operator that computes a shape gives its result that shape, and memory, when it runs.
bool TestRuntime::ResizesWhenRun(const Node& node) {
  for (int tensor : IntArrayView{node.node.inputs}) {
    if (!table_.Contains(tensor)) continue;
    const TfLiteTensor& t = table_.at(tensor);
    if (t.type == kTfLiteInt32 && t.allocation_type != kTfLiteMmapRo) return true;
  }
  return false;
}

std::vector<std::vector<int>> TestRuntime::ShapesOf(const Node& node) {
  std::vector<std::vector<int>> shapes;
  const auto add = [&](const TfLiteIntArray* tensors) {
    for (int tensor : IntArrayView{tensors}) {
      if (table_.Contains(tensor)) shapes.push_back(ToVector(table_.at(tensor).dims));
    }
  };
  add(node.node.inputs);
  if (!ResizesWhenRun(node)) add(node.node.outputs);
  return shapes;
}

bool TestRuntime::CheckDefined(const Node& node) {
  for (int tensor : IntArrayView{node.node.inputs}) {
    if (table_.Contains(tensor) && !written_[tensor]) met_undefined_ = true;
  }
  bool has_memory = true;
  for (int tensor : IntArrayView{node.node.outputs}) {
    if (!table_.Contains(tensor) || (table_.at(tensor).allocation_type == kTfLiteDynamic && ResizesWhenRun(node))) continue;
    has_memory = has_memory && !(table_.at(tensor).data.raw == nullptr && table_.at(tensor).bytes > 0);
  }
  if (has_memory && ShapesOf(node) == node.shapes) return true;
  met_undefined_ = true;
  return Fail("an operator with a tensor that has no memory, or another shape than when it was prepared");
}

std::vector<int8_t> TestRuntime::Read(int tensor) {
  const TfLiteTensor& t = table_.at(tensor);
  return t.data.raw != nullptr ? std::vector<int8_t>(t.data.int8, t.data.int8 + t.bytes) : std::vector<int8_t>();
}

void TestRuntime::Write(int tensor, const void* bytes) {
  TfLiteTensor& t = table_.at(tensor);
  if (t.data.raw != nullptr && t.allocation_type != kTfLiteMmapRo) memcpy(t.data.raw, bytes, t.bytes);
}

int TestRuntime::delegated() const {
  int count = 0;
  for (const Node& node : nodes_) count += node.replaced;
  return count;
}

TfLiteStatus TestRuntime::ResizeTensor(TfLiteContext* context, TfLiteTensor* tensor, TfLiteIntArray* dims) {
  TestRuntime* self = From(context);
  if (self->CallFails()) {
    free(dims);
    return kTfLiteError;
  }
  if (tensor->data.raw != nullptr && ToVector(tensor->dims) == ToVector(dims)) {
    if (tensor->dims != dims) free(tensor->dims);
    tensor->dims = dims;  // the tensor keeps its memory, but not the array
    return kTfLiteOk;
  }
  self->resized_since_invoke_ = self->resized_since_invoke_ || ToVector(tensor->dims) != ToVector(dims);
  return self->table_.Resize(tensor, dims) ? kTfLiteOk : kTfLiteError;
}

void TestRuntime::ReportError(TfLiteContext* context, const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  From(context)->error_ = text;
}

bool TestRuntime::CallFails() { return calls_until_failure_ > 0 && --calls_until_failure_ == 0; }

TfLiteStatus TestRuntime::Replace(TfLiteContext* context, TfLiteRegistration registration, const TfLiteIntArray* nodes,
                                  TfLiteDelegate* delegate) {
  TestRuntime* self = From(context);
  if (self->CallFails()) return kTfLiteError;
  if (nodes->size == 0) return kTfLiteOk;
  NodeSubsets subsets;
  if (!self->Partition(nodes, &subsets)) return kTfLiteError;
  self->plan_.clear();
  for (const NodeSubset& subset : subsets) {
    if (!subset.claimed) {
      for (int node : IntArrayView{subset.nodes.get()}) self->plan_.push_back(node);
    } else if (self->ReplaceSubset(subset, registration, delegate) != kTfLiteOk) {
      return kTfLiteError;
    }
  }
  return kTfLiteOk;
}

TfLiteStatus TestRuntime::ReplaceSubset(const NodeSubset& subset, const TfLiteRegistration& registration,
                                        TfLiteDelegate* delegate) {
  const std::vector<int> inputs = ToVector(subset.inputs.get()), outputs = ToVector(subset.outputs.get());
  for (int output : outputs) {
    if (std::find(inputs.begin(), inputs.end(), output) != inputs.end()) {
      Fail("tensor %d is both input and output of a node", output);
      return kTfLiteError;
    }
  }
  const int index = static_cast<int>(nodes_.size());
  nodes_.emplace_back();
  Node& node = nodes_.back();
  node.registration = registration;
  node.replaced = subset.nodes.size();
  node.node.delegate = delegate;
  node.node.inputs = MakeIntArray(inputs);
  node.node.outputs = MakeIntArray(outputs);
  // Without user data it is a node all the same; its Prepare has to say that it cannot.
  const TfLiteDelegateParams params = {delegate, subset.nodes.get(), subset.inputs.get(), subset.outputs.get()};
  node.node.user_data = registration.init(&context_, reinterpret_cast<const char*>(&params), 0);
  plan_.push_back(index);
  for (int output : outputs) table_.at(output).delegate = delegate;
  return kTfLiteOk;
}

TfLiteStatus TestRuntime::NoReplacement(TfLiteContext*, TfLiteRegistration, const TfLiteIntArray*, TfLiteDelegate*) {
  return kTfLiteError;
}

}  // namespace tflite_eq
