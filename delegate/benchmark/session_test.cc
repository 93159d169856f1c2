// Interpreters, inputs and options, on a runtime that is made up here: it has one input and one output, and fails where a test
// wants it to.
#include "delegate/benchmark/session.h"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "delegate/benchmark/first_run.h"
#include "delegate/benchmark/model_check.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

// Laid out as a TfLiteIntArray of four.
struct Shape {
  int size;
  int dims[4];
  const TfLiteIntArray* array() const { return reinterpret_cast<const TfLiteIntArray*>(this); }
};

// The made-up runtime's state.
struct Fake {
  Shape signature = {4, {1, 2, 2, 3}};
  Shape dims = {4, {1, 2, 2, 3}};
  TfLiteTensor input = {};
  TfLiteTensor output = {};
  std::vector<int8_t> memory = std::vector<int8_t>(1024);
  TfLiteErrorReporter reporter = nullptr;
  void* reporter_data = nullptr;
  bool invoke_fails = false;
  bool invoke_crashes = false;
  int interpreters = 0;
} fake;

void Report(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fake.reporter(fake.reporter_data, format, arguments);
  va_end(arguments);
}

TfliteCApi FakeApi() {
  fake = Fake();
  fake.input.type = kTfLiteInt8;
  fake.input.name = "serving:0";
  fake.input.bytes = 12;
  fake.input.data.raw = fake.memory.data();
  fake.input.dims = const_cast<TfLiteIntArray*>(fake.dims.array());
  fake.input.dims_signature = fake.signature.array();
  fake.output = fake.input;
  fake.output.name = "result";
  TfliteCApi api = {};
  api.ModelCreateFromFile = [](const char* path) {
    return *path != '\0' ? reinterpret_cast<TfLiteModel*>(&fake) : nullptr;
  };
  api.ModelDelete = [](TfLiteModel*) {};
  api.InterpreterOptionsCreate = [] { return reinterpret_cast<TfLiteInterpreterOptions*>(&fake); };
  api.InterpreterOptionsDelete = [](TfLiteInterpreterOptions*) {};
  api.InterpreterOptionsSetNumThreads = [](TfLiteInterpreterOptions*, int32_t) {};
  api.InterpreterOptionsSetErrorReporter = [](TfLiteInterpreterOptions*, TfLiteErrorReporter reporter, void* data) {
    fake.reporter = reporter;
    fake.reporter_data = data;
  };
  api.InterpreterCreate = [](const TfLiteModel*, const TfLiteInterpreterOptions*) {
    ++fake.interpreters;
    return reinterpret_cast<TfLiteInterpreter*>(&fake);
  };
  api.InterpreterDelete = [](TfLiteInterpreter*) { --fake.interpreters; };
  api.InterpreterGetInputTensorCount = [](const TfLiteInterpreter*) { return int32_t{1}; };
  api.InterpreterGetInputTensor = [](const TfLiteInterpreter*, int32_t) { return &fake.input; };
  api.InterpreterResizeInputTensor = [](TfLiteInterpreter*, int32_t, const int* dims, int32_t size) {
    if (size != 4) return kTfLiteError;
    std::copy_n(dims, 4, fake.dims.dims);
    fake.input.bytes = static_cast<size_t>(dims[0] * dims[1] * dims[2] * dims[3]);
    return kTfLiteOk;
  };
  api.InterpreterAllocateTensors = [](TfLiteInterpreter*) { return kTfLiteOk; };
  api.InterpreterInvoke = [](TfLiteInterpreter*) {
    if (fake.invoke_crashes) raise(SIGKILL);
    if (!fake.invoke_fails) return kTfLiteOk;
    Report("node %d is %s", 7, "broken");
    Report("and so is 8");
    return kTfLiteError;
  };
  api.InterpreterGetOutputTensorCount = [](const TfLiteInterpreter*) { return int32_t{1}; };
  api.InterpreterGetOutputTensor = [](const TfLiteInterpreter*, int32_t) {
    return const_cast<const TfLiteTensor*>(&fake.output);
  };
  return api;
}

class SessionTest : public testing::Test {
 protected:
  void Parse(const char* layer, const char* shape, const char* range) {
    Flags flags;
    flags.input_layer = layer;
    flags.input_layer_shape = shape;
    flags.input_layer_value_range = range;
    ASSERT_TRUE(inputs_.Parse(flags, &error_)) << error_.text;
  }
  SessionOptions Options() {
    SessionOptions options;
    options.api = &api_;
    options.graph = "m.tflite";
    options.inputs = &inputs_;
    return options;
  }
  void ExpectError(const char* part) {
    EXPECT_NE(std::string(error_.text).find(part), std::string::npos) << error_.text;
  }

  TfliteCApi api_ = FakeApi();
  InputOptions inputs_;
  Message error_;
  Session session_;
};

TEST_F(SessionTest, RunsAndCleansUp) {
  ASSERT_TRUE(session_.Open(Options(), &error_)) << error_.text;
  EXPECT_EQ(fake.interpreters, 1);
  EXPECT_TRUE(session_.Fill(1, &error_)) << error_.text;
  EXPECT_TRUE(session_.Invoke(&error_)) << error_.text;
  session_.Close();
  EXPECT_EQ(fake.interpreters, 0);
}

TEST_F(SessionTest, HandsOnWhatTheRuntimeSays) {
  ASSERT_TRUE(session_.Open(Options(), &error_));
  fake.invoke_fails = true;
  EXPECT_FALSE(session_.Invoke(&error_));
  EXPECT_STREQ(error_.text, "running the model failed: node 7 is broken; and so is 8");
}

TEST_F(SessionTest, RefusesAModelTheRuntimeDoesNotTake) {
  SessionOptions options = Options();
  options.graph = "";
  EXPECT_FALSE(session_.Open(options, &error_));
  ExpectError("the runtime does not take it for a valid model");
}

TEST_F(SessionTest, AsksForTheShapeThatAModelLeavesOpen) {
  fake.signature = {4, {-1, -1, 2, 3}};
  EXPECT_FALSE(session_.Open(Options(), &error_));
  ExpectError("input \"serving:0\" has no fixed shape, but [-1, -1, 2, 3]: give one, as in --input_layer=serving:0");
  Parse("serving:0", "1,5,2,3", "");
  EXPECT_TRUE(session_.Open(Options(), &error_)) << error_.text;
  EXPECT_EQ(fake.dims.dims[1], 5);
}

TEST_F(SessionTest, TakesAnOpenBatchAsOne) {
  fake.signature = {4, {-1, 2, 2, 3}};
  EXPECT_TRUE(session_.Open(Options(), &error_)) << error_.text;
}

TEST_F(SessionTest, RefusesShapesAndNamesThatDoNotFit) {
  Parse("serving:0", "1,5", "");
  EXPECT_FALSE(session_.Open(Options(), &error_));
  ExpectError("input \"serving:0\" cannot be given the shape");
  Parse("other", "1,2,2,3", "");
  EXPECT_FALSE(session_.Open(Options(), &error_));
  ExpectError("the model has no input \"other\"; it has \"serving:0\"");
}

TEST_F(SessionTest, FillsWithTheSameValuesForTheSameSeed) {
  ASSERT_TRUE(session_.Open(Options(), &error_));
  fake.input.bytes = 1000;
  ASSERT_TRUE(session_.Fill(1, &error_));
  const std::vector<int8_t> first = fake.memory;
  ASSERT_TRUE(session_.Fill(2, &error_));
  EXPECT_NE(fake.memory, first);
  ASSERT_TRUE(session_.Fill(1, &error_));
  EXPECT_EQ(fake.memory, first);
  EXPECT_EQ(*std::min_element(first.begin(), first.end()), -128);
  EXPECT_EQ(*std::max_element(first.begin(), first.end()), 127);
}

TEST_F(SessionTest, FillsWithinTheRangeAskedFor) {
  Parse("", "", "serving:0,-3,4");
  ASSERT_TRUE(session_.Open(Options(), &error_)) << error_.text;
  fake.input.bytes = 1000;
  ASSERT_TRUE(session_.Fill(1, &error_)) << error_.text;
  EXPECT_EQ(*std::min_element(fake.memory.begin(), fake.memory.begin() + 1000), -3);
  EXPECT_EQ(*std::max_element(fake.memory.begin(), fake.memory.begin() + 1000), 4);
  fake.input.type = kTfLiteUInt8;
  EXPECT_FALSE(session_.Fill(1, &error_));
  ExpectError("input \"serving:0\" holds values from 0 to 255");
}

TEST_F(SessionTest, FillsEveryTypeItKnows) {
  ASSERT_TRUE(session_.Open(Options(), &error_));
  fake.input.bytes = 1024;
  for (int type : {kTfLiteFloat32, kTfLiteInt8, kTfLiteUInt8, kTfLiteInt16, kTfLiteInt32, kTfLiteInt64, kTfLiteBool}) {
    fake.input.type = type;
    EXPECT_TRUE(session_.Fill(1, &error_)) << error_.text;
  }
  for (int32_t index = 0; index < 128; ++index) EXPECT_TRUE(fake.memory[index] == 0 || fake.memory[index] == 1);
  fake.input.type = 5;  // string
  EXPECT_FALSE(session_.Fill(1, &error_));
  ExpectError("is of type 5; only float32, int8");
  fake.input.type = kTfLiteInt8;
  fake.input.data.raw = nullptr;
  EXPECT_FALSE(session_.Fill(1, &error_));
  ExpectError("has no memory");
}

// Two sessions share the one output here: the second's is looked at elsewhere in memory.
TEST_F(SessionTest, OutputsAreComparedByteByByte) {
  TfliteCApi elsewhere = api_;
  Session other;
  ASSERT_TRUE(session_.Open(Options(), &error_) && other.Open(Options(), &error_));
  EXPECT_EQ(CompareOutputs(session_, other, &error_).different, 0);
  EXPECT_EQ(CompareOutputs(session_, other, &error_).all, 12);
  EXPECT_STREQ(error_.text, "");
  elsewhere.InterpreterGetOutputTensor = [](const TfLiteInterpreter*, int32_t) {
    static TfLiteTensor tensor;
    tensor = fake.output;
    tensor.data.raw = fake.memory.data() + 512;
    return const_cast<const TfLiteTensor*>(&tensor);
  };
  SessionOptions options = Options();
  options.api = &elsewhere;
  ASSERT_TRUE(other.Open(options, &error_));
  fake.memory[5] = 9;
  fake.memory[7] = 9;
  EXPECT_EQ(CompareOutputs(session_, other, &error_).different, 2);
  EXPECT_STREQ(error_.text, "output 0 (result), code 5: 9 instead of 0");
}

TEST_F(SessionTest, FirstRunIsMeasuredInAProcessOfItsOwn) {
  FirstRun run;
  EXPECT_EQ(MeasureFirstRun(Options(), 1, &run, &error_), kExitOk) << error_.text;
  EXPECT_GT(run.total(), 0);
  EXPECT_GT(run.growth.resident, -(1 << 20));
  EXPECT_EQ(fake.interpreters, 0) << "the interpreter was the child's";
}

TEST_F(SessionTest, ACrashOfTheRuntimeIsAnError) {
  fake.invoke_crashes = true;
  FirstRun run;
  EXPECT_EQ(MeasureFirstRun(Options(), 1, &run, &error_), kExitRunFailed);
  EXPECT_STREQ(error_.text, "the runtime crashed (Killed) while running the model");
}

TEST_F(SessionTest, AFailureOfTheRuntimeIsAnError) {
  fake.invoke_fails = true;
  FirstRun run;
  EXPECT_EQ(MeasureFirstRun(Options(), 1, &run, &error_), kExitBadInput);
  ExpectError("node 7 is broken");
}

TEST(InputOptions, RefusesBadFlags) {
  struct Case {
    const char* layer;
    const char* shape;
    const char* range;
    const char* message;
  };
  const Case cases[] = {
      {"a", "1,x", "", "\"x\" does not begin with one to 8 sizes"},
      {"a", "0", "", "does not begin with"},
      {"a", "1,2,3,4,5,6,7,8,9", "", "does not begin with"},
      {"a,b", "1,2", "", "more names than shapes"},
      {"a", "1:2", "", "more shapes than names"},
      {"", "", "a", "\"a\" is not of the form"},
      {"", "", "a,1", "is not of the form"},
      {"", "", "a,2,1", "is not of the form"},
      {"", "", "a,0,1:b", "\"b\" is not of the form"},
      {"", "", "a,nan,1", "is not of the form"},
  };
  for (const Case& c : cases) {
    Flags flags;
    flags.input_layer = c.layer;
    flags.input_layer_shape = c.shape;
    flags.input_layer_value_range = c.range;
    InputOptions inputs;
    Message error;
    EXPECT_FALSE(inputs.Parse(flags, &error)) << c.shape << c.range;
    EXPECT_NE(std::string(error.text).find(c.message), std::string::npos) << error.text;
  }
}

TEST(DelegateOptions, ParsesAndReplaces) {
  DelegateOptions options;
  Message error;
  ASSERT_TRUE(options.Parse("isa:neon;kernel:direct;isa:scalar;path:/a:b;", &error)) << error.text;
  DelegateOptions more(options);
  more.Set("verify", "1");
  ASSERT_EQ(options.size(), 3u);
  ASSERT_EQ(more.size(), 4u);
  EXPECT_STREQ(more.keys()[0], "isa");
  EXPECT_STREQ(more.values()[0], "scalar");
  EXPECT_STREQ(more.values()[2], "/a:b");
  EXPECT_TRUE(more.Has("verify"));
  EXPECT_FALSE(more.Has("profile"));
  for (const char* text : {"isa", ":1", ";"}) EXPECT_FALSE(DelegateOptions().Parse(text, &error)) << text;
  EXPECT_FALSE(DelegateOptions().Parse(std::string(5000, 'a').c_str(), &error));
}

TEST(SharedLibrary, SaysWhatIsWrongWithAFile) {
  SharedLibrary library;
  Message error;
  for (const auto& [path, reason] : {std::pair("/nonexistent.so", "No such file or directory"), std::pair("/", "Is a directory"),
                                     std::pair("/dev/null", "not a file")}) {
    EXPECT_FALSE(library.Open(path, "runtime_library", &error));
    EXPECT_EQ(error.text, std::string("--runtime_library=") + path + ": " + reason);
  }
  for (const char* content : {"", "#!", "This is long enough for the header of a library, but holds something else."}) {
    const std::string path = testing::TempDir() + "library.so";
    std::ofstream(path) << content;
    EXPECT_FALSE(library.Open(path.c_str(), "runtime_library", &error));
    EXPECT_EQ(error.text, "--runtime_library=" + path + (*content != '\0' ? ": not a shared library (ELF)" : ": the file is empty"));
  }
}

}  // namespace
}  // namespace tflite_eq
