// The command line, good and bad.
#include "delegate/benchmark/flags.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

bool Parse(std::vector<const char*> arguments, Flags* flags, std::string* error) {
  arguments.insert(arguments.begin(), "eq_benchmark");
  Message message;
  const bool good = ParseFlags(static_cast<int>(arguments.size()), arguments.data(), flags, &message);
  *error = message.text;
  return good;
}

TEST(ParseFlags, TakesEveryFlagOfAModel) {
  Flags flags;
  std::string error;
  ASSERT_TRUE(Parse({"--graph=m.tflite", "--runtime_library=rt.so", "--external_delegate_path=d.so",
                     "--external_delegate_options=isa:neon;verify:1", "--input_layer=a", "--input_layer_shape=1,2",
                     "--input_layer_value_range=a,0,1", "--enable_op_profiling=true", "--num_threads=4", "--num_runs=7",
                     "--warmup_runs=0", "--min_secs=0.5", "--max_secs=9", "--seed=3", "--verify"},
                    &flags, &error))
      << error;
  EXPECT_STREQ(flags.graph, "m.tflite");
  EXPECT_STREQ(flags.runtime_library, "rt.so");
  EXPECT_STREQ(flags.external_delegate_path, "d.so");
  EXPECT_STREQ(flags.external_delegate_options, "isa:neon;verify:1");
  EXPECT_STREQ(flags.input_layer, "a");
  EXPECT_STREQ(flags.input_layer_shape, "1,2");
  EXPECT_STREQ(flags.input_layer_value_range, "a,0,1");
  EXPECT_TRUE(flags.enable_op_profiling);
  EXPECT_EQ(flags.num_threads, 4);
  EXPECT_EQ(flags.num_runs, 7);
  EXPECT_EQ(flags.warmup_runs, 0);
  EXPECT_EQ(flags.min_secs, 0.5);
  EXPECT_EQ(flags.max_secs, 9);
  EXPECT_EQ(flags.seed, 3);
  EXPECT_TRUE(flags.verify);
  EXPECT_FALSE(flags.layers);
}

TEST(ParseFlags, TakesLayersWithAndWithoutAList) {
  std::string error;
  Flags all, some, none;
  ASSERT_TRUE(Parse({"--layers", "--kernel=direct", "--isa=scalar"}, &all, &error)) << error;
  EXPECT_TRUE(all.layers);
  EXPECT_STREQ(all.layer_list, "");
  EXPECT_STREQ(all.kernel, "direct");
  EXPECT_STREQ(all.isa, "scalar");
  ASSERT_TRUE(Parse({"--layers=56x64x64,7x8x9x1x2"}, &some, &error)) << error;
  EXPECT_TRUE(some.layers);
  EXPECT_STREQ(some.layer_list, "56x64x64,7x8x9x1x2");
  ASSERT_TRUE(Parse({"--layers=false", "--graph=m", "--runtime_library=r"}, &none, &error)) << error;
  EXPECT_FALSE(none.layers);
}

TEST(ParseFlags, TakesBooleansInEveryForm) {
  for (const char* text : {"--verify", "--verify=true", "--verify=1", "--verify=false", "--verify=0"}) {
    Flags flags;
    std::string error;
    ASSERT_TRUE(Parse({"--layers", text}, &flags, &error)) << error;
    EXPECT_EQ(flags.verify, strpbrk(text + 8, "f0") == nullptr) << text;
  }
}

TEST(ParseFlags, HelpNeedsNothingElse) {
  Flags flags;
  std::string error;
  EXPECT_TRUE(Parse({"--help"}, &flags, &error)) << error;
  EXPECT_TRUE(flags.help);
}

TEST(ParseFlags, NamesWhatIsWrong) {
  struct Case {
    std::vector<const char*> arguments;
    const char* message;
  };
  const Case cases[] = {
      {{}, "what shall be timed?"},
      {{"model.tflite"}, "\"model.tflite\" is no flag"},
      {{"-graph=m"}, "is no flag"},
      {{"--graf=m"}, "unknown flag --graf"},
      {{"--graph"}, "--graph: a value is missing"},
      {{"--graph="}, "--graph: a value is missing"},
      {{"--graph=m"}, "--graph needs --runtime_library"},
      {{"--layers", "--num_runs=0"}, "--num_runs=0: an integer from 1 to 1000000 is needed"},
      {{"--layers", "--num_runs=2.5"}, "--num_runs=2.5: an integer"},
      {{"--layers", "--num_runs=2x"}, "--num_runs=2x: an integer"},
      {{"--layers", "--num_runs"}, "--num_runs=: an integer"},
      {{"--layers", "--num_threads=257"}, "--num_threads=257: an integer from 1 to 256 is needed"},
      {{"--layers", "--seed=-1"}, "--seed=-1: an integer from 0"},
      {{"--layers", "--min_secs=nan"}, "--min_secs=nan: a number from 0"},
      {{"--layers", "--min_secs=9", "--max_secs=1"}, "--min_secs=9 is more than --max_secs=1"},
      {{"--layers", "--verify=yes"}, "--verify=yes: true or false is needed"},
      {{"--layers", "--graph=m"}, "--layers times single convolutions"},
      {{"--layers", "--enable_op_profiling"}, "--layers times single convolutions"},
      {{"--graph=m", "--runtime_library=r", "--isa=neon"}, "--kernel and --isa belong to --layers"},
      {{"--graph=m", "--runtime_library=r", "--verify"}, "--verify without --external_delegate_path"},
      {{"--graph=m", "--runtime_library=r", "--external_delegate_options=a:b"}, "without --external_delegate_path"},
      {{"--graph=m", "--runtime_library=r", "--input_layer=a"}, "go together"},
  };
  for (const Case& c : cases) {
    Flags flags;
    std::string error;
    EXPECT_FALSE(Parse(c.arguments, &flags, &error)) << c.message;
    EXPECT_NE(error.find(c.message), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace tflite_eq
