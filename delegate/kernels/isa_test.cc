// Sets of capabilities, and the names of some.
#include "delegate/kernels/isa.h"

#include <string>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

TEST(IsaName, IsTakenBack) {
  for (Isa isa : kIsas) {
    Isa found;
    ASSERT_TRUE(IsaFromName(IsaName(isa), &found)) << IsaName(isa);
    EXPECT_EQ(found, isa);
  }
  Isa found;
  EXPECT_FALSE(IsaFromName("", &found));
  EXPECT_FALSE(IsaFromName("avx512_vbmi", &found));
}

TEST(IsaName, OfASetWithoutOneIsTheFastestThatItIncludes) {
  EXPECT_STREQ(IsaName(Isa::kAvx512Vbmi), "avx512_vnni");
  EXPECT_STREQ(IsaName(With(Isa::kAvx2, kHasAvx512Vbmi, true)), "avx2");
  EXPECT_STREQ(IsaName(With(Isa::kNeon, kHasI8mm, true)), "neon");
  EXPECT_STREQ(IsaName(With(Isa::kScalar, kHasAvx512Vbmi, true)), "scalar");
}

TEST(Includes, IsNoOrderAcrossArchitectures) {
  EXPECT_TRUE(Includes(Isa::kAvx512Vnni, Isa::kAvx2));
  EXPECT_FALSE(Includes(Isa::kAvx2, Isa::kAvx512Vnni));
  EXPECT_FALSE(Includes(Isa::kNeonI8mm, Isa::kAvx2));
  EXPECT_FALSE(Includes(Isa::kAvx512Vbmi, Isa::kNeon));
  for (Isa isa : kIsas) {
    EXPECT_TRUE(Includes(isa, isa));
    EXPECT_TRUE(Includes(isa, Isa::kScalar));
  }
}

TEST(LimitedTo, TakesWhatIsNamedAndNothingElse) {
  EXPECT_EQ(LimitedTo(Isa::kAvx512Vnni, Isa::kAvx512Vbmi), Isa::kAvx512Vbmi);
  EXPECT_EQ(LimitedTo(Isa::kAvx2, Isa::kAvx512Vbmi), With(Isa::kAvx2, kHasAvx512Vbmi, true));
  EXPECT_EQ(LimitedTo(Isa::kNeon, Isa::kNeonI8mm), Isa::kNeon);
  EXPECT_EQ(LimitedTo(Isa::kNeonI8mm, Isa::kNeon), Isa::kNeon);
  EXPECT_EQ(LimitedTo(Isa::kNeonI8mm, Isa::kAvx2), Isa::kScalar);
}

}  // namespace
}  // namespace tflite_eq
