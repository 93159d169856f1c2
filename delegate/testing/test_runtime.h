// Stands in for a TFLite interpreter in tests: any graph of a few int8 operators, seen through TFLite's C ABI, that a delegate
// can be applied to, resized and run. Small enough to be run under sanitizers with every thread it has, and stricter than
// TFLite where that shows faults: every tensor is a block of its own, shapes are freed and tables are moved whenever TFLite may.
//
// It follows tensorflow/lite/core/subgraph.cc of TFLite 2.14 in the order in which nodes are prepared and invoked, in which
// tensors have memory, in what a failure leaves behind, and in what a delegate may call when.
#ifndef TFLITE_EQ_DELEGATE_TESTING_TEST_RUNTIME_H_
#define TFLITE_EQ_DELEGATE_TESTING_TEST_RUNTIME_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "delegate/runtime_graph/runtime_graph.h"
#include "delegate/testing/builtin_parameters.h"
#include "delegate/testing/graph.h"
#include "delegate/testing/tensor_table.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

// One interpreter. Used by one thread at a time, like TFLite's.
class TestRuntime final : private RuntimeGraph {
 public:
  // The graph must outlive the runtime. `threads` is what a delegate is told.
  explicit TestRuntime(const TestGraph& graph, int threads = 1);
  ~TestRuntime();

  // What happens when an interpreter is made with a delegate; on failure the original nodes run. TFLite loads no graph with
  // indices out of range or a tensor that an operator both reads and writes; here a delegate sees those too, and Allocate fails.
  bool Apply(TfLiteDelegate* delegate);
  // The tensor needs new memory afterwards: Allocate.
  bool ResizeInput(int tensor, const std::vector<int>& shape);
  bool Allocate();
  bool Invoke();

  // Makes the n-th call from now of a function that delegates call fail; 0 for none.
  void FailCall(int n) { calls_until_failure_ = n; }

  const TfLiteTensor& tensor(int index) { return table_.at(index); }
  int inputs() const { return static_cast<int>(graph_.inputs.size()); }
  // A copy of what a tensor holds; empty where it has no memory.
  std::vector<int8_t> Read(int tensor);
  // As many bytes as the tensor has.
  void Write(int tensor, const void* bytes);

  // Whether an operator of the graph met what TFLite gives no meaning to: a tensor that nothing has written yet, or one whose
  // shape is no longer the one the operator was prepared for, which makes it fail. (TFLite may read or write out of bounds.)
  bool met_undefined() const { return met_undefined_; }

  // Nodes that delegates run.
  int delegated() const;
  // What was reported last.
  const std::string& error() const { return error_; }

 private:
  // An operator of the graph or one that a delegate put in the place of several.
  struct Node {
    TfLiteNode node = {};
    TfLiteRegistration registration = {};
    BuiltinParameters parameters;
    int replaced = 0;                            // nodes that this one replaces
    std::vector<std::vector<int>> shapes;        // of inputs, then outputs, once it was prepared
  };
  enum class State { kUninvokable, kInvokable };

  void AddGraphNode(const TestNode& node);
  void CheckGraph();
  void FreeNode(Node* node);
  void AllowDelegateCalls(bool allow);
  void Restore();
  bool PreparePlan(const std::vector<int>& plan, size_t* next);
  bool PrepareAndAllocate();
  void AllocateTensors(const std::vector<int>& tensors);
  bool HasDynamicOutput(const Node& node);
  bool HasDynamicInput();
  bool InvokeNode(Node* node);
  bool ResizesWhenRun(const Node& node);
  std::vector<std::vector<int>> ShapesOf(const Node& node);
  bool CheckDefined(const Node& node);
  bool Fail(const char* format, ...) __attribute__((format(printf, 2, 3)));
  bool CallFails();
  void SyncTable();
  TfLiteStatus ReplaceSubset(const NodeSubset& subset, const TfLiteRegistration& registration, TfLiteDelegate* delegate);

  int node_count() const override { return static_cast<int>(nodes_.size()); }
  TfLiteNode* node(int index) override { return &nodes_[static_cast<size_t>(index)].node; }
  TfLiteRegistration* registration(int index) override { return &nodes_[static_cast<size_t>(index)].registration; }
  bool CopyPlan(SizedArray<TfLiteIntArray>* plan) const override { return plan->Copy(plan_.data(), static_cast<int>(plan_.size())); }
  const TfLiteIntArray* graph_outputs() const override { return graph_outputs_.get(); }
  bool Refuses() override { return CallFails(); }

  static TestRuntime* From(TfLiteContext* context) { return static_cast<TestRuntime*>(static_cast<RuntimeGraph*>(context->impl_)); }
  // What the context offers.
  static TfLiteStatus ResizeTensor(TfLiteContext* context, TfLiteTensor* tensor, TfLiteIntArray* dims);
  static void ReportError(TfLiteContext* context, const char* format, ...);
  // To a delegate, while it is applied.
  static TfLiteStatus Replace(TfLiteContext* context, TfLiteRegistration registration, const TfLiteIntArray* nodes,
                              TfLiteDelegate* delegate);
  // Instead of it at other times.
  static TfLiteStatus NoReplacement(TfLiteContext* context, TfLiteRegistration registration, const TfLiteIntArray* nodes,
                                    TfLiteDelegate* delegate);

  const TestGraph& graph_;
  TensorTable table_;
  std::deque<Node> nodes_;
  std::vector<int> plan_, original_plan_;
  bool consistent_ = true;
  bool applied_ = false;  // whether a delegate was applied, even one that claims nothing
  bool propagates_shapes_ = false;
  State state_ = State::kUninvokable;
  // Nodes of the plans from here on wait for the shape of a dynamic tensor before them.
  size_t next_to_prepare_ = 0, next_original_to_prepare_ = 0;
  bool resized_since_invoke_ = false;
  bool met_undefined_ = false;
  std::vector<bool> written_;  // tensors, in the present invocation
  SizedArray<TfLiteIntArray> graph_outputs_;
  int calls_until_failure_ = 0;
  std::string error_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_TESTING_TEST_RUNTIME_H_
