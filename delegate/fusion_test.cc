// Which steps are run as one, left out, or write where others would copy to, and that graphs give the same codes with and without that:
// those of the stand-in's operators, which are written apart from the delegate's.
#include "delegate/fusion.h"

#include <cstring>
#include <string>
#include <vector>

#include "delegate/fusion_fixture.h"
#include "delegate/kernels/cpu_features.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

struct Step {
  std::vector<int> inputs;
  int output;
  int channelwise;
};

// The last step of each step's group.
std::vector<int> Groups(const std::vector<Step>& steps, int tensors, const std::vector<int>& kept_tensors) {
  Array<FusibleStep> fusible;
  Array<bool> kept;
  EXPECT_TRUE(fusible.Allocate(static_cast<int>(steps.size())) && kept.Allocate(tensors));
  for (bool& is_kept : kept) is_kept = false;
  for (int tensor : kept_tensors) kept[tensor] = true;
  for (size_t i = 0; i < steps.size(); ++i) {
    fusible[static_cast<int>(i)] = {steps[i].inputs.data(), static_cast<int>(steps[i].inputs.size()), steps[i].output,
                                    steps[i].channelwise};
  }
  Fusions fusions;
  EXPECT_TRUE(fusions.Find(fusible, kept));
  std::vector<int> groups;
  for (int i = 0; i < fusible.size(); ++i) groups.push_back(fusions.last_of(i));
  return groups;
}

constexpr int kNo = Fusions::kNone;
using Lasts = std::vector<int>;

TEST(Fusions, ChainsBetweenOtherSteps) {
  EXPECT_EQ(Groups({{{0}, 1, 0}, {{1}, 2, 1}, {{2}, 3, 8}, {{3}, 4, 1}, {{4}, 5, 0}}, 6, {0, 5}), (Lasts{kNo, 3, 3, 3, kNo}));
}

TEST(Fusions, OneStepIsNoGroup) { EXPECT_EQ(Groups({{{0}, 1, 0}, {{1}, 2, 8}, {{2}, 3, 0}}, 4, {0, 3}), (Lasts{kNo, kNo, kNo})); }

// What a PRELU is written as for stock runtimes: 1 -> ADD 0 -> 2, 1 -> QUANTIZE -> 3 -> DEPTHWISE -> 4, ADD. The sum before has two
// sources and stays apart.
TEST(Fusions, BranchesOfOneSource) {
  EXPECT_EQ(Groups({{{0, 6}, 1, 1}, {{1}, 2, 1}, {{1}, 3, 1}, {{3}, 4, 16}, {{2, 4}, 5, 1}}, 7, {0, 6, 5}), (Lasts{kNo, 4, 4, 4, 4}));
}

TEST(Fusions, WhatOthersReadEndsAGroup) {
  // 2 is read by a step outside; 2 is kept; either leaves a group behind it.
  EXPECT_EQ(Groups({{{0}, 1, 1}, {{1}, 2, 1}, {{2}, 3, 1}, {{3}, 4, 1}, {{2, 4}, 5, 0}}, 6, {0, 5}), (Lasts{1, 1, 3, 3, kNo}));
  EXPECT_EQ(Groups({{{0}, 1, 1}, {{1}, 2, 1}, {{2}, 3, 1}, {{3}, 4, 1}}, 5, {0, 2, 4}), (Lasts{1, 1, 3, 3}));
}

TEST(Fusions, OtherNumbersOfChannelsAreOtherGroups) {
  EXPECT_EQ(Groups({{{0}, 1, 8}, {{1}, 2, 8}, {{2}, 3, 4}, {{3}, 4, 4}}, 5, {0, 4}), (Lasts{1, 1, 3, 3}));
}

TEST(Fusions, LongChainsAreCut) {
  std::vector<Step> steps;
  for (int i = 0; i < 2 * Fusions::kMostSteps + 1; ++i) steps.push_back({{i}, i + 1, 1});
  const Lasts groups = Groups(steps, static_cast<int>(steps.size()) + 1, {0, static_cast<int>(steps.size())});
  const int last = static_cast<int>(steps.size()) - 1;
  EXPECT_EQ(groups[static_cast<size_t>(last)], last);
  EXPECT_EQ(groups[1], Fusions::kMostSteps);
  EXPECT_EQ(groups[0], kNo);
}

// --- in the delegate ---

std::vector<std::vector<int>> SizesOf(int channels) {
  return {{1, 5, 4, channels}, {2, 7, 9, channels}, {1, 1, 1, channels}, {1, 40, 41, channels}};
}

// Chains and branches of any of them, in between a sum of two inputs.
TEST(FusedGraphs, GiveWhatTheirNodesGive) {
  int fused = 0, lines = 0, tables = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const int channels = std::vector<int>{1, 3, 8, 16, 33, 64}[seed % 6];
    GraphMaker maker(seed, channels);
    const int first = maker.Image(), second = maker.Image();
    maker.graph.inputs = {first, second};
    int last = maker.Add(kOperatorAdd, {first, second});
    for (int i = maker.Integer(1, 3); i > 0; --i) last = maker.AddAny(last);
    int left = maker.AddAny(last), right = maker.AddAny(last);
    if (seed % 3 == 0) right = maker.AddAny(right);
    if (seed % 7 == 0) maker.graph.outputs.push_back(left);
    last = maker.Add(seed % 2 == 0 ? kOperatorAdd : kOperatorMul, {left, right});
    last = maker.AddAny(last);
    maker.graph.outputs.push_back(last);
    const auto sizes = SizesOf(channels);
    const Ran expected = Invoke(maker.graph, sizes, nullptr);
    for (Isa isa : Isas()) {
      for (bool verify : {false, true}) {
        const DelegateOptions options = Options(true, verify, isa, seed % 5 == 0 ? 2 : 1);
        const Ran run = Invoke(maker.graph, sizes, &options);
        ASSERT_EQ(run.outputs, expected.outputs) << seed << ' ' << IsaName(isa) << (verify ? " verified" : "");
        fused += Fused(run);
        for (const std::string& kernel : run.kernels) {
          lines += kernel == "lines";
          tables += kernel == "table";
        }
      }
      const DelegateOptions options = Options(false, false, isa);
      const Ran run = Invoke(maker.graph, sizes, &options);
      ASSERT_EQ(run.outputs, expected.outputs) << seed << ' ' << IsaName(isa) << " unfused";
      EXPECT_EQ(Fused(run), 0);
    }
  }
  EXPECT_GE(fused, 100);
  EXPECT_GE(tables, 50);
#if defined(__x86_64__)
  if (CpuSupports(Isa::kAvx2)) EXPECT_GE(lines, 20);
#endif
}

// What steps of a group write takes no memory, but for a verified one.
TEST(FusedGraphs, TakeNoMemoryInBetween) {
  GraphMaker maker(1, 16);
  const int input = maker.Image();
  maker.graph.inputs = {input};
  const int above = maker.Add(kOperatorRelu, {maker.Add(kOperatorMaxPool2d, {input})});
  const int source = maker.graph.nodes[0].outputs[0];
  maker.graph.tensors[static_cast<size_t>(source)].scales = maker.graph.tensors[static_cast<size_t>(input)].scales;
  maker.graph.tensors[static_cast<size_t>(source)].zero_points = maker.graph.tensors[static_cast<size_t>(input)].zero_points;
  const int below = maker.Add(kOperatorDepthwiseConv2d, {source, maker.DepthwiseFilter()});
  maker.graph.outputs = {maker.Add(kOperatorAdd, {above, below})};
  const std::vector<std::vector<int>> sizes = {{1, 8, 8, 16}};
  const Ran expected = Invoke(maker.graph, sizes, nullptr);
  const DelegateOptions fused = Options(true, false, CpuIsa()), apart = Options(false, false, CpuIsa());
  const Ran one = Invoke(maker.graph, sizes, &fused), many = Invoke(maker.graph, sizes, &apart);
  ASSERT_EQ(one.delegated, 4);
  EXPECT_EQ(one.outputs, expected.outputs);
  EXPECT_EQ(many.outputs, expected.outputs);
  EXPECT_EQ(one.tensor_bytes, 8 * 8 * 16);
  EXPECT_GT(many.tensor_bytes, one.tensor_bytes);
}

// What would take a table for each of very many channels is run by itself, or left.
TEST(FusedGraphs, HaveNoMoreChannelsThanTablesAreMadeFor) {
  struct Case {
    int channels, fused, delegated;
  };
  for (const Case& c : {Case{4096, 1, 2}, Case{4097, 0, 2}, Case{65536, 0, 2}, Case{65537, 0, 1}}) {
    GraphMaker maker(3, c.channels);
    const int input = maker.Image();
    maker.graph.inputs = {input};
    maker.graph.outputs = {maker.Add(kOperatorRelu, {maker.Add(kOperatorPrelu, {input, maker.Constant({c.channels})})})};
    const std::vector<std::vector<int>> sizes = {{1, 1, 2, c.channels}};
    const DelegateOptions options = Options(true, false, CpuIsa());
    const Ran run = Invoke(maker.graph, sizes, &options);
    EXPECT_EQ(run.outputs, Invoke(maker.graph, sizes, nullptr).outputs) << c.channels;
    EXPECT_EQ(run.delegated, c.delegated) << c.channels;
    EXPECT_EQ(Fused(run), c.fused) << c.channels;
  }
}

// A constant makes more channels of one, and gives its rank to what has less: the former is not fused.
TEST(FusedGraphs, MayBroadcast) {
  GraphMaker maker(2, 4);
  const int input = maker.Tensor({4});
  maker.graph.inputs = {input};
  const int product = maker.Add(kOperatorMul, {input, maker.Constant({1, 1, 4})});
  maker.graph.tensors[static_cast<size_t>(product)].shape = {1, 1, 4};
  const int last = maker.Add(kOperatorRelu, {product});
  maker.graph.tensors[static_cast<size_t>(last)].shape = {1, 1, 4};
  maker.graph.outputs = {last};
  const std::vector<std::vector<int>> sizes = {{4}, {3, 2, 4}, {5, 4}, {3, 1}};
  const Ran expected = Invoke(maker.graph, sizes, nullptr);
  const DelegateOptions options = Options(true, false, CpuIsa());
  const Ran run = Invoke(maker.graph, sizes, &options);
  EXPECT_EQ(run.delegated, 2);
  EXPECT_EQ(run.outputs, expected.outputs);
  EXPECT_EQ(Fused(run), 0) << "at the last size";
}

// --- convolutions whose outputs are parts of a concatenation's ---

// A module of SqueezeNet with whatever else may happen to its parts. (Kernels one by one: conv_kernel_test.)
TEST(JoinedChannels, GiveWhatTheirNodesGive) {
  const std::vector<std::vector<int>> sizes = {{1, 5, 4, 8}, {2, 9, 14, 8}, {1, 1, 1, 8}, {1, 30, 33, 8}, {0, 5, 4, 8}};
  int joined = 0;
  for (unsigned seed = 0; seed < 48; ++seed) {
    JoinedMaker maker(seed, 8);
    const int input = maker.Image();
    maker.graph.inputs = {input};
    const int squeezed = maker.Integer(1, 2) * 8;
    const int source = maker.Convolve(input, 8, squeezed, 1, kTfLiteActNone);
    const auto channels = [&] { return std::vector<int>{8, 16, 20, 33, 64}[static_cast<size_t>(maker.Integer(0, 4))]; };
    const int left = maker.Convolve(source, squeezed, channels(), 1, seed % 2 ? kTfLiteActRelu : kTfLiteActNone);
    const int right = maker.Convolve(source, squeezed, channels(), 3, seed % 3 ? kTfLiteActRelu : kTfLiteActNone);
    std::vector<int> parts = {left, right};
    if (seed % 4 == 1) parts.push_back(source);  // read by others as well
    if (seed % 4 == 2) parts.insert(parts.begin(), right);  // twice
    if (seed % 4 == 3) maker.graph.outputs.push_back(left);
    const int whole = maker.Join(parts, seed % 5 == 0 ? -1 : 3);
    if (seed % 2 == 0) {
      const int width = maker.graph.tensors[static_cast<size_t>(whole)].shape[3];
      maker.graph.outputs.push_back(maker.Convolve(whole, width, 8, 3, kTfLiteActNone));
    } else {
      maker.graph.outputs.push_back(whole);
    }
    const Ran expected = Invoke(maker.graph, sizes, nullptr);
    for (Isa isa : Isas()) {
      const DelegateOptions options = Options(true, false, isa, seed % 3 == 0 ? 2 : 1);
      const Ran run = Invoke(maker.graph, sizes, &options);
      ASSERT_EQ(run.outputs, expected.outputs) << seed << ' ' << IsaName(isa);
      joined += Fused(run);
    }
  }
#if defined(__x86_64__)
  if (CpuSupports(Isa::kAvx512Vnni)) EXPECT_GE(joined, 10);
#endif
}

// Neither the parts nor the whole take memory beside each other.
TEST(JoinedChannels, AreWrittenOnce) {
  JoinedMaker maker(1, 8);
  const int input = maker.Image();
  maker.graph.inputs = {input};
  const int whole = maker.Join({maker.Convolve(input, 8, 32, 1, kTfLiteActNone), maker.Convolve(input, 8, 64, 3, kTfLiteActNone)}, 3);
  maker.graph.outputs = {maker.Convolve(whole, 96, 8, 1, kTfLiteActNone)};
  const std::vector<std::vector<int>> sizes = {{1, 8, 8, 8}};
  const DelegateOptions fused = Options(true, false, CpuIsa()), apart = Options(false, false, CpuIsa());
  const Ran one = Invoke(maker.graph, sizes, &fused), many = Invoke(maker.graph, sizes, &apart);
  EXPECT_EQ(one.outputs, Invoke(maker.graph, sizes, nullptr).outputs);
  EXPECT_EQ(many.outputs, one.outputs);
  EXPECT_EQ(many.tensor_bytes, 2 * 8 * 8 * 96);
#if defined(__x86_64__)
  if (CpuSupports(Isa::kAvx512Vnni)) EXPECT_EQ(one.tensor_bytes, 8 * 8 * 96);
#endif
}

// --- edges that convolutions do without ---

struct PaddingCase {
  std::vector<int> pads;  // before and after, of all dimensions
  int filter;
  bool fused;
};

// PAD or PADV2, and a convolution or a depthwise one behind it.
TEST(Paddings, AreLeftOutInFrontOfConvolutions) {
  const std::vector<PaddingCase> cases = {
      {{0, 0, 1, 1, 1, 1, 0, 0}, 3, true},  {{0, 0, 0, 1, 0, 1, 0, 0}, 3, true},  {{0, 0, 2, 0, 1, 2, 0, 0}, 3, true},
      {{0, 0, 3, 3, 3, 3, 0, 0}, 7, true},  {{0, 0, 3, 0, 0, 0, 0, 0}, 3, false}, {{0, 0, 0, 0, 0, 3, 0, 0}, 3, false},
      {{1, 0, 1, 1, 1, 1, 0, 0}, 3, false}, {{0, 0, 1, 1, 1, 1, 0, 8}, 3, false}, {{0, 0, 0, 0, 0, 0, 0, 0}, 3, false},
      {{0, 0, 1, 1, 0, 0, 0, 0}, 1, false}, {{0, 0, 2, 2, 2, 2, 0, 0}, 3, true},
  };
  enum { kPlain, kOtherValue, kReadTwice, kSame, kKinds };
  for (const PaddingCase& c : cases) {
    std::vector<std::vector<int>> sizes = {{1, 12, 9, 8}, {2, 7, 14, 8}, {1, 8, 8, 8}};
    // Nothing but edges.
    if (c.pads[2] + c.pads[3] >= c.filter) sizes.insert(sizes.begin() + 1, {1, 0, 8, 8});
    for (int depthwise : {0, 1}) {
      for (int stride : {1, 2}) {
        for (int kind = 0; kind < kKinds; ++kind) {
          JoinedMaker maker(static_cast<unsigned>(kind + 10 * stride), 8);
          TestGraph& graph = maker.graph;
          const int input = maker.Part(8);
          graph.inputs = {input};
          const int source = maker.Convolve(input, 8, 8, 1, kTfLiteActNone);
          // A zero point apart from the codes of zeros and of memory that nobody wrote.
          graph.tensors[static_cast<size_t>(source)].zero_points = {-7};
          const int channels = 8 + c.pads[6] + c.pads[7];
          const int pads = maker.Constant({4, 2});
          TestTensor& tensor = graph.tensors.back();
          tensor.type = kTfLiteInt32;
          tensor.data.resize(sizeof(int32_t) * c.pads.size());
          memcpy(tensor.data.data(), c.pads.data(), tensor.data.size());
          const int padded = maker.Part(channels);
          graph.tensors[static_cast<size_t>(padded)].zero_points = {-7};
          TestNode pad;
          pad.code = kOperatorPad;
          pad.inputs = {source, pads};
          if (kind == kOtherValue) {
            pad.code = kOperatorPadv2;
            const int value = maker.Constant({1});
            graph.tensors.back().scales = {.3f};
            graph.tensors.back().zero_points = {-7};
            graph.tensors.back().data = {5};
            pad.inputs.push_back(value);
          }
          pad.outputs = {padded};
          graph.nodes.push_back(pad);
          int last = maker.Convolve(padded, channels, 16, c.filter, kTfLiteActNone);
          TestNode& node = graph.nodes.back();
          node.geometry.padding = kind == kSame ? kTfLitePaddingSame : kTfLitePaddingValid;
          node.geometry.stride_height = node.geometry.stride_width = stride;
          if (depthwise != 0) {
            node.code = kOperatorDepthwiseConv2d;
            TestTensor& filter = graph.tensors[static_cast<size_t>(node.inputs[1])];
            filter.shape = {1, c.filter, c.filter, channels};
            filter.data.resize(static_cast<size_t>(c.filter) * c.filter * channels);
            graph.tensors[static_cast<size_t>(last)].shape[3] = channels;
          }
          graph.outputs = {last};
          if (kind == kReadTwice) {
            const int other = maker.Convolve(padded, channels, 8, 1, kTfLiteActNone);
            graph.outputs.push_back(other);
          }
          const bool fused = c.fused && kind == kPlain;
          const Ran expected = Invoke(graph, sizes, nullptr);
          for (Isa isa : Isas()) {
            const DelegateOptions options = Options(true, false, isa);
            const Ran run = Invoke(graph, sizes, &options);
            ASSERT_EQ(run.outputs, expected.outputs) << testing::PrintToString(c.pads) << ' ' << IsaName(isa) << kind << depthwise;
            EXPECT_EQ(run.delegated, kind == kReadTwice ? 4 : 3);
            EXPECT_EQ(Fused(run) == 1, fused) << testing::PrintToString(c.pads) << c.filter << kind;
          }
        }
      }
    }
  }
}

// --- all of that, and operators that write over their input, in one network ---

// Appends something that reads any of `live`, all of one height and width, and whose output is of their size.
void AppendAny(JoinedMaker* maker, std::vector<int>* live) {
  TestGraph& graph = maker->graph;
  const auto any = [&] { return (*live)[static_cast<size_t>(maker->Integer(0, static_cast<int>(live->size()) - 1))]; };
  const auto channels = [&](int tensor) { return graph.tensors[static_cast<size_t>(tensor)].shape[3]; };
  const auto append = [&](int code, const std::vector<int>& inputs, int output_channels) {
    TestNode node;
    node.code = code;
    node.inputs = inputs;
    node.outputs = {maker->Part(output_channels)};
    graph.nodes.push_back(node);
    return node.outputs[0];
  };
  const int input = maker->Integer(0, 2) > 0 ? live->back() : any();
  const int activation = maker->Integer(0, 1) == 0 ? kTfLiteActNone : kTfLiteActRelu;
  const int filters = std::vector<int>{3, 8, 16, 20, 40}[static_cast<size_t>(maker->Integer(0, 4))];
  switch (maker->Integer(0, 8)) {
    default:
      live->push_back(maker->Convolve(input, channels(input), filters, maker->Integer(0, 1) == 0 ? 1 : 3, activation));
      return;
    case 0:
      live->push_back(append(kOperatorRelu, {input}, channels(input)));
      return;
    case 1:
      live->push_back(append(kOperatorAdd, {input, append(kOperatorRelu6, {input}, channels(input))}, channels(input)));
      return;
    case 2: {
      const int pads = maker->Constant({4, 2});
      const int top = maker->Integer(0, 2), left = maker->Integer(0, 2);
      const int32_t values[] = {0, 0, top, 2 - top, left, 2 - left, 0, 0};
      TestTensor& tensor = graph.tensors.back();
      tensor.type = kTfLiteInt32;
      tensor.data.resize(sizeof(values));
      memcpy(tensor.data.data(), values, sizeof(values));
      const int padded = append(kOperatorPad, {input, pads}, channels(input));
      live->push_back(maker->Convolve(padded, channels(input), filters, 3, activation));
      graph.nodes.back().geometry.padding = kTfLitePaddingValid;
      return;
    }
    case 3:
    case 4: {
      std::vector<int> parts = {input};
      int sum = channels(input);
      for (int i = maker->Integer(1, 3); i > 0; --i) {
        const int source = any();
        const int part = maker->Integer(0, 1) == 0 ? source : maker->Convolve(source, channels(source), 16, 1, activation);
        sum += channels(part);
        parts.push_back(part);
      }
      if (sum > 200) return;
      live->push_back(maker->Join(parts, maker->Integer(0, 1) == 0 ? -1 : 3));
      return;
    }
  }
}

TEST(FusedNetworks, GiveWhatTheirNodesGive) {
  const std::vector<std::vector<int>> sizes = {{1, 5, 4, 8}, {2, 9, 7, 8}, {0, 5, 4, 8}, {1, 1, 1, 8}};
  int fused = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    JoinedMaker maker(seed, 8);
    std::vector<int> live = {maker.Part(8)};
    maker.graph.inputs = live;
    for (int i = 0; i < 10; ++i) AppendAny(&maker, &live);
    maker.graph.outputs = {live.back()};
    // Now and then one in the middle is the runtime's, too.
    const int other = live[live.size() / 2];
    if (seed % 3 == 0 && other != live.front() && other != live.back()) maker.graph.outputs.push_back(other);
    if (live.back() == live.front()) continue;
    const Ran expected = Invoke(maker.graph, sizes, nullptr);
    for (Isa isa : Isas()) {
      const DelegateOptions options = Options(true, false, isa, seed % 4 == 0 ? 2 : 1);
      const Ran run = Invoke(maker.graph, sizes, &options);
      ASSERT_EQ(run.outputs, expected.outputs) << seed << ' ' << IsaName(isa);
      fused += Fused(run);
    }
  }
  EXPECT_GE(fused, 50);
}

}  // namespace
}  // namespace tflite_eq
