// What is read from /proc/cpuinfo, on phones and on PCs.
#include "delegate/benchmark/cpu_info.h"

#include "delegate/kernels/cpu_features.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

TEST(ParseCpuInfo, CountsArmCoresByKind) {
  CpuInfo info;
  ParseCpuInfo(
      "processor\t: 0\nFeatures\t: fp asimd aes\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\n"
      "processor\t: 1\nFeatures\t: fp asimd aes\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\n"
      "processor\t: 2\nFeatures\t: fp asimd asimdhp asimddp i8mm\nCPU implementer\t: 0x41\nCPU part\t: 0xd41\n\n"
      "processor\t: 3\nFeatures\t: fp asimd asimdhp asimddp i8mm\nCPU implementer\t: 0x51\nCPU part\t: 0x804\n",
      &info);
  EXPECT_STREQ(info.model, "2x Cortex-A55, 1x Cortex-A78, 1x implementer 0x51 part 0x804");
  EXPECT_STREQ(info.features, "asimd asimdhp asimddp i8mm");
}

TEST(ParseCpuInfo, ReadsX86) {
  CpuInfo info;
  ParseCpuInfo("model name\t: Intel(R) Xeon(R) Processor\nflags\t\t: fpu avx avx2 avx512f avx512_vnni amx_tile amx_int8\n", &info);
  EXPECT_STREQ(info.model, "Intel(R) Xeon(R) Processor");
  EXPECT_STREQ(info.features, "avx2 avx512f avx512_vnni amx_int8");
}

TEST(ParseCpuInfo, WordsMustMatchWhole) {
  CpuInfo info;
  ParseCpuInfo("flags\t: xavx2 avx2x sve2 avx512_vnni_b\n", &info);
  EXPECT_STREQ(info.features, "sve2");
}

TEST(ParseCpuInfo, SurvivesAnything) {
  for (const char* text : {"", "\n", ":", "CPU part", "CPU part\t:", "flags", "model name\t:\n\n", "Features\t: asimd"}) {
    CpuInfo info;
    ParseCpuInfo(text, &info);
  }
}

TEST(ReadCpuInfo, KnowsThisMachine) {
  const CpuInfo info = ReadCpuInfo();
  EXPECT_GE(info.cores, 1);
  EXPECT_EQ(info.isa, CpuIsa());
}

}  // namespace
}  // namespace tflite_eq
