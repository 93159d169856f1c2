// What a report looks like, as text and as JSON.
#include "delegate/benchmark/report.h"

#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

TEST(Report, NestsAndSeparates) {
  Report report;
  EXPECT_STREQ(report.json(), "");
  Report elements(1);
  for (int i = 0; i < 2; ++i) {
    elements.Object(nullptr, [&] { elements.Fields("k", i, "l", "m"); });
  }
  report.Object(nullptr, [&] {
    report.Fields("a", 1, "b", true);
    EXPECT_STREQ(report.json(), "{\"a\": 1, \"b\": true");
    report.Array("c", [&] {
      report.Fields(nullptr, -2, nullptr, 0.5);
      report.Object(nullptr, [] {});
      report.Array(nullptr, [] {});
    });
    report.Fields("d", static_cast<const char*>(nullptr));
    report.Null("e");
    report.Object("f", [&] { report.Fields("g", int64_t{1} << 40, "h", "i"); });
    report.Shape("s", 1, 24, 3);
    report.Array("j", [&] { report.Elements(elements); });
    report.Array("none", [&] { report.Elements(Report(1)); });
  });
  EXPECT_STREQ(report.json(), "{\"a\": 1, \"b\": true, \"c\": [-2, 0.5, {}, []], \"d\": null, \"e\": null, "
                              "\"f\": {\"g\": 1099511627776, \"h\": \"i\"}, \"s\": [1, 24, 3], "
                              "\"j\": [{\"k\": 0, \"l\": \"m\"}, {\"k\": 1, \"l\": \"m\"}], \"none\": []}");
  EXPECT_STREQ(report.text(), "a 1, b true\n"
                              "c: -2, 0.5\n"
                              "  \n"
                              "  \n"
                              "d null, e null\n"
                              "f: g 1099511627776, h i\n"
                              "s 1x24x3\n"
                              "j:\n"
                              "  k 0, l m\n"
                              "  k 1, l m\n"
                              "none:");
  elements.Clear();
  EXPECT_STREQ(elements.json(), "");
  EXPECT_STREQ(elements.text(), "");
}

TEST(Report, StringsAreWhatJsonAndTerminalsAllow) {
  struct Case {
    const char *from, *json, *text;
  };
  const Case cases[] = {
      {"a\"b\\c\n\t\x01", R"("a\"b\\c\u000a\u0009\u0001")", R"(a\x22b\c\x0a\x09\x01)"},
      {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"", R"(\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80)"},
      {"a\xff", R"("a\ufffd")", R"(a\xff)"},
      {"\xc3", R"("\ufffd")", R"(\xc3)"},                                      // cut off
      {"\xe2\x82", R"("\ufffd\ufffd")", R"(\xe2\x82)"},                        // cut off
      {"\xc0\xaf", R"("\ufffd\ufffd")", R"(\xc0\xaf)"},                        // too long a form
      {"\xed\xa0\x80", R"("\ufffd\ufffd\ufffd")", R"(\xed\xa0\x80)"},          // a surrogate
      {"\xf5\x80\x80\x80", R"("\ufffd\ufffd\ufffd\ufffd")", R"(\xf5\x80\x80\x80)"},  // beyond U+10FFFF
  };
  for (const Case& c : cases) {
    Report report;
    report.Fields(nullptr, c.from);
    EXPECT_STREQ(report.json(), c.json);
    EXPECT_STREQ(report.text(), c.text);
  }
}

TEST(Report, NumbersThatJsonDoesNotHave) {
  using Limits = std::numeric_limits<double>;
  Report report;
  report.Array(nullptr, [&] {
    report.Fields(nullptr, Limits::quiet_NaN(), nullptr, Limits::infinity(), nullptr, std::numeric_limits<int64_t>::min());
  });
  EXPECT_STREQ(report.json(), "[null, null, -9223372036854775808]");
}

}  // namespace
}  // namespace tflite_eq
