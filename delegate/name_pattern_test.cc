// Which layers an option's regular expression means, against the C library's on expressions that it can be trusted with; and that no
// expression takes long.
#include "delegate/name_pattern.h"

#include <regex.h>
#include <time.h>

#include <random>
#include <string>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

bool Matches(const std::string& expression, const std::string& name) {
  NamePattern pattern;
  Reason error;
  EXPECT_TRUE(pattern.Set("leave", expression.c_str(), &error)) << error.text;
  NameMatcher matcher;
  EXPECT_TRUE(matcher.Compile(pattern));
  const bool found = matcher.Matches(name.c_str());
  EXPECT_EQ(matcher.matches(), found ? 1 : 0);
  return found;
}

std::string Refusal(const std::string& expression) {
  NamePattern pattern;
  Reason error;
  EXPECT_FALSE(pattern.Set("claim", expression.c_str(), &error)) << expression;
  EXPECT_FALSE(pattern.given());
  return error.text;
}

TEST(NamePattern, MatchesAnywhereUnlessTiedDown) {
  EXPECT_TRUE(Matches("conv2", "model/conv2/Relu;bias"));
  EXPECT_FALSE(Matches("^conv2", "model/conv2/Relu;bias"));
  EXPECT_TRUE(Matches("^model/(conv1|conv2)/.*bias$", "model/conv2/Relu;bias"));
  EXPECT_TRUE(Matches("^(a|b|c|d)$", "c"));
  EXPECT_FALSE(Matches("^(a|b|c|d)$", "e"));
  EXPECT_TRUE(Matches("block[0-9]+", "block12"));
  EXPECT_FALSE(Matches("block[0-9]+$", "block12_"));
  EXPECT_TRUE(Matches("a\\{2}", "a{2}"));
  EXPECT_TRUE(Matches("^[]{-}]$", "]"));
  EXPECT_TRUE(Matches("()", ""));
}

TEST(NamePattern, AgreesWithTheCLibrary) {
  std::mt19937 random(1);
  const auto pick = [&random](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const char* const atoms[] = {"a", "b", "c", ".", "[ab]", "[^a]", "[a-b]", "(a|bc)", "(ab)", "(a|b|c)", "(a*b|c)", "\\."};
  const char* const repetitions[] = {"", "", "", "*", "+", "?"};
  int found = 0;
  constexpr int kCases = 20000;
  for (int i = 0; i < kCases; ++i) {
    std::string expression = pick(4) == 0 ? "^" : "";
    for (int terms = 1 + pick(5); terms > 0; --terms) {
      expression += atoms[pick(12)];
      expression += repetitions[pick(6)];
      if (terms > 1 && pick(5) == 0) expression += "|";
    }
    if (pick(4) == 0) expression += "$";
    std::string name;
    for (int length = pick(8); length > 0; --length) name += "abc."[pick(4)];
    regex_t regex;
    ASSERT_EQ(regcomp(&regex, expression.c_str(), REG_EXTENDED | REG_NOSUB), 0) << expression;
    const bool expected = regexec(&regex, name.c_str(), 0, nullptr, 0) == 0;
    regfree(&regex);
    ASSERT_EQ(Matches(expression, name), expected) << expression << " on " << name;
    found += expected;
  }
  EXPECT_GT(found, kCases / 10);
  EXPECT_LT(found, kCases * 9 / 10);
}

TEST(NamePattern, EmptyIsNone) {
  NamePattern pattern;
  Reason error;
  ASSERT_TRUE(pattern.Set("leave", "", &error));
  EXPECT_FALSE(pattern.given());
  NameMatcher matcher;
  ASSERT_TRUE(matcher.Compile(pattern));
  EXPECT_FALSE(matcher.Matches(""));
}

TEST(NamePattern, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(Refusal("conv(1"), "option claim: \"conv(1\" has, at character 7, a ( without its ); \\( is the character");
  EXPECT_EQ(Refusal("a)"), "option claim: \"a)\" has, at character 2, a ) without its (; \\) is the character");
  EXPECT_EQ(Refusal("[a-"), "option claim: \"[a-\" has, at character 1, a [ without its ]; \\[ is the character");
  EXPECT_EQ(Refusal("((a{255}){255}){255}"),
            "option claim: \"((a{255}){255}){255}\" has, at character 4, a repetition count, which is not supported: use + or *, or "
            "write it out; \\{ is the character");
  EXPECT_EQ(Refusal("(a)\\1"),
            "option claim: \"(a)\\1\" has, at character 4, a back-reference, which is not supported: write out what it repeats");
  EXPECT_NE(Refusal("a\\").find("a \\ before nothing"), std::string::npos);
  EXPECT_NE(Refusal("a|*").find("a repetition of nothing"), std::string::npos);
  EXPECT_NE(Refusal("a++").find("a repetition of a repetition"), std::string::npos);
  EXPECT_NE(Refusal("[[:digit:]]").find("a named class of characters"), std::string::npos);
  EXPECT_NE(Refusal(std::string(33, '(') + std::string(33, ')')).find("too many parentheses"), std::string::npos);
  EXPECT_NE(Refusal(std::string(1024, 'a')).find("has 1024 characters; a regular expression may have 1023"), std::string::npos);
}

TEST(NamePattern, SaysWhatToWriteInsteadEvenOfTheLongestExpression) {
  const std::string remedy = "a \\ before a letter, which is not supported: write [0-9] for \\d, [A-Za-z0-9_] for \\w, [ ] for \\s";
  EXPECT_EQ(Refusal("conv\\d"), "option claim: \"conv\\d\" has, at character 5, " + remedy);
  const std::string longest = Refusal(std::string(1021, 'a') + "\\w");
  ASSERT_GT(longest.size(), remedy.size());
  EXPECT_EQ(longest.substr(longest.size() - remedy.size()), remedy);
  // Which does mean it.
  EXPECT_TRUE(Matches("^conv[0-9]$", "conv7"));
  EXPECT_TRUE(Matches("^[A-Za-z0-9_]+$", "Conv_7"));
  EXPECT_TRUE(Matches("^a[ ]b$", "a b"));
  EXPECT_TRUE(Matches("^(a+)*$", "aaa"));
}

// The C library needs seconds to hours for these.
TEST(NamePattern, NoExpressionTakesLong) {
  std::string nested(32, '(');
  while (nested.size() < 900) nested += "a+";
  for (int i = 0; i < 32; ++i) nested += i % 2 == 0 ? ")*" : ")+";
  std::string alternatives = "^(";
  while (alternatives.size() < 1000) alternatives += "ab|a|";
  const std::string name(5000, 'a');
  const clock_t start = clock();
  EXPECT_FALSE(Matches("^" + nested + "$", name + "b"));
  EXPECT_FALSE(Matches(alternatives + "a)+$", name + "c"));
  EXPECT_TRUE(Matches(std::string(1023, '|'), name));
  EXPECT_LT(clock() - start, 20 * CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace tflite_eq
