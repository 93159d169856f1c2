#include "delegate/quoted.h"

#include <string>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

std::string Quote(const std::string& text) { return Quoted(text.c_str()).text; }

TEST(Quoted, KeepsPlainText) {
  EXPECT_EQ(Quote(""), "");
  EXPECT_EQ(Quote("winograd_f43"), "winograd_f43");
  EXPECT_EQ(Quote(std::string(40, 'a')), std::string(40, 'a'));
}

TEST(Quoted, StaysOnOneLineOfAscii) {
  EXPECT_EQ(Quote("a\nb\t\x7f"), "a\\x0ab\\x09\\x7f");
  EXPECT_EQ(Quote("\xe2\x82\xac \xff"), "\\xe2\\x82\\xac \\xff");
  EXPECT_EQ(Quote("say \"yes\""), "say \\x22yes\\x22");
}

TEST(Quoted, LeavesOutWhatIsTooLong) {
  EXPECT_EQ(Quote(std::string(41, 'a')), std::string(40, 'a') + "...");
  // An escape is whole or absent.
  EXPECT_EQ(Quote(std::string(37, 'a') + "\n"), std::string(37, 'a') + "...");
  EXPECT_EQ(Quote(std::string(36, 'a') + "\n"), std::string(36, 'a') + "\\x0a");
  EXPECT_EQ(Quote(std::string(10000, '\n')).size(), 43u);
  EXPECT_EQ(std::string(Quoted(std::string(1000, 'a').c_str(), 1000).text), std::string(200, 'a') + "...");
}

}  // namespace
}  // namespace tflite_eq
