// The specifications on what TFLite's reference kernels answered, the same on three runtimes.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "delegate/kernels/geometry.h"
#include "delegate/kernels/golden_file.h"
#include "delegate/ops/reference/add.h"
#include "delegate/ops/reference/mean.h"
#include "delegate/ops/reference/mul.h"
#include "delegate/ops/reference/pool.h"
#include "delegate/ops/reference/prelu.h"
#include "delegate/ops/reference/resize.h"
#include "delegate/ops/reference/strided_view.h"
#include "delegate/ops/reference/transpose_conv.h"
#include "delegate/ops/reference/unary.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

using Codes = std::vector<int8_t>;

Quantization QuantizationOf(const GoldenCase& c, const std::string& tensor) {
  return {c.Scale(tensor + "_scale"), c.Integer(tensor + "_zero_point")};
}

Activation ActivationOf(const GoldenCase& c) {
  return c.Has("activation") ? ActivationFromName(c.fields.at("activation")) : Activation::kNone;
}

// The operator's table; false where there is none.
bool Table(const GoldenCase& c, int8_t* table) {
  const std::string& name = c.fields.at("operator");
  const Quantization input = QuantizationOf(c, "input0"), output = QuantizationOf(c, "output");
  if (name == "LEAKY_RELU") return LeakyReluTable(c.Has("alpha") ? c.Scale("alpha") : 0.0f, input, output, table);
  if (name == "HARD_SWISH") return HardSwishTable(input, output, table);
  if (name == "QUANTIZE") return RequantizeTable(input, output, table);
  if (name == "LOGISTIC") return LogisticTable(input, output, table);
  if (name == "ABS") return AbsTable(input, output, table);
  if (name == "EXP") return ExpTable(input, output, table);
  if (name == "GELU") return GeluTable(c.Has("approximate"), input, output, table);
  if (name == "TANH") return TanhTable(input, output, table);
  return ReluTable(ActivationFromName(name), input, output, table);
}

Codes Unary(const GoldenCase& c) {
  int8_t table[kCodes];
  EXPECT_TRUE(Table(c, table)) << c.name;
  Codes output;
  for (int8_t code : c.Numbers("input0").codes()) output.push_back(table[code + 128]);
  return output;
}

Codes AddOrSub(const GoldenCase& c) {
  AddConstants constants;
  EXPECT_TRUE(MakeAddConstants(QuantizationOf(c, "input0"), QuantizationOf(c, "input1"), QuantizationOf(c, "output"),
                               ActivationOf(c), c.fields.at("operator") == "SUB", &constants))
      << c.name;
  const Codes first = c.Numbers("input0").codes(), second = c.Numbers("input1").codes();
  Codes output(first.size());
  ReferenceAdd(constants, first.data(), second.data(), output.data(), output.size());
  return output;
}

Codes Mul(const GoldenCase& c) {
  MulConstants constants;
  EXPECT_TRUE(MakeMulConstants(QuantizationOf(c, "input0"), QuantizationOf(c, "input1"), QuantizationOf(c, "output"),
                               ActivationOf(c), &constants))
      << c.name;
  const Codes first = c.Numbers("input0").codes(), second = c.Numbers("input1").codes();
  Codes output(first.size());
  ReferenceMul(constants, first.data(), second.data(), output.data(), output.size());
  return output;
}

Codes Prelu(const GoldenCase& c) {
  PreluConstants constants;
  const Quantization slope = QuantizationOf(c, "input1");
  EXPECT_TRUE(MakePreluConstants(QuantizationOf(c, "input0"), slope.scale, QuantizationOf(c, "output"), &constants)) << c.name;
  std::vector<int16_t> slopes;
  for (int code : c.Numbers("input1").values) slopes.push_back(static_cast<int16_t>(code - slope.zero_point));
  const Codes input = c.Numbers("input0").codes();
  Codes output(input.size());
  ReferencePrelu(constants, slopes.data(), input.data(), output.data(), input.size() / slopes.size(),
                 static_cast<int>(slopes.size()));
  return output;
}

PoolAxis Axis(const GoldenCase& c, int axis) {
  const auto pair = [&](const char* field) { return c.Has(field) ? c.Integers(field)[static_cast<size_t>(axis)] : 1; };
  PoolAxis result;
  result.input = c.Numbers("input0").shape[static_cast<size_t>(axis + 1)];
  result.output = c.Numbers("output").shape[static_cast<size_t>(axis + 1)];
  result.filter = pair("filter");
  result.stride = pair("stride");
  result.pad = std::max(0, ((result.output - 1) * result.stride + result.filter - result.input) / 2);
  return result;
}

Codes Pool(const GoldenCase& c) {
  PoolShape shape;
  shape.rows = Axis(c, 0);
  shape.columns = Axis(c, 1);
  const NumberList input = c.Numbers("input0");
  shape.channels = input.shape[3];
  ActivationRange(ActivationOf(c), c.Scale("output_scale"), c.Integer("output_zero_point"), &shape.activation_min,
                  &shape.activation_max);
  const Codes codes = input.codes();
  Codes output(c.Numbers("output").values.size());
  const size_t images = static_cast<size_t>(input.shape[0]);
  for (size_t image = 0; image < images; ++image) {
    const auto pool = c.fields.at("operator") == "MAX_POOL_2D" ? ReferenceMaxPool : ReferenceAveragePool;
    pool(shape, codes.data() + image * codes.size() / images, output.data() + image * output.size() / images);
  }
  return output;
}

// Over axes that are neighbours, of an image height and width.
Codes Mean(const GoldenCase& c) {
  const NumberList input = c.Numbers("input0");
  const int rank = static_cast<int>(input.shape.size());
  std::vector<int> axes = c.Has("arguments") ? c.Integers("arguments") : std::vector<int>{1, 2};
  for (int& axis : axes) axis = axis < 0 ? axis + rank : axis;
  const int first = *std::min_element(axes.begin(), axes.end()), last = *std::max_element(axes.begin(), axes.end());
  int images = 1, reduced = 1, row = 1;
  for (int d = 0; d < rank; ++d) (d < first ? images : d > last ? row : reduced) *= input.shape[static_cast<size_t>(d)];
  MeanConstants constants;
  EXPECT_TRUE(MakeMeanConstants(QuantizationOf(c, "input0"), QuantizationOf(c, "output"), reduced, &constants)) << c.name;
  const Codes codes = input.codes();
  Codes output(static_cast<size_t>(images) * static_cast<size_t>(row));
  for (int image = 0; image < images; ++image) {
    ReferenceMean(constants, codes.data() + image * reduced * row, row, output.data() + image * row);
  }
  return output;
}

Codes TransposeConv(const GoldenCase& c) {
  const NumberList input = c.Numbers("input0"), output = c.Numbers("output");
  const auto pair = [&](const char* field) { return c.Has(field) ? c.Integers(field) : std::vector<int>{1, 1}; };
  const std::vector<int> taps = pair("filter"), stride = pair("stride");
  ConvProblem problem;
  ConvShape& s = problem.shape;
  s.batch = input.shape[0];
  s.input_channels = output.shape[3];
  s.output_channels = input.shape[3];
  s.filter_height = taps[0];
  s.filter_width = taps[1];
  s.stride_height = stride[0];
  s.stride_width = stride[1];
  // Padding is that of the convolution the other way.
  s.input_height = output.shape[1];
  s.input_width = output.shape[2];
  EXPECT_TRUE(ResolvePadding(c.Has("padding") ? Padding::kValid : Padding::kSame, &s)) << c.name;
  std::swap(s.input_height, s.output_height);
  std::swap(s.input_width, s.output_width);
  std::swap(s.input_channels, s.output_channels);
  s.input_height = input.shape[1];
  s.input_width = input.shape[2];
  const std::vector<int> weights = c.Integers("weights");
  const Codes filter(weights.begin(), weights.end());
  const std::vector<int32_t> bias = c.Has("bias") ? c.Integers("bias") : std::vector<int>();
  const std::vector<float> scales = c.Scales("weight_scales");
  std::vector<int32_t> multiplier(static_cast<size_t>(s.output_channels)), shift(multiplier.size());
  for (size_t k = 0; k < multiplier.size(); ++k) {
    QuantizeMultiplier(EffectiveScale(c.Scale("input0_scale"), scales[scales.size() == 1 ? 0 : k], c.Scale("output_scale")),
                       &multiplier[k], &shift[k]);
  }
  ConvQuantization& q = problem.quantization;
  q.input_zero_point = c.Integer("input0_zero_point");
  q.output_zero_point = c.Integer("output_zero_point");
  ActivationRange(ActivationOf(c), c.Scale("output_scale"), q.output_zero_point, &q.activation_min, &q.activation_max);
  q.multiplier = multiplier.data();
  q.shift = shift.data();
  problem.weights = {filter.data(), bias.empty() ? nullptr : bias.data()};
  Codes codes(output.values.size());
  ReferenceTransposeConv(problem, input.codes().data(), codes.data());
  return codes;
}

Codes Resize(const GoldenCase& c) {
  const NumberList input = c.Numbers("input0"), output = c.Numbers("output");
  const auto axis = [&](size_t i) {
    return ResizeAxis{input.shape[i], output.shape[i], c.Has("align_corners"), c.Has("half_pixel_centers")};
  };
  EXPECT_TRUE(StaysInside(axis(1)) && StaysInside(axis(2))) << c.name;
  Codes codes(output.values.size());
  const auto resize = c.fields.at("operator") == "RESIZE_BILINEAR" ? ReferenceResizeBilinear : ReferenceResizeNearest;
  resize(axis(1), axis(2), input.shape[3], input.codes().data(), codes.data());
  return codes;
}

// "1 2 ; 3 4"
std::vector<std::vector<int32_t>> Arguments(const GoldenCase& c) {
  std::vector<std::vector<int32_t>> lists(1);
  std::istringstream words(c.Has("arguments") ? c.fields.at("arguments") : "");
  for (std::string word; words >> word;) {
    if (word == ";") {
      lists.emplace_back();
    } else {
      lists.back().push_back(std::stoi(word));
    }
  }
  return lists;
}

int OptionOf(const GoldenCase& c, const char* field, int usual) { return c.Has(field) ? c.Integer(field) : usual; }

// What a case makes of its input; SPLIT in equal pieces.
bool MakeView(const GoldenCase& c, const Shape& input, StridedView* view, Shape* output, Reason* reason) {
  const std::string& name = c.fields.at("operator");
  const auto arguments = Arguments(c);
  const auto& first = arguments[0];
  const int count = static_cast<int>(first.size());
  if (name == "TRANSPOSE") return TransposedView(input, first.data(), count, view, output, reason);
  if (name == "SLICE") return SlicedView(input, first.data(), arguments[1].data(), count, view, output, reason);
  if (name == "SPACE_TO_DEPTH") return SpaceToDepthView(input, OptionOf(c, "block", 1), view, output, reason);
  if (name == "DEPTH_TO_SPACE") return DepthToSpaceView(input, OptionOf(c, "block", 1), view, output, reason);
  if (name == "SPLIT") {
    const int axis = first[0] < 0 ? first[0] + input.rank : first[0];
    const int size = input.dims[axis] / OptionOf(c, "pieces", 1);
    return PieceView(input, first[0], OptionOf(c, "piece", 0) * size, size, view, output, reason);
  }
  StridedSlices slices;
  slices.begins = first.data();
  slices.ends = arguments[1].data();
  slices.strides = arguments[2].data();
  slices.count = count;
  const std::vector<int> masks = c.Has("masks") ? c.Integers("masks") : std::vector<int>(3, 0);
  slices.begin_mask = static_cast<unsigned>(masks[0]);
  slices.end_mask = static_cast<unsigned>(masks[1]);
  slices.shrink_mask = static_cast<unsigned>(masks[2]);
  return StridedSlicedView(input, slices, view, output, reason);
}

Shape ShapeOf(const NumberList& list) {
  Shape shape;
  for (int size : list.shape) shape.dims[shape.rank++] = size;
  return shape;
}

Codes Movement(const GoldenCase& c) {
  const NumberList input = c.Numbers("input0");
  StridedView view;
  Shape output;
  Reason reason;
  EXPECT_TRUE(MakeView(c, ShapeOf(input), &view, &output, &reason)) << c.name << ": " << reason.text;
  EXPECT_TRUE(output == ShapeOf(c.Numbers("output"))) << c.name;
  Codes codes(static_cast<size_t>(output.elements()));
  ReferenceCopy(view, input.codes().data(), codes.data());
  return codes;
}

// Held to their vectors inside runtimes alone (tests/delegate/test_in_runtimes.py): what they compute is said by the operators.
constexpr const char* kWithoutSpecification[] = {"MAXIMUM",     "MINIMUM", "REDUCE_MAX", "REDUCE_MIN", "PACK",    "UNPACK",
                                                 "EXPAND_DIMS", "SPLIT_V", "MIRROR_PAD", "PAD",        "PADV2",   "RESHAPE",
                                                 "SQUEEZE",     "CONCATENATION"};

TEST(OperatorGolden, EverySpecification) {
  const std::map<std::string, Codes (*)(const GoldenCase&)> operators = {
      {"RELU", Unary},       {"RELU6", Unary},
      {"RELU_N1_TO_1", Unary}, {"LEAKY_RELU", Unary},
      {"HARD_SWISH", Unary}, {"QUANTIZE", Unary},
      {"ADD", AddOrSub},     {"SUB", AddOrSub},
      {"MUL", Mul},          {"PRELU", Prelu},
      {"MAX_POOL_2D", Pool}, {"AVERAGE_POOL_2D", Pool},
      {"MEAN", Mean},        {"RESIZE_BILINEAR", Resize},
      {"RESIZE_NEAREST_NEIGHBOR", Resize},
      {"LOGISTIC", Unary},   {"TANH", Unary},
      {"EXP", Unary},        {"GELU", Unary},
      {"ABS", Unary},        {"RELU_0_TO_1", Unary},
      {"TRANSPOSE_CONV", TransposeConv},
      {"TRANSPOSE", Movement}, {"SLICE", Movement},
      {"STRIDED_SLICE", Movement}, {"SPLIT", Movement},
      {"SPACE_TO_DEPTH", Movement}, {"DEPTH_TO_SPACE", Movement},
  };
  std::map<std::string, int> seen;
  for (const GoldenCase& c : ReadGoldenCases("tests/golden/operators.txt")) {
    const auto found = operators.find(c.fields.at("operator"));
    if (std::count(std::begin(kWithoutSpecification), std::end(kWithoutSpecification), c.fields.at("operator")) > 0) continue;
    ASSERT_NE(found, operators.end()) << c.name;
    EXPECT_EQ(found->second(c), c.Numbers("output").codes()) << c.name;
    ++seen[found->first];
  }
  for (const auto& named : operators) EXPECT_GE(seen[named.first], 6) << named.first;
}

// Scales that no kernel takes are refused, whichever operator forms them.
TEST(Constants, ScalesOutOfRange) {
  const Quantization one = {1.0f, 0}, tiny = {1e-9f, 0}, huge = {1e6f, 0}, nothing = {0.0f, 0};
  AddConstants add;
  MulConstants mul;
  PreluConstants prelu;
  MeanConstants mean;
  int8_t table[kCodes];
  for (const Quantization& output : {tiny, nothing}) {
    EXPECT_FALSE(MakeAddConstants(one, one, output, Activation::kNone, false, &add));
    EXPECT_FALSE(MakeMulConstants(one, one, output, Activation::kNone, &mul));
    EXPECT_FALSE(MakePreluConstants(one, 0.01f, output, &prelu));
    EXPECT_FALSE(MakeMeanConstants(one, output, 49, &mean));
    EXPECT_FALSE(ReluTable(Activation::kRelu, one, output, table));
    EXPECT_FALSE(AbsTable(one, output, table));
    EXPECT_FALSE(LeakyReluTable(0.1f, one, output, table));
    EXPECT_FALSE(LeakyReluTable(-0.1f, one, output, table));
    EXPECT_FALSE(RequantizeTable(one, output, table));
    EXPECT_FALSE(HardSwishTable(one, output, table));
  }
  EXPECT_FALSE(MakePreluConstants(one, 1e9f, one, &prelu));
  EXPECT_FALSE(MakeAddConstants(nothing, one, one, Activation::kNone, false, &add));
  EXPECT_FALSE(MakeMeanConstants(one, one, 0, &mean));
  EXPECT_FALSE(MakeMeanConstants(one, one, int64_t{1} << 40, &mean));
  EXPECT_FALSE(HardSwishTable(one, huge, table));
  EXPECT_FALSE(HardSwishTable(tiny, tiny, table));
  EXPECT_TRUE(RequantizeTable(one, huge, table));
}

// ln(200.5 / 55.5) is where 256 times LOGISTIC is 200.5, and 1/2 ln 3 where TANH is 1/2: of 65 codes that is 32.5.
TEST(Sigmoids, OfCodesHalfwayBetweenTwoHaveNoTable) {
  int8_t table[kCodes];
  EXPECT_FALSE(LogisticTable({1.2844312f / 100, 0}, {1.0f / 256, -128}, table));
  EXPECT_TRUE(LogisticTable({1.2846f / 100, 0}, {1.0f / 256, -128}, table));
  EXPECT_EQ(table[100 + 128], 73);
  EXPECT_FALSE(LogisticTable({0.05f, 0}, {1.0f / 128, -128}, table)) << "the reference wants 1/256";
  EXPECT_FALSE(TanhTable({0.54930614f / 64, 0}, {1.0f / 65, 0}, table));
  EXPECT_FALSE(TanhTable({0.54930614f / 64, 0}, {0.0f, 0}, table));
}

// -20 times -0.21875 is 4.375 and 17.5 / 4, 18 / 4 or 17 / 4: 2.14 makes 5 of it, LiteRT 2.3 makes 4.
TEST(LeakyRelu, OfANegativeSlopeThatRuntimesRoundDifferentlyHasNoTable) {
  int8_t table[kCodes];
  EXPECT_FALSE(LeakyReluTable(-0.21875f, {0.25f, -49}, {0.25f, -22}, table));
  EXPECT_TRUE(LeakyReluTable(0.21875f, {0.25f, -49}, {0.25f, -22}, table));
  EXPECT_TRUE(LeakyReluTable(-0.3f, {0.25f, -49}, {0.25f, -22}, table));
  EXPECT_EQ(table[-59 + 128], 3 - 22);
}

// EXP of ln 2 is 2, GELU of 1 is 0.8413447.
TEST(CertainTables, OfExponentialsAndGelusHalfwayBetweenTwoAreNone) {
  int8_t table[kCodes];
  EXPECT_FALSE(ExpTable({0.6931472f, 120}, {2.0f / 32.5f, -128}, table)) << "32.5 for a code of 121";
  EXPECT_TRUE(ExpTable({0.6931472f / 4, 100}, {2.0f / 32.4f, -128}, table));
  EXPECT_EQ(table[104 + 128], 32 - 128);
  EXPECT_EQ(table[127 + 128], 127);
  EXPECT_FALSE(ExpTable({0.5f, -128}, {1e-6f, 0}, table)) << "the reference converts what is no int32";
  for (const bool approximate : {false, true}) {
    EXPECT_TRUE(GeluTable(approximate, {1.0f / 64, 0}, {0.8413447f / 100.2f, -100}, table));
    EXPECT_EQ(table[64 + 128], 0);
    EXPECT_EQ(table[128], -100);
  }
  EXPECT_FALSE(GeluTable(false, {1.0f / 64, 0}, {0.8413447f / 100.5f, -100}, table));
}

// Where runtimes read beyond the image, and differ by what they find there: 513 rows from 33 take steps of 66 / 1024, which lead to
// row 33 where there are rows 0 to 32.
TEST(Resize, LeavesTheImageByRoundedSteps) {
  EXPECT_FALSE(StaysInside({33, 513, false, false}));
  EXPECT_FALSE(StaysInside({1, 292, false, false}));
  EXPECT_TRUE(StaysInside({33, 513, true, false}));
  EXPECT_TRUE(StaysInside({33, 257, false, false}));
  for (int input = 1; input < 120; ++input) {
    for (int output = 1; output <= 4 * input; ++output) {
      EXPECT_TRUE(StaysInside({input, output, false, false}) && StaysInside({input, output, true, false}) &&
                  StaysInside({input, output, false, true}))
          << input << " to " << output;
    }
  }
}

}  // namespace
}  // namespace tflite_eq
