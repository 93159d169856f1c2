// Every option, good and bad, as strings and through the C API.
#include "delegate/options.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

bool Parse(const char* key, const char* value, DelegateOptions* options, std::string* error) {
  Reason reason;
  const bool good = ParseOptions(&key, &value, 1, options, &reason);
  *error = reason.text;
  return good;
}

TEST(ParseOptions, TakesEveryOption) {
  const char* keys[] = {"num_threads", "kernel", "isa", "verify", "require_delegation", "log_level", "profile", "reference_in_place",
                        "leave", "claim", "min_saving", "fuse"};
  const char* values[] = {"3", "winograd_1d", "scalar", "1", "true", "2", "false", "1", "^conv1", "conv(2|3)$", "4500", "0"};
  DelegateOptions options;
  Reason error;
  ASSERT_TRUE(ParseOptions(keys, values, 12, &options, &error)) << error.text;
  EXPECT_EQ(options.num_threads, 3);
  EXPECT_FALSE(options.any_kernel);
  EXPECT_EQ(options.kernel, Algorithm::kWinograd1d);
  EXPECT_FALSE(options.any_isa);
  EXPECT_EQ(options.isa, Isa::kScalar);
  EXPECT_TRUE(options.verify);
  EXPECT_TRUE(options.require_delegation);
  EXPECT_EQ(options.log_level, 2);
  EXPECT_FALSE(options.profile);
  EXPECT_TRUE(options.reference_in_place);
  EXPECT_STREQ(options.leave.text(), "^conv1");
  EXPECT_STREQ(options.claim.text(), "conv(2|3)$");
  EXPECT_EQ(options.min_saving, 4500);
  EXPECT_FALSE(options.fuse);
}

TEST(ParseOptions, MinSavingIsTheCpusUnlessItIsSet) {
  DelegateOptions options;
  std::string error;
  EXPECT_EQ(options.min_saving, DelegateOptions::kAutomatic);
  ASSERT_TRUE(Parse("min_saving", "0", &options, &error));
  EXPECT_EQ(options.min_saving, 0);
  ASSERT_TRUE(Parse("min_saving", "auto", &options, &error));
  EXPECT_EQ(options.min_saving, DelegateOptions::kAutomatic);
}

TEST(ParseOptions, TakesEveryKernelByName) {
  for (const char* name : {"winograd_f43", "winograd_f23", "winograd_1d", "direct", "reference"}) {
    DelegateOptions options;
    std::string error;
    ASSERT_TRUE(Parse("kernel", name, &options, &error)) << error;
    EXPECT_STREQ(AlgorithmName(options.kernel), name);
  }
  DelegateOptions options;
  std::string error;
  ASSERT_TRUE(Parse("kernel", "auto", &options, &error));
  EXPECT_TRUE(options.any_kernel);
}

TEST(ParseOptions, NamesWhatIsWrongAndWhatIsAllowed) {
  struct Case {
    const char* key;
    const char* value;
    const char* message;
  };
  const Case cases[] = {
      {"min_saving", "-1", "option min_saving: \"-1\" is neither auto nor an integer from 0 to 1000000000 (thousands of"},
      {"leave", "conv(", "option leave: \"conv(\" has, at character 6, a ( without its )"},
      {"claim", "a{2}", "option claim: \"a{2}\" has, at character 2, a repetition count"},
      {"num_threads", "", "option num_threads: \"\" is not an integer from 0 to 256"},
      {"num_threads", "2x", "option num_threads: \"2x\" is not an integer from 0 to 256"},
      {"num_threads", "-1", "option num_threads: \"-1\" is not an integer from 0 to 256"},
      {"num_threads", "99999999999999999999", "is not an integer from 0 to 256"},
      {"kernel", "fast", "is none of auto, winograd_f43, winograd_f23, winograd_1d, direct_int7, direct, depthwise, reference"},
      {"kernel", "fast\n\xff", "option kernel: \"fast\\x0a\\xff\" is none of auto"},
      {"a_name_that_is_much_longer_than_any_option", "1", "reference_in_place, leave, claim, min_saving"},
      {"isa", "sse2", "is none of auto, scalar, avx2, avx512_vnni, neon, neon_dotprod, neon_i8mm"},
      {"verify", "yes", "option verify: \"yes\" is none of 0, 1, false, true"},
      {"log_level", "3", "option log_level: \"3\" is not an integer from 0 to 2"},
      {"Verify", "1", "unknown option \"Verify\"; there are num_threads"},
  };
  for (const Case& c : cases) {
    DelegateOptions options;
    std::string error;
    EXPECT_FALSE(Parse(c.key, c.value, &options, &error));
    EXPECT_NE(error.find(c.message), std::string::npos) << error;
  }
}

TEST(ParseOptions, SurvivesMissingStrings) {
  DelegateOptions options;
  std::string error;
  EXPECT_FALSE(Parse(nullptr, "1", &options, &error));
  EXPECT_EQ(error, "option 0 has no name");
  EXPECT_FALSE(Parse("verify", nullptr, &options, &error));
  EXPECT_EQ(error, "option 0 has no value");
}

TEST(OptionsFromC, ChecksRanges) {
  TfLiteEqDelegateOptions c = {};
  c.struct_size = sizeof(c);
  DelegateOptions options;
  Reason error;
  EXPECT_TRUE(OptionsFromC(c, &options, &error)) << "null names mean auto";
  EXPECT_TRUE(options.any_kernel && options.any_isa);
  EXPECT_EQ(options.min_saving, DelegateOptions::kAutomatic);
  EXPECT_FALSE(options.leave.given() || options.claim.given());
  c.min_saving = -1;
  c.leave = "a|b";
  EXPECT_TRUE(OptionsFromC(c, &options, &error));
  EXPECT_EQ(options.min_saving, 0);
  EXPECT_STREQ(options.leave.text(), "a|b");
  c.claim = "(";
  EXPECT_FALSE(OptionsFromC(c, &options, &error));
  c.claim = nullptr;
  c.min_saving = 1000000001;
  EXPECT_FALSE(OptionsFromC(c, &options, &error));
  c.min_saving = 0;
  c.num_threads = -3;
  EXPECT_FALSE(OptionsFromC(c, &options, &error));
  c.num_threads = 1;
  c.log_level = 9;
  EXPECT_FALSE(OptionsFromC(c, &options, &error));
  c.log_level = 0;
  c.kernel = "nothing";
  EXPECT_FALSE(OptionsFromC(c, &options, &error));
}

TEST(OptionsFromC, ReadsNothingBehindASizeItDoesNotKnow) {
  // As short as the size says: a sanitizer sees any further read.
  const auto size = std::make_unique<size_t>();
  for (size_t wrong : {size_t{0}, size_t{1}, size_t{40}, size_t{48}, size_t{256}, sizeof(TfLiteEqDelegateOptions) - 8,
                       sizeof(TfLiteEqDelegateOptions) + 8, ~size_t{0}}) {
    *size = wrong;
    DelegateOptions options;
    Reason error;
    EXPECT_FALSE(OptionsFromC(*reinterpret_cast<const TfLiteEqDelegateOptions*>(size.get()), &options, &error)) << wrong;
    EXPECT_NE(std::string(error.text).find("start from TfLiteEqDelegateOptionsDefault()"), std::string::npos) << error.text;
  }
}

// The layout before there was a size began with the number of threads, padded to eight bytes.
TEST(OptionsFromC, RefusesEveryCallerOfTheLayoutWithoutASize) {
  for (size_t threads = 0; threads <= 256; ++threads) {
    TfLiteEqDelegateOptions c = {};
    c.struct_size = threads;
    DelegateOptions options;
    Reason error;
    EXPECT_FALSE(OptionsFromC(c, &options, &error)) << threads;
  }
}

TEST(OptionsFromC, RefusesOptionsOfALaterHeader) {
  TfLiteEqDelegateOptions c = {};
  c.struct_size = sizeof(c);
  c.reserved[sizeof(c.reserved) / sizeof(c.reserved[0]) - 1] = 1;
  DelegateOptions options;
  Reason error;
  EXPECT_FALSE(OptionsFromC(c, &options, &error));
  EXPECT_NE(std::string(error.text).find("one is set that tflite_eq"), std::string::npos) << error.text;
}

}  // namespace
}  // namespace tflite_eq
