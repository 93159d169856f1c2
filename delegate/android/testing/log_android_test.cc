// What reaches logcat; logcat is this file.
#include <android/log.h>

#include <string>
#include <vector>

#include "delegate/log.h"
#include "gtest/gtest.h"

namespace {

struct Entry {
  int priority;
  std::string tag;
  std::string text;
};
std::vector<Entry> logcat;

}  // namespace

extern "C" int __android_log_write(int priority, const char* tag, const char* text) {
  logcat.push_back({priority, tag, text});
  return 1;
}

namespace tflite_eq {
namespace {

TEST(LogAndroid, WritesOneEntryUnderTheDelegatesTag) {
  logcat.clear();
  Log(Severity::kInfo, "claimed %d of %s", 3, "five");
  Log(Severity::kError, "no %%");
  ASSERT_EQ(logcat.size(), 2u);
  EXPECT_EQ(logcat[0].priority, ANDROID_LOG_INFO);
  EXPECT_EQ(logcat[1].priority, ANDROID_LOG_ERROR);
  for (const Entry& entry : logcat) EXPECT_EQ(entry.tag, "tflite_eq");
  EXPECT_EQ(logcat[0].text, "claimed 3 of five");
  EXPECT_EQ(logcat[1].text, "no %");
}

TEST(LogAndroid, CutsWhatIsTooLong) {
  logcat.clear();
  Log(Severity::kInfo, "%s", std::string(kLongestLogLine + 500, 'x').c_str());
  ASSERT_EQ(logcat.size(), 1u);
  EXPECT_EQ(logcat[0].text, std::string(kLongestLogLine, 'x'));
}

}  // namespace
}  // namespace tflite_eq
