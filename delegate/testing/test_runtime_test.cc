// The stand-in for TFLite does what TFLite does where that is easily got wrong. That its operators compute what TFLite's do is
// tested in real runtimes: runtime_tests/test_graphs.py.
#include "delegate/testing/test_runtime.h"

#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "delegate/testing/arrays.h"
#include "delegate/testing/failing_allocations.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

TestTensor Int8Tensor(const std::vector<int>& shape) {
  TestTensor tensor;
  tensor.shape = shape;
  tensor.scales = {0.5f};
  tensor.zero_points = {3};
  return tensor;
}

TestTensor Int32Tensor(const std::vector<int>& shape) {
  TestTensor tensor;
  tensor.type = kTfLiteInt32;
  tensor.shape = shape;
  return tensor;
}

TestNode MakeNode(int code, const std::vector<int>& inputs, const std::vector<int>& outputs) {
  TestNode node;
  node.code = code;
  node.inputs = inputs;
  node.outputs = outputs;
  return node;
}

// Pools of one pixel, which copy: tensor 0 to 1 to 2 and so on.
TestGraph MakeCopies(int count) {
  TestGraph graph;
  for (int i = 0; i <= count; ++i) graph.tensors.push_back(Int8Tensor({1, 2, 2, 1}));
  for (int i = 0; i < count; ++i) graph.nodes.push_back(MakeNode(kOperatorMaxPool2d, {i}, {i + 1}));
  graph.inputs = {0};
  graph.outputs = {count};
  return graph;
}

// A delegate that claims what it is told and copies its first input to its first output, as the nodes above do.
struct CopyingDelegate {
  TfLiteDelegate base = {};
  std::vector<int> nodes;
  bool fails = false;
  std::vector<std::vector<int>> partitions;

  explicit CopyingDelegate(const std::vector<int>& claimed) : nodes(claimed) {
    base.data_ = this;
    base.Prepare = Prepare;
    base.flags = kTfLiteDelegateFlagsAllowDynamicTensors | kTfLiteDelegateFlagsRequirePropagatedShapes;
  }

  static TfLiteStatus Prepare(TfLiteContext* context, TfLiteDelegate* base) {
    auto* self = static_cast<CopyingDelegate*>(base->data_);
    TfLiteRegistration registration = {};
    registration.init = [](TfLiteContext*, const char* buffer, size_t) -> void* {
      const auto& params = *reinterpret_cast<const TfLiteDelegateParams*>(buffer);
      auto* owner = static_cast<CopyingDelegate*>(params.delegate->data_);
      owner->partitions.push_back(ToVector(params.nodes_to_replace));
      return owner;
    };
    registration.prepare = [](TfLiteContext* context, TfLiteNode* node) {
      // What a delegate may call only while it is applied.
      TfLiteIntArray* plan = nullptr;
      EXPECT_NE(context->GetExecutionPlan(context, &plan), kTfLiteOk);
      const TfLiteTensor& input = context->tensors[node->inputs->data[0]];
      return context->ResizeTensor(context, &context->tensors[node->outputs->data[0]], MakeIntArray(ToVector(input.dims)));
    };
    registration.invoke = [](TfLiteContext* context, TfLiteNode* node) {
      const TfLiteTensor& input = context->tensors[node->inputs->data[0]];
      memcpy(context->tensors[node->outputs->data[0]].data.raw, input.data.raw, input.bytes);
      return kTfLiteOk;
    };
    TfLiteIntArray* claimed = MakeIntArray(self->nodes);
    const TfLiteStatus status = context->ReplaceNodeSubsetsWithDelegateKernels(context, registration, claimed, base);
    free(claimed);
    return self->fails ? kTfLiteError : status;
  }
};

TEST(TestRuntime, GivesTensorsInsideAPartitionNoMemory) {
  const TestGraph graph = MakeCopies(4);
  CopyingDelegate delegate({1, 2});
  TestRuntime runtime(graph);
  ASSERT_TRUE(runtime.Apply(&delegate.base)) << runtime.error();
  EXPECT_EQ(delegate.partitions, (std::vector<std::vector<int>>{{1, 2}}));
  EXPECT_EQ(runtime.delegated(), 2);
  ASSERT_TRUE(runtime.ResizeInput(0, {2, 1, 3, 1}) && runtime.Allocate()) << runtime.error();
  const std::vector<int8_t> codes = {1, -2, 3, -4, 5, -6};
  runtime.Write(0, codes.data());
  ASSERT_TRUE(runtime.Invoke()) << runtime.error();
  EXPECT_EQ(runtime.Read(4), codes);
  EXPECT_EQ(runtime.Read(3), codes);
  EXPECT_EQ(runtime.tensor(2).data.raw, nullptr);
  EXPECT_EQ(ToVector(runtime.tensor(2).dims), (std::vector<int>{2, 1, 3, 1})) << "shapes are propagated all the same";
}

TEST(TestRuntime, RunsTheOriginalNodesWhenADelegateFails) {
  const TestGraph graph = MakeCopies(3);
  CopyingDelegate delegate({0, 1, 2});
  delegate.fails = true;
  TestRuntime runtime(graph);
  EXPECT_FALSE(runtime.Apply(&delegate.base));
  EXPECT_EQ(runtime.delegated(), 0);
  ASSERT_TRUE(runtime.Allocate()) << runtime.error();
  const std::vector<int8_t> codes = {1, 2, 3, 4};
  runtime.Write(0, codes.data());
  ASSERT_TRUE(runtime.Invoke()) << runtime.error();
  EXPECT_EQ(runtime.Read(3), codes);
}

TEST(TestRuntime, PreparesNodesBehindADynamicTensorOnceItsShapeIsKnown) {
  TestGraph graph;
  graph.tensors = {Int8Tensor({1, 1, 1, 1}), Int32Tensor({4, 2}), Int8Tensor({1, 1, 1, 1}), Int8Tensor({1, 1, 1, 1})};
  graph.nodes = {MakeNode(kOperatorPad, {0, 1}, {2}), MakeNode(kOperatorMaxPool2d, {2}, {3})};
  graph.inputs = {0, 1};
  graph.outputs = {3};
  for (bool delegated : {false, true}) {
    CopyingDelegate delegate({1});
    TestRuntime runtime(graph);
    if (delegated) ASSERT_TRUE(runtime.Apply(&delegate.base)) << runtime.error();
    ASSERT_TRUE(runtime.Allocate()) << runtime.error();
    for (int32_t columns : {2, 1, 3}) {
      const int8_t code = 7;
      const int32_t paddings[] = {0, 0, 0, 0, 0, columns, 0, 0};
      runtime.Write(0, &code);
      runtime.Write(1, paddings);
      ASSERT_TRUE(runtime.Invoke()) << runtime.error();
      std::vector<int8_t> expected(static_cast<size_t>(1 + columns), 3);  // the zero point
      expected[0] = code;
      EXPECT_EQ(runtime.Read(3), expected);
    }
    EXPECT_FALSE(runtime.met_undefined());
  }
}

TEST(TestRuntime, SaysWhenAnOperatorReadsWhatNothingHasWritten) {
  TestGraph graph = MakeCopies(2);
  std::swap(graph.nodes[0], graph.nodes[1]);
  TestRuntime runtime(graph);
  ASSERT_TRUE(runtime.Allocate()) << runtime.error();
  runtime.Invoke();
  EXPECT_TRUE(runtime.met_undefined());
}

TEST(TestRuntime, AllocatesNothingForAModelThatTfliteWouldNotLoad) {
  for (int tensor : {-2, 3, 1000000}) {
    TestGraph graph = MakeCopies(2);
    graph.nodes[1].inputs[0] = tensor;
    TestRuntime runtime(graph);
    EXPECT_FALSE(runtime.Allocate());
  }
  TestGraph graph = MakeCopies(2);
  graph.nodes[1].outputs = graph.nodes[1].inputs;
  TestRuntime runtime(graph);
  EXPECT_FALSE(runtime.Allocate());
}

TEST(TestRuntime, FailsTheCallItIsToldTo) {
  const TestGraph graph = MakeCopies(2);
  CopyingDelegate delegate({0});
  TestRuntime runtime(graph);
  runtime.FailCall(1);
  EXPECT_FALSE(runtime.Apply(&delegate.base));
  EXPECT_TRUE(runtime.Apply(&delegate.base)) << "only that one";
}

// Of a graph that is held and not run.
class HeldGraph final : private RuntimeGraph {
 public:
  explicit HeldGraph(const TestGraph& graph) : nodes_(graph.nodes.size()) {
    context_.tensors_size = graph.tensors.size();
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].inputs = MakeIntArray(graph.nodes[i].inputs);
      nodes_[i].outputs = MakeIntArray(graph.nodes[i].outputs);
    }
  }
  ~HeldGraph() {
    for (const TfLiteNode& node : nodes_) {
      free(node.inputs);
      free(node.outputs);
    }
  }

  std::vector<std::vector<int>> Subsets(const std::vector<int>& claimed) {
    SizedArray<TfLiteIntArray> nodes;
    nodes.Copy(claimed.data(), static_cast<int>(claimed.size()));
    NodeSubsets subsets;
    std::vector<std::vector<int>> found;
    if (!Partition(nodes.get(), &subsets)) return found;
    for (const NodeSubset& subset : subsets) found.push_back(ToVector(subset.nodes.get()));
    return found;
  }

 private:
  int node_count() const override { return static_cast<int>(nodes_.size()); }
  TfLiteNode* node(int index) override { return &nodes_[static_cast<size_t>(index)]; }
  TfLiteRegistration* registration(int) override { return nullptr; }
  bool CopyPlan(SizedArray<TfLiteIntArray>* plan) const override {
    for (int i = 0; i < node_count(); ++i) {
      if (!plan->Add(i)) return false;
    }
    return true;
  }

  std::vector<TfLiteNode> nodes_;
};

std::vector<std::vector<int>> Subsets(const TestGraph& graph, const std::vector<int>& claimed) {
  return HeldGraph(graph).Subsets(claimed);
}

TEST(NodeSubsets, OfNodesThatAreNone) {
  EXPECT_TRUE(Subsets(MakeCopies(2), {2}).empty());
  EXPECT_TRUE(Subsets(MakeCopies(2), {-1}).empty());
}

TEST(NodeSubsets, TakeNodesFromBehindOthersThatTheyDoNotNeed) {
  TestGraph graph = MakeCopies(4);
  EXPECT_EQ(Subsets(graph, {0, 2}), (std::vector<std::vector<int>>{{0}, {1}, {2}, {3}}));
  graph.nodes[2].inputs = {0};  // needs no other node
  EXPECT_EQ(Subsets(graph, {0, 2}), (std::vector<std::vector<int>>{{0, 2}, {1, 3}}));
}

TEST(NodeSubsets, LoseNodesThatWaitForEachOther) {
  TestGraph graph = MakeCopies(3);
  graph.nodes[1].inputs = {3};
  EXPECT_EQ(Subsets(graph, {0}), (std::vector<std::vector<int>>{{0}}));
}

TEST(NodeSubsets, LoseTheOrderOfTwoWriters) {
  // 0 writes tensor 1, 1 reads it, 2 is claimed, 3 writes tensor 1 again from what 2 computed, 4 reads it.
  TestGraph graph = MakeCopies(5);
  graph.nodes[3].outputs = {1};
  graph.nodes[4].inputs = {1};
  EXPECT_EQ(Subsets(graph, {2}), (std::vector<std::vector<int>>{{0, 1, 4}, {2}, {3}}));
}

TEST(FailingAllocation, FailsOnceAndOnlyWhileItLives) {
  {
    const FailingAllocation failing(2);
    void* first = malloc(8);
    void* second = malloc(8);
    void* third = malloc(8);
    EXPECT_NE(first, nullptr);
    EXPECT_EQ(second, nullptr);
    EXPECT_NE(third, nullptr);
    free(first);
    free(third);
  }
  void* later = malloc(8);
  EXPECT_NE(later, nullptr);
  free(later);
}

}  // namespace
}  // namespace tflite_eq
