#include "delegate/log.h"

#include <string>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

TEST(Log, WritesOneLineToStderr) {
  testing::internal::CaptureStderr();
  Log(Severity::kInfo, "claimed %d of %s", 3, "five");
  Log(Severity::kError, "no %%");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "tflite_eq: claimed 3 of five\ntflite_eq: no %\n");
}

TEST(Log, CutsWhatIsTooLong) {
  testing::internal::CaptureStderr();
  Log(Severity::kInfo, "%s", std::string(kLongestLogLine + 500, 'x').c_str());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "tflite_eq: " + std::string(kLongestLogLine, 'x') + "\n");
}

}  // namespace
}  // namespace tflite_eq
