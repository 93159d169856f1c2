// Models whose tensors are wired as no converter would wire them, empty tensors, and a runtime that does not keep to what it
// said: the outcome is what the runtime computes alone, or an error before anything is read or written.
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "delegate/delegate.h"
#include "delegate/testing/arrays.h"
#include "delegate/testing/conv_chain.h"
#include "delegate/testing/test_runtime.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

struct Deleter {
  void operator()(TfLiteDelegate* delegate) const { DeleteDelegate(delegate); }
};
using DelegatePointer = std::unique_ptr<TfLiteDelegate, Deleter>;

DelegateOptions Options(Algorithm kernel = Algorithm::kReference) {
  DelegateOptions options;
  options.any_kernel = false;
  options.kernel = kernel;
  options.log_level = 0;
  return options;
}

// Tensors of a chain of convolutions: 0, then a filter, a bias and an output for each.
constexpr int kInput = 0;
int Filter(int layer) { return 3 * layer + 1; }
int Bias(int layer) { return 3 * layer + 2; }
int Output(int layer) { return 3 * layer + 3; }

TestGraph MakeChain(int layers) { return MakeConvChain(std::string(layers, 'c'), 8, Values::kInt8, 1, 6); }

TestNode Copy(int from, int to) {
  TestNode node;
  node.code = kOperatorMaxPool2d;  // of one pixel
  node.inputs = {from};
  node.outputs = {to};
  return node;
}

struct Outcome {
  bool allocated = false, invoked = false;
  std::vector<std::vector<int>> shapes;
  std::vector<std::vector<int8_t>> codes;
  int claimed = 0;
  std::string error;
};

Outcome RunGraph(const TestGraph& graph, TfLiteDelegate* delegate, const std::vector<std::vector<int>>& input_shapes = {{}}) {
  Outcome outcome;
  TestRuntime runtime(graph);
  if (delegate != nullptr) EXPECT_TRUE(runtime.Apply(delegate)) << runtime.error();
  outcome.claimed = runtime.delegated();
  for (const std::vector<int>& shape : input_shapes) {
    if (!shape.empty()) runtime.ResizeInput(graph.inputs[0], shape);
    outcome.allocated = runtime.Allocate();
    outcome.error = runtime.error();
    outcome.invoked = false;
    if (!outcome.allocated) continue;
    for (int input : graph.inputs) {
      std::vector<int8_t> codes(runtime.tensor(input).bytes);
      for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int8_t>(i * 37 + 11);
      runtime.Write(input, codes.data());
    }
    outcome.invoked = runtime.Invoke();
    outcome.error = runtime.error();
    for (int output : graph.outputs) {
      if (!outcome.invoked || output < 0) continue;
      outcome.shapes.push_back(ToVector(runtime.tensor(output).dims));
      outcome.codes.push_back(runtime.Read(output));
    }
  }
  return outcome;
}

void ExpectTheRuntimesOwn(const TestGraph& graph, int claimed, const std::string& name,
                          const std::vector<std::vector<int>>& input_shapes = {{}}, Algorithm kernel = Algorithm::kReference) {
  const DelegatePointer delegate(CreateDelegate(Options(kernel)));
  const Outcome alone = RunGraph(graph, nullptr, input_shapes);
  const Outcome with = RunGraph(graph, delegate.get(), input_shapes);
  EXPECT_EQ(with.claimed, claimed) << name;
  EXPECT_EQ(with.allocated, alone.allocated) << name << ": " << with.error;
  EXPECT_EQ(with.invoked, alone.invoked) << name << ": " << with.error;
  EXPECT_EQ(with.shapes, alone.shapes) << name;
  EXPECT_EQ(with.codes, alone.codes) << name;
}

TEST(Wiring, AChainIsClaimed) { ExpectTheRuntimesOwn(MakeChain(3), 3, "as it was"); }

TEST(Wiring, NothingIsClaimedOfModelsThatAreNotInOrder) {
  const std::vector<std::pair<const char*, std::function<void(TestGraph*)>>> damages = {
      {"two convolutions write one tensor", [](TestGraph* g) { g->nodes[2].outputs = {Output(0)}; g->outputs = {Output(1)}; }},
      {"the first and the last write the output",
       [](TestGraph* g) { g->nodes[0].outputs = {Output(2)}; g->nodes[1].inputs[0] = kInput; }},
      {"an operator that is not claimed writes it, too", [](TestGraph* g) { g->nodes.push_back(Copy(kInput, Output(1))); }},
      {"as its second output",
       [](TestGraph* g) {
         g->nodes.push_back(Copy(kInput, Output(2)));
         g->nodes.back().outputs = {static_cast<int>(g->tensors.size()), Output(0)};
         g->tensors.push_back(g->tensors[0]);
       }},
      {"another size",
       [](TestGraph* g) {
         g->nodes[2].inputs[0] = kInput;
         g->nodes[2].geometry.stride_height = 3;
         g->nodes[2].outputs = {Output(0)};
         g->outputs = {Output(1)};
       }},
      {"a tensor is read before it is written", [](TestGraph* g) { std::swap(g->nodes[0], g->nodes[1]); }},
      {"a convolution reads what it writes", [](TestGraph* g) { g->nodes[1].inputs[0] = Output(1); }},
      {"it is in its own filter's place", [](TestGraph* g) { g->nodes[1].inputs[1] = Output(1); }},
      {"a cycle", [](TestGraph* g) { g->nodes[0].inputs[0] = Output(2); }},
      {"a filter is written", [](TestGraph* g) { g->nodes[0].outputs = {Filter(2)}; }},
      {"a bias is written by an operator that is not claimed", [](TestGraph* g) { g->nodes.push_back(Copy(kInput, Bias(0))); }},
      {"an output is none", [](TestGraph* g) { g->nodes[2].outputs = {-1}; g->outputs = {Output(1)}; }},
      {"an output is far away", [](TestGraph* g) { g->nodes[2].outputs = {1000000}; g->outputs = {Output(1)}; }},
      {"an input is below the table", [](TestGraph* g) { g->nodes[2].inputs[0] = -1000000; g->outputs = {Output(1)}; }},
      {"a second output is none", [](TestGraph* g) { g->nodes.push_back(Copy(kInput, -1)); }},
      {"the input of the model is written after it was read", [](TestGraph* g) { g->nodes.push_back(Copy(Output(2), kInput)); }},
  };
  for (const auto& [name, damage] : damages) {
    TestGraph graph = MakeChain(3);
    damage(&graph);
    const DelegatePointer delegate(CreateDelegate(Options()));
    EXPECT_EQ(RunGraph(graph, delegate.get()).claimed, 0) << name;
    // What is read before anything wrote it is left over from earlier; only what is defined is compared.
    TestRuntime alone(graph);
    const bool runs = alone.Allocate() && alone.Invoke() && !alone.met_undefined();
    if (runs) ExpectTheRuntimesOwn(graph, 0, name);
  }
}

TEST(Wiring, NodesThatOneCannotReadAreLeft) {
  const std::vector<std::pair<const char*, std::function<void(TestGraph*)>>> damages = {
      {"no inputs", [](TestGraph* g) { g->nodes[1].inputs = {}; }},
      {"no outputs", [](TestGraph* g) { g->nodes[1].outputs = {}; }},
      {"no filter", [](TestGraph* g) { g->nodes[1].inputs[1] = -1; }},
      {"no input", [](TestGraph* g) { g->nodes[1].inputs[0] = -1; }},
      {"no parameters", [](TestGraph* g) { g->nodes[1].has_parameters = false; }},
      {"two outputs",
       [](TestGraph* g) {
         g->nodes[1].outputs.push_back(static_cast<int>(g->tensors.size()));
         g->tensors.push_back(g->tensors[0]);
       }},
      {"four inputs", [](TestGraph* g) { g->nodes[1].inputs.push_back(kInput); }},
      {"no scales", [](TestGraph* g) { g->tensors[Filter(1)].scales = {}; g->tensors[Filter(1)].zero_points = {}; }},
      {"fewer zero points than scales", [](TestGraph* g) { g->tensors[Filter(1)].zero_points = {0, 0}; }},
      {"fewer weights", [](TestGraph* g) { g->tensors[Filter(1)].data.resize(100); }},
      {"a filter without a shape", [](TestGraph* g) { g->tensors[Filter(1)].shape = {}; }},
      {"a filter of height 0", [](TestGraph* g) { g->tensors[Filter(1)].shape[1] = 0; }},
      {"weights of more than all memory", [](TestGraph* g) { g->tensors[Filter(1)].shape = {1 << 20, 1 << 20, 1 << 10, 8}; }},
      {"a dilation beyond an int", [](TestGraph* g) { g->nodes[1].geometry.dilation_height_factor = 2147483647; }},
      {"a stride of 0", [](TestGraph* g) { g->nodes[1].geometry.stride_width = 0; }},
      {"a stride below 0", [](TestGraph* g) { g->nodes[1].geometry.stride_width = -2147483647 - 1; }},
  };
  for (const auto& [name, damage] : damages) {
    TestGraph graph = MakeChain(3);
    damage(&graph);
    const DelegatePointer delegate(CreateDelegate(Options()));
    const Outcome with = RunGraph(graph, delegate.get());
    const Outcome alone = RunGraph(graph, nullptr);
    EXPECT_LE(with.claimed, 2) << name;
    EXPECT_EQ(with.invoked, alone.invoked) << name << ": " << with.error;
    EXPECT_EQ(with.codes, alone.codes) << name;
  }
}

// What a model says of a tensor between two nodes counts for nothing.
TEST(Wiring, ANodeIsLeftWhoseInputIsWrittenWithOtherChannels) {
  TestGraph graph = MakeChain(2);
  TestTensor& filter = graph.tensors[Filter(0)];
  TestTensor& bias = graph.tensors[Bias(0)];
  filter.shape[0] = bias.shape[0] = 16;
  for (TestTensor* tensor : {&filter, &bias}) {
    tensor->scales.resize(16, 0.5f);
    tensor->zero_points.resize(16, 0);
    tensor->data.resize(tensor->data.size() * 2, 3);
  }
  ExpectTheRuntimesOwn(graph, 1, "twice the channels: the second is a grouped convolution");
}

TEST(Empty, TensorsAreNoWork) {
  for (Algorithm kernel : {Algorithm::kReference, Algorithm::kDirect, Algorithm::kWinogradF43, Algorithm::kWinogradF23}) {
    const std::string name = AlgorithmName(kernel);
    ExpectTheRuntimesOwn(MakeChain(3), 3, name, {{0, 6, 6, 8}}, kernel);
    ExpectTheRuntimesOwn(MakeChain(3), 3, name, {{1, 0, 6, 8}}, kernel);
    ExpectTheRuntimesOwn(MakeChain(3), 3, name, {{1, 6, 0, 8}}, kernel);
    ExpectTheRuntimesOwn(MakeChain(3), 3, name, {{0, 0, 0, 8}}, kernel);
    ExpectTheRuntimesOwn(MakeChain(3), 3, name, {{2, 9, 5, 8}, {0, 9, 5, 8}, {1, 4, 5, 8}}, kernel);
    TestGraph valid = MakeChain(2);
    for (TestNode& node : valid.nodes) node.geometry.padding = kTfLitePaddingValid;
    ExpectTheRuntimesOwn(valid, 2, name + " valid", {{0, 6, 6, 8}}, kernel);
    ExpectTheRuntimesOwn(valid, 2, name + " valid", {{1, 4, 6, 8}}, kernel);
    ExpectTheRuntimesOwn(valid, 2, name + " valid", {{1, 3, 6, 8}}, kernel);
    ExpectTheRuntimesOwn(valid, 2, name + " valid", {{1, 0, 6, 8}}, kernel);
    // Empty when it is loaded.
    for (int dimension : {0, 1, 2}) {
      TestGraph placeholder = MakeChain(3);
      placeholder.tensors[kInput].shape[dimension] = 0;
      ExpectTheRuntimesOwn(placeholder, 3, name + " placeholder", {{}, {2, 5, 7, 8}}, kernel);
    }
  }
}

TEST(Empty, ABatchOfZeroIsJudgedAsOneImage) {
  DelegateOptions options;
  options.log_level = 0;
  const DelegatePointer delegate(CreateDelegate(options));
  TestGraph one = MakeConvChain("cccc", 64, Values::kInt8, 7, 24);
  TestGraph none = one;
  for (TestTensor& tensor : none.tensors) {
    if (!tensor.constant) tensor.shape[0] = 0;
  }
  TestRuntime with_one(one), with_none(none);
  ASSERT_TRUE(with_one.Apply(delegate.get()));
  ASSERT_TRUE(with_none.Apply(delegate.get()));
  EXPECT_EQ(with_none.delegated(), with_one.delegated());
}

// Stands between the runtime and a delegate: hands the delegate's registration to the test while nodes can be read.
class Interceptor {
 public:
  using Test = std::function<void(TfLiteContext*, const TfLiteRegistration&, const TfLiteIntArray*)>;
  Interceptor(TfLiteDelegate* inner, Test test) : inner_(inner), test_(std::move(test)) {
    base_.data_ = this;
    base_.flags = inner->flags;
    base_.Prepare = [](TfLiteContext* context, TfLiteDelegate* base) {
      current = static_cast<Interceptor*>(base->data_);
      const auto replace = context->ReplaceNodeSubsetsWithDelegateKernels;
      context->ReplaceNodeSubsetsWithDelegateKernels = [](TfLiteContext* inside, TfLiteRegistration registration,
                                                          const TfLiteIntArray* nodes, TfLiteDelegate*) {
        current->test_(inside, registration, nodes);
        ++current->calls;
        return kTfLiteOk;
      };
      const TfLiteStatus status = current->inner_->Prepare(context, current->inner_);
      context->ReplaceNodeSubsetsWithDelegateKernels = replace;
      return status;
    };
  }
  TfLiteDelegate* delegate() { return &base_; }
  int calls = 0;

 private:
  static Interceptor* current;
  TfLiteDelegate base_ = {};
  TfLiteDelegate* inner_;
  Test test_;
};
Interceptor* Interceptor::current = nullptr;

struct Params {
  Params(TfLiteDelegate* delegate, const std::vector<int>& nodes, const std::vector<int>& inputs, const std::vector<int>& outputs) {
    params.delegate = delegate;
    params.nodes_to_replace = MakeIntArray(nodes);
    params.input_tensors = MakeIntArray(inputs);
    params.output_tensors = MakeIntArray(outputs);
  }
  Params(const Params&) = delete;
  Params& operator=(const Params&) = delete;
  ~Params() {
    free(params.nodes_to_replace);
    free(params.input_tensors);
    free(params.output_tensors);
  }
  const char* buffer() const { return reinterpret_cast<const char*>(&params); }
  TfLiteDelegateParams params = {};
};

TEST(Runtime, GroupsThatMakeNoSenseAreRefused) {
  const TestGraph graph = MakeChain(3);
  const DelegatePointer delegate(CreateDelegate(Options()));
  TestRuntime runtime(graph);
  Interceptor interceptor(delegate.get(), [&](TfLiteContext* context, const TfLiteRegistration& registration, const TfLiteIntArray*) {
    struct Case {
      std::vector<int> nodes, outputs;
      const char* error;
    };
    for (const Case& c : std::vector<Case>{{{0, 1, 99}, {Output(2)}, "node 99"},
                                           {{-1}, {Output(2)}, "node -1"},
                                           {{1, 0}, {Output(1)}, "comes before"},
                                           {{0, 0}, {Output(0)}, "already in use"},
                                           {{0, 1}, {Output(2)}, "no claimed node writes tensor"},
                                           {{0, 1}, {-1}, "no claimed node writes tensor"},
                                           {{0, 1}, {1 << 30}, "no claimed node writes tensor"}}) {
      const Params params(delegate.get(), c.nodes, {kInput}, c.outputs);
      EXPECT_EQ(registration.init(context, params.buffer(), 0), nullptr) << c.error;
      EXPECT_NE(runtime.error().find(c.error), std::string::npos) << runtime.error();
    }
    Params missing(delegate.get(), {0}, {kInput}, {Output(0)});
    free(missing.params.output_tensors);
    missing.params.output_tensors = nullptr;
    void* instance = registration.init(context, missing.buffer(), 0);
    EXPECT_NE(instance, nullptr) << "nobody asks for the result";
    registration.free(context, instance);
    EXPECT_EQ(registration.init(context, nullptr, 0), nullptr);
    missing.params.delegate = nullptr;
    EXPECT_EQ(registration.init(context, missing.buffer(), 0), nullptr);
  });
  ASSERT_TRUE(runtime.Apply(interceptor.delegate())) << runtime.error();
  EXPECT_EQ(interceptor.calls, 1);
}

TEST(Runtime, WhatWasNotPreparedDoesNotRun) {
  const TestGraph graph = MakeChain(3);
  const DelegatePointer delegate(CreateDelegate(Options()));
  TestRuntime runtime(graph);
  ASSERT_TRUE(runtime.Allocate());
  Interceptor interceptor(delegate.get(), [&](TfLiteContext* context, const TfLiteRegistration& registration, const TfLiteIntArray*) {
    TfLiteNode node = {};
    EXPECT_EQ(registration.prepare(context, &node), kTfLiteError);
    EXPECT_NE(runtime.error().find("could not be set up"), std::string::npos) << runtime.error();
    EXPECT_EQ(registration.invoke(context, &node), kTfLiteError);
    const Params params(delegate.get(), {0, 1, 2}, {kInput}, {Output(2)});
    node.user_data = registration.init(context, params.buffer(), 0);
    ASSERT_NE(node.user_data, nullptr);
    EXPECT_EQ(registration.invoke(context, &node), kTfLiteError);
    EXPECT_NE(runtime.error().find("were not prepared"), std::string::npos) << runtime.error();
    EXPECT_EQ(registration.prepare(context, &node), kTfLiteOk) << runtime.error();
    EXPECT_EQ(registration.invoke(context, &node), kTfLiteOk) << runtime.error();
    // A failure takes back what an earlier success allowed.
    TfLiteTensor* input = &context->tensors[kInput];
    TfLiteIntArray* shape = input->dims;
    input->dims = MakeIntArray({6, 6, 8});
    EXPECT_EQ(registration.prepare(context, &node), kTfLiteError);
    free(input->dims);
    input->dims = shape;
    EXPECT_EQ(registration.invoke(context, &node), kTfLiteError);
    EXPECT_EQ(registration.prepare(context, &node), kTfLiteOk);
    EXPECT_EQ(registration.invoke(context, &node), kTfLiteOk);
    registration.free(context, node.user_data);
  });
  ASSERT_TRUE(runtime.Apply(interceptor.delegate())) << runtime.error();
  EXPECT_EQ(interceptor.calls, 1);
}

// Whatever a runtime, an application or another delegate did to them between preparing and invoking.
TEST(Runtime, TensorsThatAreNoLongerThoseThatWerePreparedAreLeftAlone) {
  const TestGraph graph = MakeChain(2);
  const DelegatePointer delegate(CreateDelegate(Options()));
  const std::vector<std::pair<const char*, std::function<void(TfLiteTensor*)>>> damages = {
      {"0 bytes, not 288", [](TfLiteTensor* t) { t->data.raw = nullptr; }},
      {"has 287 bytes, not 288", [](TfLiteTensor* t) { t->bytes = 287; }},
      {"no longer of shape [1, 6, 6, 8]", [](TfLiteTensor* t) { t->dims->data[1] = 7; }},
      {"no longer of shape", [](TfLiteTensor* t) { t->dims->data[0] = -1; }},
      {"no longer of shape", [](TfLiteTensor* t) { t->dims->size = 3; }},
      {"no longer of shape", [](TfLiteTensor* t) { t->dims = nullptr; }},
  };
  for (int tensor : {kInput, Output(1)}) {
    for (const auto& [error, damage] : damages) {
      TestRuntime runtime(graph);
      ASSERT_TRUE(runtime.Apply(delegate.get()));
      ASSERT_TRUE(runtime.Allocate()) << runtime.error();
      auto* victim = const_cast<TfLiteTensor*>(&runtime.tensor(tensor));
      const TfLiteTensor kept = *victim;
      const std::vector<int> shape = ToVector(victim->dims);
      damage(victim);
      // The runtime has checks of its own; the delegate must not need them.
      EXPECT_FALSE(runtime.Invoke()) << error;
      if (runtime.error().find("tflite_eq") != std::string::npos) {
        EXPECT_NE(runtime.error().find(error), std::string::npos) << runtime.error();
      }
      *victim = kept;
      victim->dims->size = 4;
      for (int i = 0; i < 4; ++i) victim->dims->data[i] = shape[i];
      EXPECT_TRUE(runtime.Invoke()) << runtime.error();
    }
  }
}

TEST(Runtime, WithoutPartitionsNothingIsClaimed) {
  const TestGraph graph = MakeChain(2);
  for (bool any_kernel : {false, true}) {
    DelegateOptions options = Options(Algorithm::kDirect);
    options.any_kernel = any_kernel;
    const DelegatePointer delegate(CreateDelegate(options));
    TfLiteDelegate blind = *delegate;
    static TfLiteDelegate* inner;
    inner = delegate.get();
    blind.Prepare = [](TfLiteContext* context, TfLiteDelegate*) {
      context->PreviewDelegatePartitioning = [](TfLiteContext*, const TfLiteIntArray*, TfLiteDelegateParams**, int*) {
        return kTfLiteError;
      };
      return inner->Prepare(context, inner);
    };
    TestRuntime runtime(graph);
    EXPECT_TRUE(runtime.Apply(&blind)) << runtime.error();
    EXPECT_EQ(runtime.delegated(), 0);
  }
}

// A pass over the nodes for each node would ask for each again.
TEST(Runtime, IsAskedForEveryNodeAFewTimes) {
  constexpr int kLayers = 300;
  TestGraph graph = MakeConvChain(std::string(kLayers, 'c'), 1, Values::kInt8, 1, 1);
  for (TestTensor& tensor : graph.tensors) tensor.scales.assign(tensor.scales.size(), 1);  // a chain's grow with its length
  const DelegatePointer delegate(CreateDelegate(Options()));
  static int asked;
  static TfLiteStatus (*get)(TfLiteContext*, int, TfLiteNode**, TfLiteRegistration**);
  static TfLiteDelegate* inner;
  asked = 0;
  inner = delegate.get();
  TfLiteDelegate counting = *delegate;
  counting.Prepare = [](TfLiteContext* context, TfLiteDelegate*) {
    get = context->GetNodeAndRegistration;
    context->GetNodeAndRegistration = [](TfLiteContext* inside, int index, TfLiteNode** node, TfLiteRegistration** registration) {
      ++asked;
      return get(inside, index, node, registration);
    };
    return inner->Prepare(context, inner);
  };
  TestRuntime runtime(graph);
  ASSERT_TRUE(runtime.Apply(&counting)) << runtime.error();
  EXPECT_EQ(runtime.delegated(), kLayers);
  EXPECT_LE(asked, 3 * kLayers) << "when nodes are put in order, selected, and prepared";
}

}  // namespace
}  // namespace tflite_eq
