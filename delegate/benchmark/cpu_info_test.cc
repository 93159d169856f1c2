// What is read from /proc/cpuinfo, on phones and on PCs.
#include "delegate/benchmark/cpu_info.h"

#include <string>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

TEST(WriteCpuInfo, ReadsModelAndFeatures) {
  struct Case {
    const char *text, *report;
  };
  const Case cases[] = {
      {"processor\t: 0\nFeatures\t: fp asimd aes\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\n"
       "processor\t: 1\nFeatures\t: fp asimd aes\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\n"
       "processor\t: 2\nFeatures\t: fp asimd asimdhp asimddp i8mm\nCPU implementer\t: 0x41\nCPU part\t: 0xd41\n\n"
       "processor\t: 3\nFeatures\t: fp asimd asimdhp asimddp i8mm\nCPU implementer\t: 0x51\nCPU part\t: 0x804\n",
       "model 2x Cortex-A55, 1x Cortex-A78, 1x implementer 0x51 part 0x804, features asimd asimdhp asimddp i8mm"},
      {"model name\t: Intel(R) Xeon(R) Processor\nflags\t\t: fpu avx avx2 avx512f avx512_vnni amx_tile amx_int8\n",
       "model Intel(R) Xeon(R) Processor, features avx2 avx512f avx512_vnni amx_int8"},
      {"flags\t: xavx2 avx2x sve2 avx512_vnni_b\nbugs: avx2\n", "model unknown, features sve2"},
      {"", "model unknown, features "},
      {"\n", "model unknown, features "},
      {":", "model unknown, features "},
      {"CPU part", "model 1x implementer 0x0 part 0x0, features "},
      {"CPU part\t:", "model 1x implementer 0x0 part 0x0, features "},
      {"flags", "model unknown, features "},
      {"model name\t:\n\n", "model unknown, features "},
      {"Features\t: asimd", "model unknown, features asimd"},
  };
  for (const Case& c : cases) {
    const std::string exact(c.text);  // on the heap, so that a sanitizer sees a read beyond it
    Report report;
    WriteCpuInfo(exact.c_str(), &report);
    EXPECT_STREQ(report.text(), c.report) << c.text;
  }
}

TEST(WriteCpu, KnowsThisMachine) {
  Report report;
  report.Object(nullptr, [&] { WriteCpu(&report); });
  const std::string text = report.text();
  EXPECT_NE(text.find("cores "), std::string::npos) << text;
  EXPECT_EQ(text.find("cores 0"), std::string::npos) << text;
  EXPECT_NE(text.find("isa: scalar"), std::string::npos) << text;
}

}  // namespace
}  // namespace tflite_eq
