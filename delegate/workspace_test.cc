// Programs of one interpreter work in the same memory, one after the other, whichever of them needs more.
#include "delegate/workspace.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "delegate/fusion_fixture.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

TEST(Workspace, HoldsWhatTheLargestNeeds) {
  Workspace workspace;
  EXPECT_TRUE(workspace.Holds({0, 0}));
  EXPECT_FALSE(workspace.Holds({1, 0}));
  ASSERT_TRUE(workspace.Grow({100, 1000}));
  const int8_t* const tensors = workspace.tensors();
  ASSERT_TRUE(workspace.Grow({5000, 10}));
  EXPECT_EQ(workspace.tensors(), tensors) << "that is enough";
  EXPECT_TRUE(workspace.Holds({5000, 1000}));
  EXPECT_FALSE(workspace.Holds({5000, 1000000}));
}

// Two programs with an operator of the runtime's between them: one needs more for large images, the other for many channels.
TestGraph TwoPrograms(unsigned seed) {
  JoinedMaker maker(seed, 8);
  int last = maker.Part(8);
  maker.graph.inputs = {last};
  last = maker.Convolve(last, 8, seed % 2 == 0 ? 40 : 8, 1, kTfLiteActNone);
  last = maker.Convolve(last, seed % 2 == 0 ? 40 : 8, 8, 3, kTfLiteActNone);
  TestNode node;
  node.code = kOperatorRelu;
  node.inputs = {last};
  node.outputs = {last = maker.Part(8)};
  maker.graph.tensors.back().name = "left";
  maker.graph.nodes.push_back(node);
  last = maker.Convolve(last, 8, 33, 3, kTfLiteActNone);
  maker.graph.outputs = {maker.Convolve(last, 33, 8, 1, kTfLiteActRelu)};
  return maker.graph;
}

DelegateOptions LeaveTheMiddle(int threads) {
  DelegateOptions options = Options(true, false, CpuIsa(), threads);
  Reason error;
  EXPECT_TRUE(options.leave.Set("leave", "^left$", &error));
  return options;
}

TEST(Workspace, ServesEveryProgramAtEverySize) {
  const std::vector<std::vector<int>> sizes = {{1, 5, 4, 8}, {1, 30, 31, 8}, {0, 5, 4, 8}, {2, 3, 3, 8}, {1, 40, 9, 8}};
  for (unsigned seed = 0; seed < 4; ++seed) {
    const TestGraph graph = TwoPrograms(seed);
    const DelegateOptions options = LeaveTheMiddle(1 + static_cast<int>(seed) / 2);
    const Ran run = Invoke(graph, sizes, &options);
    EXPECT_EQ(run.partitions, 2);
    EXPECT_EQ(run.outputs, Invoke(graph, sizes, nullptr).outputs) << seed;
  }
}

// Two interpreters with one delegate have memory of their own: what one holds outlives the other.
TEST(Workspace, IsOneInterpretersOwn) {
  const TestGraph graph = TwoPrograms(1);
  std::unique_ptr<TfLiteDelegate, Deleter> delegate(CreateDelegate(LeaveTheMiddle(1)));
  TestRuntime alone(graph), first(graph);
  ASSERT_TRUE(alone.Allocate() && first.Apply(delegate.get()) && first.Allocate()) << first.error();
  const auto output = [&graph](TestRuntime* runtime) {
    std::vector<int8_t> codes(runtime->tensor(graph.inputs[0]).bytes);
    for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int8_t>(i * 37);
    runtime->Write(graph.inputs[0], codes.data());
    EXPECT_TRUE(runtime->Invoke()) << runtime->error();
    return runtime->Read(graph.outputs[0]);
  };
  const std::vector<int8_t> expected = output(&alone);
  {
    TestRuntime second(graph);
    ASSERT_TRUE(second.Apply(delegate.get()) && second.ResizeInput(graph.inputs[0], {1, 50, 40, 8}) && second.Allocate()) << second.error();
    output(&second);
    EXPECT_EQ(output(&first), expected);
  }
  EXPECT_EQ(output(&first), expected);
}

}  // namespace
}  // namespace tflite_eq
