// What is read of a runtime's graph when the graph is not what it should be, and which models are in order.
#include <climits>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "delegate/graph/graph_view.h"
#include "delegate/graph/index_map.h"
#include "delegate/graph/producers.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

TfLiteIntArray* MakeArray(const std::vector<int>& values) {
  auto* array = static_cast<TfLiteIntArray*>(malloc(sizeof(TfLiteIntArray) + sizeof(int) * values.size()));
  array->size = static_cast<int>(values.size());
  if (!values.empty()) memcpy(array->data, values.data(), sizeof(int) * values.size());
  return array;
}

// Nodes by the tensors they read and write, and how often each is asked for.
class FakeGraph {
 public:
  explicit FakeGraph(int tensors) : tensors_(tensors) {
    context_.impl_ = this;
    context_.tensors = tensors_.data();
    context_.tensors_size = tensors_.size();
    context_.GetExecutionPlan = [](TfLiteContext* context, TfLiteIntArray** plan) {
      *plan = static_cast<FakeGraph*>(context->impl_)->plan_;
      return kTfLiteOk;
    };
    context_.GetNodeAndRegistration = [](TfLiteContext* context, int index, TfLiteNode** node,
                                         TfLiteRegistration** registration) {
      auto* self = static_cast<FakeGraph*>(context->impl_);
      if (index < 0 || index >= static_cast<int>(self->nodes_.size())) return kTfLiteError;
      ++self->nodes_read;
      *node = &self->nodes_[index];
      *registration = &self->registration_;
      return kTfLiteOk;
    };
    context_.ResizeTensor = [](TfLiteContext*, TfLiteTensor* tensor, TfLiteIntArray* dims) {
      free(tensor->dims);
      tensor->dims = dims;
      return kTfLiteOk;
    };
    for (TfLiteTensor& tensor : tensors_) tensor.allocation_type = kTfLiteArenaRw;
  }
  FakeGraph(const FakeGraph&) = delete;
  FakeGraph& operator=(const FakeGraph&) = delete;
  ~FakeGraph() {
    free(plan_);
    for (TfLiteNode& node : nodes_) {
      free(node.inputs);
      free(node.outputs);
    }
    for (TfLiteTensor& tensor : tensors_) free(tensor.dims);
  }

  FakeGraph& Node(const std::vector<int>& inputs, const std::vector<int>& outputs) {
    nodes_.emplace_back();
    nodes_.back().inputs = MakeArray(inputs);
    nodes_.back().outputs = MakeArray(outputs);
    std::vector<int> plan;
    for (int i = 0; i < static_cast<int>(nodes_.size()); ++i) plan.push_back(i);
    Plan(plan);
    return *this;
  }
  void Plan(const std::vector<int>& plan) {
    free(plan_);
    plan_ = MakeArray(plan);
  }

  GraphView view() { return GraphView(&context_); }
  TfLiteTensor& tensor(int i) { return tensors_[i]; }
  TfLiteNode& node(int i) { return nodes_[i]; }
  TfLiteContext& context() { return context_; }

  int nodes_read = 0;

 private:
  TfLiteContext context_ = {};
  std::vector<TfLiteTensor> tensors_;
  std::deque<TfLiteNode> nodes_;
  TfLiteRegistration registration_ = {};
  TfLiteIntArray* plan_ = nullptr;
};

TEST(GraphView, NamesNoTensorOutsideTheTable) {
  FakeGraph graph(3);
  for (int index : {0, 1, 2}) EXPECT_TRUE(graph.view().tensor(index).exists());
  for (int index : {-1, -2, INT_MIN, 3, 4, INT_MAX}) EXPECT_FALSE(graph.view().tensor(index).exists()) << index;
  graph.context().tensors = nullptr;
  EXPECT_FALSE(graph.view().tensor(0).exists());
  EXPECT_FALSE(graph.view().Resize(0, {4, {1, 2, 3, 4}}));
}

TEST(GraphView, ReadsMissingArraysAsEmpty) {
  FakeGraph graph(1);
  graph.Node({0}, {});
  free(graph.node(0).inputs);
  graph.node(0).inputs = nullptr;
  graph.node(0).outputs->size = -5;
  NodeView node;
  ASSERT_TRUE(graph.view().node(0, &node));
  EXPECT_EQ(node.inputs.size(), 0);
  EXPECT_EQ(node.outputs.size(), 0);
  EXPECT_EQ(node.outputs.begin(), node.outputs.end());
  EXPECT_EQ(node.inputs.at(0, kNoTensor), kNoTensor);
  EXPECT_EQ(node.parameters, nullptr);
  for (int index : {-1, 1, INT_MAX}) EXPECT_FALSE(graph.view().node(index, &node)) << index;
}

TEST(GraphView, ReadsNothingBeyondAnArray) {
  TfLiteIntArray* array = MakeArray({7, 8});
  const IntView view(array);
  EXPECT_EQ(view.at(1, -9), 8);
  for (int i : {-1, 2, INT_MAX, INT_MIN}) EXPECT_EQ(view.at(i, -9), -9) << i;
  free(array);
}

TEST(GraphView, ATensorWithoutShapeOrQuantizationHasNone) {
  FakeGraph graph(1);
  const TensorView tensor = graph.view().tensor(0);
  EXPECT_EQ(tensor.shape().size(), 0);
  EXPECT_FALSE(tensor.HasShape({4, {0, 0, 0, 0}}));
  EXPECT_STREQ(tensor.name(), "");
  EXPECT_EQ(tensor.quantization().scales.size(), 0);
  graph.tensor(0).quantization.type = kTfLiteAffineQuantization;
  EXPECT_EQ(tensor.quantization().scales.size(), 0) << "parameters are null";
  TfLiteAffineQuantizationParams affine = {};
  graph.tensor(0).quantization.params = &affine;
  EXPECT_EQ(tensor.quantization().zero_points.size(), 0) << "arrays are null";
  ASSERT_TRUE(graph.view().Resize(0, {4, {1, 2, 3, 4}}));
  EXPECT_TRUE(tensor.HasShape({4, {1, 2, 3, 4}}));
  EXPECT_FALSE(tensor.HasShape({4, {1, 2, 3, 5}}));
  graph.tensor(0).dims->size = 3;
  EXPECT_FALSE(tensor.HasShape({4, {1, 2, 3, 4}}));
}

TEST(IndexMap, HoldsWhatWasSetLast) {
  IndexMap map;
  EXPECT_EQ(map.Get(0), IndexMap::kAbsent);
  ASSERT_TRUE(map.Reserve(0));
  EXPECT_EQ(map.Get(0), IndexMap::kAbsent);
  for (int count : {1, 2, 3, 1000}) {
    for (int stride : {1, 2, 1 << 10, 1 << 20}) {
      ASSERT_TRUE(map.Reserve(count));
      for (int i = 0; i < count; ++i) map.Set(i * stride % INT_MAX & INT_MAX, i);
      EXPECT_EQ(map.Get(-1), IndexMap::kAbsent);
      map.Set(0, 77);
      EXPECT_EQ(map.Get(0), 77);
      EXPECT_EQ(map.Get((count - 1) * stride & INT_MAX), count > 1 ? count - 1 : 77);
      EXPECT_EQ(map.Get(3000000), IndexMap::kAbsent);
    }
  }
}

// Empty for a model in order.
std::string Disorder(FakeGraph* graph, Producers* producers) {
  Array<int> plan;
  EXPECT_TRUE(graph->view().ExecutionPlan(&plan));
  EXPECT_TRUE(producers->Find(graph->view(), plan));
  EXPECT_EQ(producers->in_order(), std::string(producers->disorder().text).empty());
  return producers->disorder().text;
}
std::string Disorder(FakeGraph* graph) {
  Producers producers;
  return Disorder(graph, &producers);
}

TEST(Producers, KnowWhichNodeWritesATensor) {
  FakeGraph graph(6);
  graph.tensor(1).allocation_type = kTfLiteMmapRo;
  graph.Node({0, 1, kNoTensor}, {2}).Node({2, 2, 1}, {3, 4}).Node({0, 3}, {5});
  Producers producers;
  EXPECT_EQ(Disorder(&graph, &producers), "");
  for (const auto& [tensor, writer] : std::vector<std::pair<int, int>>{
           {0, Producers::kNone}, {1, Producers::kNone}, {2, 0}, {3, 1}, {4, 1}, {5, 2}, {-1, Producers::kNone}, {6, Producers::kNone}}) {
    EXPECT_EQ(producers.of(tensor), writer) << tensor;
  }
}

// One pass: seconds for a model of this size would be a pass for each node.
TEST(Producers, ReadEveryNodeOnce) {
  constexpr int kNodes = 1000;
  FakeGraph graph(kNodes + 1);
  for (int i = 0; i < kNodes; ++i) graph.Node({i}, {i + 1});
  graph.nodes_read = 0;
  EXPECT_EQ(Disorder(&graph), "");
  EXPECT_EQ(graph.nodes_read, kNodes);
}

TEST(Producers, FindTensorsWithTwoWriters) {
  FakeGraph two(4);
  two.Node({0}, {1}).Node({1}, {2}).Node({0}, {1}).Node({1}, {3});
  EXPECT_NE(Disorder(&two).find("nodes 0 and 2 both write"), std::string::npos);
  FakeGraph unread(4);
  unread.Node({0}, {1}).Node({0}, {2, 1});
  EXPECT_NE(Disorder(&unread).find("nodes 0 and 1 both write"), std::string::npos);
  FakeGraph same(4);
  same.Node({0}, {1, 1});
  EXPECT_NE(Disorder(&same).find("nodes 0 and 0 both write"), std::string::npos);
  FakeGraph repeated(2);
  repeated.Node({0}, {1}).Plan({0, 0});
  EXPECT_NE(Disorder(&repeated).find("nodes 0 and 0 both write"), std::string::npos);
}

TEST(Producers, FindNodesThatReadWhatIsWrittenLater) {
  FakeGraph later(3);
  later.Node({1}, {2}).Node({0}, {1});
  EXPECT_NE(Disorder(&later).find("node 0 reads \"\" before node 1 writes it"), std::string::npos);
  FakeGraph itself(2);
  itself.Node({0, 1}, {1});
  EXPECT_NE(Disorder(&itself).find("node 0 reads \"\" before node 0 writes it"), std::string::npos);
  FakeGraph cycle(3);
  cycle.Node({2}, {1}).Node({1}, {2});
  EXPECT_NE(Disorder(&cycle), "");
  FakeGraph reordered(3);
  reordered.Node({0}, {1}).Node({1}, {2}).Plan({1, 0});
  EXPECT_NE(Disorder(&reordered), "");
}

TEST(Producers, FindWritesToWhatTheModelHolds) {
  FakeGraph constant(2);
  constant.tensor(1).allocation_type = kTfLiteMmapRo;
  constant.Node({0}, {1});
  EXPECT_NE(Disorder(&constant).find("which is a constant"), std::string::npos);
  FakeGraph variable(2);
  variable.tensor(1).is_variable = true;
  variable.Node({0}, {1});
  EXPECT_NE(Disorder(&variable).find("which is a variable"), std::string::npos);
  FakeGraph shared(4);
  shared.tensor(1).is_variable = true;
  shared.Node({0, 1}, {2}).Node({0, 1}, {3});
  EXPECT_NE(Disorder(&shared).find("nodes 0 and 1 share the variable"), std::string::npos);
  FakeGraph own(4);
  own.tensor(1).is_variable = own.tensor(3).is_variable = true;
  own.Node({0, 1, 1}, {2});
  EXPECT_EQ(Disorder(&own), "");
}

TEST(Producers, FindNamesOfNothing) {
  FakeGraph output(2);
  output.Node({0}, {-1});
  EXPECT_NE(Disorder(&output).find("node 0 writes tensor -1 of 2"), std::string::npos);
  FakeGraph beyond(2);
  beyond.Node({2}, {1});
  EXPECT_NE(Disorder(&beyond).find("node 0 reads tensor 2 of 2"), std::string::npos);
  FakeGraph negative(2);
  negative.Node({-2}, {1});
  EXPECT_NE(Disorder(&negative).find("node 0 reads tensor -2 of 2"), std::string::npos);
  FakeGraph node(2);
  node.Node({0}, {1}).Plan({0, 5});
  EXPECT_NE(Disorder(&node).find("names node 5, which the runtime does not have"), std::string::npos);
}

}  // namespace
}  // namespace tflite_eq
