// Steps in stripes of rows give what they give one after the other, whatever the stripes; likewise maxima that are taken before tables, and
// what convolutions do without that know the codes they get.
#include "delegate/stripes.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "delegate/fusion.h"
#include "delegate/fusion_fixture.h"
#include "delegate/kernels/buffer.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

// --- stripes by themselves ---

// A step whose rows are checksums of the rows under them.
struct Mixer {
  RowWork work;

  static void Run(const void* of, const int8_t* input, Rows rows, int8_t* output, void* scratch) {
    const RowWork& work = static_cast<const Mixer*>(of)->work;
    memset(scratch, 0x55, 100);
    for (int y = rows.begin; y < rows.end; ++y) {
      const Rows under = work.Under({y, y + 1});
      for (size_t x = 0; x < work.output_row_bytes; ++x) {
        unsigned sum = static_cast<unsigned>(y) + 7;
        for (int row = under.begin; row < under.end; ++row) {
          sum = sum * 31 + static_cast<uint8_t>(input[static_cast<size_t>(row) * work.input_row_bytes + x % work.input_row_bytes]);
        }
        output[static_cast<size_t>(y) * work.output_row_bytes + x] = static_cast<int8_t>(sum);
      }
    }
  }
};

TEST(Stripes, GiveWhatTheirStepsGive) {
  std::mt19937 random(1);
  const auto integer = [&random](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  for (int round = 0; round < 400; ++round) {
    const int count = integer(2, Stripes::kMostSteps), images = integer(1, 3);
    std::vector<Mixer> steps(static_cast<size_t>(count));
    int rows = integer(1, 60);
    size_t row_bytes = static_cast<size_t>(integer(1, 40));
    const size_t input_bytes = static_cast<size_t>(images) * static_cast<size_t>(rows) * row_bytes;
    for (Mixer& step : steps) {
      RowWork& work = step.work;
      work.run = Mixer::Run;
      work.of = &step;
      work.stride = integer(1, 3);
      work.reach = integer(1, 7);
      work.pad = integer(0, static_cast<int>(work.reach) - 1);
      work.images = images;
      work.input_rows = rows;
      // Some that look beyond the image's end.
      rows = work.output_rows = (rows - 1) / work.stride + 1;
      work.input_row_bytes = row_bytes;
      row_bytes = work.output_row_bytes = static_cast<size_t>(integer(1, 40));
    }
    std::vector<int8_t> input(input_bytes);
    for (int8_t& code : input) code = static_cast<int8_t>(random());
    std::vector<int8_t> expected = input;
    std::vector<char> room(100);
    for (const Mixer& step : steps) {
      const RowWork& work = step.work;
      const size_t from = static_cast<size_t>(work.input_rows) * work.input_row_bytes;
      const size_t to = static_cast<size_t>(work.output_rows) * work.output_row_bytes;
      std::vector<int8_t> next(to * static_cast<size_t>(images));
      for (size_t image = 0; image < static_cast<size_t>(images); ++image) {
        Mixer::Run(&step, expected.data() + image * from, {0, work.output_rows}, next.data() + image * to, room.data());
      }
      expected = next;
    }
    std::vector<Stripes::Link> links(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) links[static_cast<size_t>(i)].work = steps[static_cast<size_t>(i)].work;
    for (const int workers : {1, 2, 5}) {
      for (const size_t target : {size_t{0}, size_t{300}, size_t{3000}, size_t{1} << 20}) {
        Stripes stripes;
        const Units units = stripes.Divide(links.data(), count, room.size(), workers, {0, target, 1});
        std::vector<int8_t> output(expected.size());
        double milliseconds[Stripes::kMostSteps] = {};
        for (int unit = units.count - 1; unit >= 0; --unit) {
          Buffer scratch;
          ASSERT_TRUE(scratch.Allocate(units.scratch_bytes));
          memset(scratch.as<void>(), 0x77, scratch.size());
          stripes.Run(input.data(), output.data(), unit, scratch.as<void>(), round % 2 == 0 ? milliseconds : nullptr);
        }
        ASSERT_EQ(output, expected) << round << ' ' << workers << ' ' << target;
      }
    }
  }
}

TEST(Stripes, KeepWithinWhatTheyAreGiven) {
  Mixer steps[2];
  Stripes::Link links[2];
  for (int i = 0; i < 2; ++i) {
    RowWork& work = steps[i].work;
    work.run = Mixer::Run;
    work.of = &steps[i];
    work.images = 1;
    work.input_rows = work.output_rows = 100;
    work.input_row_bytes = work.output_row_bytes = 1024;
    work.reach = 3;
    work.pad = 1;
    links[i].work = work;
  }
  Stripes stripes;
  EXPECT_LE(stripes.Divide(links, 2, 64, 1, {0, 16 << 10, 1}).scratch_bytes, size_t{(16 << 10) + 64});
  EXPECT_EQ(stripes.rows(), 13) << "100 rows in stripes of no more than 13";
  EXPECT_TRUE(Stripes::Pay(links, 2, {0, 16 << 10, 13}));
  EXPECT_FALSE(Stripes::Pay(links, 2, {0, 16 << 10, 14}));
  EXPECT_TRUE(Stripes::Pay(links, 2, {0, 1 << 20, 200})) << "all rows are enough";
}

// --- in the delegate ---

// Steps that work on rows, with whatever else lies between.
class ChainMaker : public JoinedMaker {
 public:
  using JoinedMaker::JoinedMaker;

  int Channels(int tensor) const { return graph.tensors[static_cast<size_t>(tensor)].shape[3]; }
  int Append(int code, const std::vector<int>& inputs, int output_channels) {
    TestNode node;
    node.code = code;
    node.inputs = inputs;
    node.outputs = {Part(output_channels)};
    graph.nodes.push_back(node);
    return node.outputs[0];
  }
  int Pool(int code, int input, int size, int stride) {
    const int output = Append(code, {input}, Channels(input));
    TestNode& node = graph.nodes.back();
    node.pool_height = node.pool_width = size;
    node.geometry.stride_height = node.geometry.stride_width = stride;
    return output;
  }
  int Depthwise(int input, int size, int stride) {
    const int channels = Channels(input);
    const int output = Convolve(input, channels, channels, size, kTfLiteActNone);
    TestNode& node = graph.nodes.back();
    node.code = kOperatorDepthwiseConv2d;
    node.geometry.stride_height = node.geometry.stride_width = stride;
    TestTensor& filter = graph.tensors[static_cast<size_t>(node.inputs[1])];
    filter.shape = {1, size, size, channels};
    filter.data.resize(static_cast<size_t>(size * size * channels));
    filter.scales = {.2f};
    return output;
  }
  int Edges(int input, int before, int after) {
    const int pads = Constant({4, 2});
    const int32_t values[] = {0, 0, before, after, before, after, 0, 0};
    TestTensor& tensor = graph.tensors.back();
    tensor.type = kTfLiteInt32;
    tensor.data.resize(sizeof(values));
    memcpy(tensor.data.data(), values, sizeof(values));
    return Append(kOperatorPad, {input, pads}, Channels(input));
  }
  int AppendAny(int input) {
    const int channels = Channels(input);
    const int stride = Integer(1, 3) == 1 ? 2 : 1;
    const int activation = Integer(0, 1) == 0 ? kTfLiteActNone : kTfLiteActRelu;
    int last = input;
    switch (Integer(0, 9)) {
      case 0:
      case 1:
        return Depthwise(input, Integer(0, 2) == 0 ? 5 : 3, stride);
      case 2:
        return Pool(kOperatorMaxPool2d, input, Integer(2, 3), stride);
      case 3:
        return Pool(kOperatorAveragePool2d, input, Integer(2, 3), stride);
      case 4:
        return Append(Integer(0, 1) == 0 ? kOperatorLeakyRelu : kOperatorHardSwish, {input}, channels);
      case 5:
        return Append(kOperatorPrelu, {input, Constant({1, 1, channels})}, channels);
      case 6:
        last = Edges(input, Integer(0, 1), Integer(0, 1));
        break;
      case 7:
        return Append(kOperatorAdd, {Append(kOperatorRelu, {input}, channels), Constant({channels})}, channels);
      default:
        break;
    }
    last = Convolve(last, channels, std::vector<int>{8, 16, 24, 40}[static_cast<size_t>(Integer(0, 3))], Integer(0, 1) == 0 ? 1 : 3, activation);
    TestNode& node = graph.nodes.back();
    node.geometry.stride_height = stride;
    node.geometry.stride_width = Integer(0, 2) == 0 ? 1 : stride;
    if (Integer(0, 4) == 0) node.geometry.dilation_height_factor = 2;
    return last;
  }
};

TEST(StripedGraphs, GiveWhatTheirNodesGive) {
  const std::vector<std::vector<int>> sizes = {{1, 20, 11, 8}, {2, 17, 24, 8}, {0, 9, 9, 8}, {1, 9, 8, 8}, {1, 33, 6, 8}};
  int striped = 0, nodes = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    ChainMaker maker(seed, 8);
    int last = maker.Part(8);
    maker.graph.inputs = {last};
    const int count = maker.Integer(2, 9);
    for (int i = 0; i < count; ++i) {
      const int before = last;
      last = maker.AppendAny(last);
      // Read by others, too: by the runtime, or by a step that comes later.
      if (i + 1 < count && seed % 5 == 0 && i == 1) maker.graph.outputs.push_back(last);
      if (seed % 7 == 3 && i == 2) maker.graph.outputs.push_back(maker.Append(kOperatorRelu, {before}, maker.Channels(before)));
    }
    maker.graph.outputs.push_back(last);
    const Ran expected = Invoke(maker.graph, sizes, nullptr);
    for (Isa isa : Isas()) {
      for (const size_t target : {0, 700, 5000}) {
        DelegateOptions options = Options(true, false, isa, static_cast<int>(1 + seed % 3));
        options.stripes = {seed % 4 == 0 ? size_t{500} : 0, target, 1};
        const Ran run = Invoke(maker.graph, sizes, &options);
        ASSERT_EQ(run.outputs, expected.outputs) << seed << ' ' << IsaName(isa) << ' ' << target;
        striped += run.striped;
        nodes += static_cast<int>(run.nodes.size());
      }
      DelegateOptions options = Options(true, true, isa);
      options.stripes = {0, 0, 1};
      const Ran run = Invoke(maker.graph, sizes, &options);
      ASSERT_EQ(run.outputs, expected.outputs) << seed << ' ' << IsaName(isa) << " verified";
      EXPECT_EQ(run.striped, 0);
    }
  }
  EXPECT_GE(striped, nodes / 3) << "of " << nodes;
}

// What MobileNets begin with. All that lies between is in scratch.
TEST(StripedGraphs, HoldNothingAsAWhole) {
  ChainMaker maker(3, 8);
  const int input = maker.Part(8);
  maker.graph.inputs = {input};
  int last = input;
  for (int i = 0; i < 2; ++i) last = maker.Convolve(maker.Depthwise(last, 3, 1 + i), 8, 8, 1, kTfLiteActRelu);
  maker.graph.outputs = {last};
  const std::vector<std::vector<int>> sizes = {{1, 64, 64, 8}};
  DelegateOptions striped = Options(true, false, CpuIsa());
  striped.kernel = Algorithm::kDirect;
  striped.stripes = {0, 8 << 10, 1};
  DelegateOptions apart = Options(false, false, CpuIsa());
  const Ran one = Invoke(maker.graph, sizes, &striped), many = Invoke(maker.graph, sizes, &apart);
  EXPECT_EQ(one.outputs, many.outputs);
  EXPECT_EQ(one.striped, 4);
  EXPECT_EQ(one.tensor_bytes, 0);
  EXPECT_GE(many.tensor_bytes, 2 * 64 * 64 * 8);
  EXPECT_LE(one.scratch_bytes, many.scratch_bytes + (8 << 10));
}

// The chain's input has to be there until its last step, though others write meanwhile.
TEST(StripedGraphs, KeepTheirInput) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    ChainMaker maker(seed, 8);
    const int input = maker.Part(8);
    maker.graph.inputs = {input};
    const int source = maker.Convolve(input, 8, 8, 1, kTfLiteActNone);
    const int left = maker.Depthwise(source, 3, 1);
    // Written over what it reads, if that is read by nobody later.
    const int right = maker.Append(kOperatorRelu, {source}, 8);
    const int below = maker.Pool(seed % 2 == 0 ? kOperatorMaxPool2d : kOperatorAveragePool2d, left, 3, 1);
    maker.graph.outputs = {maker.Append(kOperatorAdd, {below, right}, 8)};
    const std::vector<std::vector<int>> sizes = {{1, 12, 9, 8}};
    DelegateOptions options = Options(true, false, CpuIsa());
    options.stripes = {0, 0, 1};
    EXPECT_EQ(Invoke(maker.graph, sizes, &options).outputs, Invoke(maker.graph, sizes, nullptr).outputs);
  }
}

// --- maxima and tables ---

TEST(Maxima, AreTakenBeforeTablesThatNeverFall) {
  struct Case {
    int table;
    float alpha;
    int activation;
    bool first;
  };
  for (const Case& c : {Case{kOperatorLeakyRelu, .1f, kTfLiteActNone, true}, Case{kOperatorLeakyRelu, -.3f, kTfLiteActNone, false},
                        Case{kOperatorRelu6, 0, kTfLiteActNone, true}, Case{kOperatorHardSwish, 0, kTfLiteActNone, false},
                        Case{kOperatorAbs, 0, kTfLiteActNone, false}, Case{kOperatorRelu, 0, kTfLiteActRelu, false}}) {
    for (const bool average : {false, true}) {
      for (const bool read_twice : {false, true}) {
        ChainMaker maker(7, 8);
        const int input = maker.Part(8);
        maker.graph.inputs = {input};
        const int source = maker.Convolve(input, 8, 8, 3, kTfLiteActNone);
        const int table = maker.Append(c.table, {source}, 8);
        maker.graph.nodes.back().alpha = c.alpha;
        const int pool = maker.Pool(average ? kOperatorAveragePool2d : kOperatorMaxPool2d, table, 3, 2);
        maker.graph.nodes.back().geometry.activation = c.activation;
        maker.graph.outputs = {maker.Convolve(pool, 8, 8, 1, kTfLiteActNone)};
        if (read_twice) maker.graph.outputs.push_back(maker.Append(kOperatorRelu, {table}, 8));
        const std::vector<std::vector<int>> sizes = {{1, 13, 16, 8}, {2, 5, 4, 8}, {1, 1, 1, 8}};
        const Ran expected = Invoke(maker.graph, sizes, nullptr);
        const bool first = c.first && !average && !read_twice;
        for (Isa isa : Isas()) {
          for (const bool verify : {false, true}) {
            DelegateOptions options = Options(true, verify, isa);
            const Ran run = Invoke(maker.graph, sizes, &options);
            ASSERT_EQ(run.outputs, expected.outputs) << c.table << ' ' << IsaName(isa);
            const auto at = [&run](int node) { return std::find(run.nodes.begin(), run.nodes.end(), node) - run.nodes.begin(); };
            EXPECT_EQ(at(2) < at(1), first && !verify) << c.table << ' ' << average << read_twice << verify;
          }
        }
      }
    }
  }
}

// Edges of the least code are never a maximum.
TEST(Maxima, DoWithoutEdgesOfTheLeastCode) {
  for (const int zero_point : {-128, -127}) {
    for (const bool average : {false, true}) {
      for (const int edge : {1, 2, 3}) {
        ChainMaker maker(9, 8);
        const int input = maker.Part(8);
        maker.graph.inputs = {input};
        const int source = maker.Convolve(input, 8, 8, 1, kTfLiteActNone);
        const int padded = maker.Edges(source, edge, 1);
        const int pool = maker.Pool(average ? kOperatorAveragePool2d : kOperatorMaxPool2d, padded, 3, 2);
        maker.graph.nodes.back().geometry.padding = kTfLitePaddingValid;
        for (int tensor : {source, padded, pool}) maker.graph.tensors[static_cast<size_t>(tensor)].zero_points = {zero_point};
        maker.graph.outputs = {pool};
        const std::vector<std::vector<int>> sizes = {{1, 13, 16, 8}, {2, 5, 4, 8}, {1, 1, 1, 8}};
        const Ran expected = Invoke(maker.graph, sizes, nullptr);
        for (Isa isa : Isas()) {
          for (const size_t target : {0, 1 << 20}) {
            DelegateOptions options = Options(true, false, isa);
            options.stripes = {0, target, 1};
            const Ran run = Invoke(maker.graph, sizes, &options);
            ASSERT_EQ(run.outputs, expected.outputs) << zero_point << average << edge;
            EXPECT_EQ(Fused(run) == 1, zero_point == -128 && !average && edge < 3) << zero_point << average << edge;
          }
        }
      }
    }
  }
}

// Behind a table that is looked up later the edges have the code for zero of what it reads, which may well be the greatest.
TEST(Maxima, KeepEdgesOfATable) {
  for (const int zero_point : {-128, -5, 100}) {
    for (const int table : {kOperatorRelu, kOperatorLogistic}) {
      ChainMaker maker(12, 8);
      const int input = maker.Part(8);
      maker.graph.inputs = {input};
      const int source = maker.Convolve(input, 8, 8, 1, kTfLiteActNone);
      const int padded = maker.Edges(source, 1, 1);
      const int looked_up = maker.Append(table, {padded}, 8);
      const int pool = maker.Pool(kOperatorMaxPool2d, looked_up, 3, 2);
      maker.graph.nodes.back().geometry.padding = kTfLitePaddingValid;
      for (int tensor : {source, padded}) maker.graph.tensors[static_cast<size_t>(tensor)].zero_points = {zero_point};
      for (int tensor : {looked_up, pool}) {
        maker.graph.tensors[static_cast<size_t>(tensor)].zero_points = {-128};
        if (table == kOperatorLogistic) maker.graph.tensors[static_cast<size_t>(tensor)].scales = {1.f / 256};
      }
      maker.graph.outputs = {pool};
      const std::vector<std::vector<int>> sizes = {{1, 13, 16, 8}, {1, 1, 1, 8}, {2, 2, 3, 8}};
      const Ran expected = Invoke(maker.graph, sizes, nullptr);
      for (Isa isa : Isas()) {
        DelegateOptions options = Options(true, false, isa);
        EXPECT_EQ(Invoke(maker.graph, sizes, &options).outputs, expected.outputs) << zero_point << ' ' << table;
      }
    }
  }
}

// What is no image has no rows, however long the chain of its tables is.
TEST(StripedGraphs, LeaveOtherRanksAlone) {
  for (const int workers : {1, 2}) {
    ChainMaker maker(13, 8);
    const int input = maker.Part(8);
    maker.graph.inputs = {input};
    int last = input;
    for (int i = 0; i < 3 * Fusions::kMostSteps; ++i) last = maker.Append(i % 2 == 0 ? kOperatorRelu : kOperatorHardSwish, {last}, 8);
    maker.graph.outputs = {last};
    const std::vector<std::vector<int>> sizes = {{3, 40, 8}, {50, 8}};
    const Ran expected = Invoke(maker.graph, sizes, nullptr);
    DelegateOptions options = Options(true, false, CpuIsa());
    options.stripes = {0, 0, 1};
    options.num_threads = workers;
    EXPECT_EQ(Invoke(maker.graph, sizes, &options).outputs, expected.outputs) << workers;
  }
}

// --- codes that are known ---

// Behind a ReLU with zero point 0 there are no codes for which a kernel of seven bits would need another beside it, be they pooled or
// joined first.
TEST(KnownCodes, SpareAFallback) {
#if defined(__aarch64__)
  const Isa isa = Isa::kNeon;
  if (!DetectCpu().in_order) GTEST_SKIP() << "the kernel of seven bits is for cores that issue in order";
#else
  const Isa isa = Isa::kAvx2;
#endif
  if (!CpuSupports(isa)) GTEST_SKIP() << "this CPU has no kernel of seven bits";
  constexpr int kChannels = 64;
  const std::vector<std::vector<int>> sizes = {{1, 12, 14, kChannels}, {2, 5, 4, kChannels}};
  const auto run = [&](int activation, int between) {
    ChainMaker maker(11, kChannels);
    const int input = maker.Part(kChannels);
    maker.graph.inputs = {input};
    int last = maker.Convolve(input, kChannels, kChannels, 1, activation);
    if (between == 1) last = maker.Pool(kOperatorMaxPool2d, last, 2, 2);
    if (between == 2) last = maker.Join({last, maker.Pool(kOperatorAveragePool2d, last, 3, 1)}, 3);
    maker.graph.outputs = {maker.Convolve(last, maker.Channels(last), kChannels, 1, kTfLiteActNone)};
    const DelegateOptions options = Options(true, false, isa);
    const Ran ran = Invoke(maker.graph, sizes, &options);
    EXPECT_EQ(ran.outputs, Invoke(maker.graph, sizes, nullptr).outputs) << activation << between;
    EXPECT_EQ(ran.kernels.back(), "direct_int7");
    return ran;
  };
  for (const int between : {0, 1, 2}) {
    EXPECT_LT(run(kTfLiteActRelu, between).packed_bytes + kChannels * kChannels, run(kTfLiteActNone, between).packed_bytes) << between;
  }
}

}  // namespace
}  // namespace tflite_eq
