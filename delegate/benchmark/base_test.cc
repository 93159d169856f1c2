// Statistics, JSON and random numbers.
#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "delegate/benchmark/json_writer.h"
#include "delegate/benchmark/random.h"
#include "delegate/benchmark/statistics.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

Summary Of(std::initializer_list<double> values) {
  List<double> list;
  for (double value : values) list.Add(value);
  return Summarize(&list);
}

TEST(Summarize, OddAndEvenCounts) {
  const Summary odd = Of({9, 1, 2});
  EXPECT_EQ(odd.count, 3);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.median, 2);
  EXPECT_EQ(odd.max, 9);
  EXPECT_DOUBLE_EQ(odd.mean, 4);
  EXPECT_DOUBLE_EQ(odd.deviation, std::sqrt((25.0 + 9 + 4) / 3));
  EXPECT_EQ(Of({4, 1, 3, 2}).median, 2.5);
}

TEST(Summarize, OneAndNone) {
  const Summary one = Of({7});
  EXPECT_EQ(one.min, 7);
  EXPECT_EQ(one.median, 7);
  EXPECT_EQ(one.deviation, 0);
  EXPECT_EQ(Of({}).count, 0);
  EXPECT_EQ(Of({}).median, 0);
}

TEST(List, KeepsWhatOutgrowsIt) {
  List<int> list;
  for (int i = 0; i < 1000; ++i) list.Add(i);
  ASSERT_EQ(list.size(), 1000);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(list[i], i);
}

TEST(JsonWriter, NestsAndSeparates) {
  JsonWriter json;
  json.Object([&] {
    json.Fields("a", 1);
    json.Array("b", [&] {
      json.Integer(-2);
      json.Object([] {});
      json.Array([] {});
      json.Number(0.5);
    });
    json.Fields("c", true, "d", static_cast<const char*>(nullptr));
    json.Null("e");
    json.Object("f", [&] { json.Fields("g", int64_t{1} << 40, "h", "i"); });
  });
  EXPECT_STREQ(json.text(), "{\"a\": 1, \"b\": [-2, {}, [], 0.5], \"c\": true, \"d\": null, "
                            "\"e\": null, \"f\": {\"g\": 1099511627776, \"h\": \"i\"}}");
}

TEST(JsonWriter, TextCanBeAskedForOnTheWay) {
  JsonWriter json;
  EXPECT_STREQ(json.text(), "");
  json.Array([&] {
    EXPECT_STREQ(json.text(), "[");
    json.Integer(1);
  });
  EXPECT_STREQ(json.text(), "[1]");
}

std::string Written(const char* text) {
  JsonWriter json;
  json.String(text);
  return json.text();
}

TEST(JsonWriter, EscapesWhatJsonForbids) {
  EXPECT_EQ(Written("a\"b\\c\n\t\x01"), R"("a\"b\\c\u000a\u0009\u0001")");
  EXPECT_EQ(Written("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

TEST(JsonWriter, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(Written("a\xff"), "\"a\\ufffd\"");
  EXPECT_EQ(Written("\xc3"), "\"\\ufffd\"") << "cut off";
  EXPECT_EQ(Written("\xe2\x82"), "\"\\ufffd\\ufffd\"") << "cut off";
  EXPECT_EQ(Written("\xc0\xaf"), "\"\\ufffd\\ufffd\"") << "too long a form";
  EXPECT_EQ(Written("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"") << "a surrogate";
  EXPECT_EQ(Written("\xf5\x80\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\"") << "beyond U+10FFFF";
}

TEST(JsonWriter, NumbersThatJsonDoesNotHave) {
  JsonWriter json;
  json.Array([&] {
    json.Number(std::numeric_limits<double>::quiet_NaN());
    json.Number(std::numeric_limits<double>::infinity());
    json.Integer(std::numeric_limits<int64_t>::min());
  });
  EXPECT_STREQ(json.text(), "[null, null, -9223372036854775808]");
}

TEST(Random, SameSeedSameNumbers) {
  Random first(5), second(5), other(6);
  for (int i = 0; i < 100; ++i) {
    const uint64_t number = first.Next();
    EXPECT_EQ(number, second.Next());
    EXPECT_NE(number, other.Next());
  }
}

TEST(Random, ReachesBothEndsAndNothingBeyond) {
  Random random(1);
  std::set<int64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.Integer(-3, 4));
  EXPECT_EQ(seen, (std::set<int64_t>{-3, -2, -1, 0, 1, 2, 3, 4}));
  EXPECT_EQ(random.Integer(7, 7), 7);
  for (int i = 0; i < 1000; ++i) {
    const double real = random.Real(-2, 3);
    EXPECT_TRUE(real >= -2 && real < 3) << real;
  }
}

}  // namespace
}  // namespace tflite_eq
