// Chains of layers: every kernel against the reference, and the notation for shapes.
#include <string>

#include "delegate/benchmark/layer_chain.h"
#include "delegate/benchmark/modes.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/worker_pool.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

TEST(ParseLayers, TakesThreeToFiveNumbers) {
  List<LayerShape> shapes;
  Message error;
  ASSERT_TRUE(ParseLayers("56x64x32,7x8x9x1,28x3x16x5x2", &shapes, &error)) << error.text;
  ASSERT_EQ(shapes.size(), 3);
  EXPECT_EQ(shapes[0].size, 56);
  EXPECT_EQ(shapes[0].input_channels, 64);
  EXPECT_EQ(shapes[0].output_channels, 32);
  EXPECT_EQ(shapes[0].filter, 3);
  EXPECT_EQ(shapes[0].stride, 1);
  EXPECT_EQ(shapes[1].filter, 1);
  EXPECT_EQ(shapes[2].filter, 5);
  EXPECT_EQ(shapes[2].stride, 2);
}

TEST(ParseLayers, RefusesTheRest) {
  for (const char* text : {"56", "56x64", "56x64x", "56x64x0", "0x1x1", "-1x1x1", "56x64x64x3x1x1", "56x64x64;7x8x9", "a",
                           " 56x64x64", "99999999999x1x1", "56x64x64,x", "4097x1x1", "8x8x8x32"}) {
    List<LayerShape> shapes;
    Message error;
    EXPECT_FALSE(ParseLayers(text, &shapes, &error)) << text;
    EXPECT_NE(std::string(error.text).find("SIZExINPUTSxOUTPUTS"), std::string::npos) << error.text;
  }
}

TEST(LayerChain, EveryKernelEqualsTheReference) {
  int verified = 0;
  for (const LayerShape& shape : {LayerShape{9, 32, 32}, LayerShape{8, 16, 40, 1, 1}, LayerShape{9, 20, 32, 3, 2}}) {
    for (Isa i : kIsas) {
      for (int algorithm = 0; algorithm < kAlgorithmCount; ++algorithm) {
        for (Values values : {Values::kInt8, Values::kPlainInt7, Values::kEvenTriplets}) {
          const auto a = static_cast<Algorithm>(algorithm);
          if (!CpuSupports(i) || FindKernel(a, i) == nullptr) continue;
          LayerChain chain;
          WorkerPool pool;
          pool.Start(2);
          Reason reason;
          if (!chain.Prepare(shape, values, a, i, pool.workers(), 1, &reason)) continue;
          EXPECT_TRUE(chain.Verify(&pool, &reason)) << AlgorithmName(a) << " " << IsaName(i) << ": " << reason.text;
          ++verified;
        }
      }
    }
  }
  EXPECT_GE(verified, 12) << "the scalar kernels exist everywhere";
}

TEST(LayerChain, VerifyFindsADifference) {
  LayerChain chain;
  Reason reason;
  ASSERT_TRUE(chain.Prepare({6, 8, 8}, Values::kInt8, Algorithm::kReference, Isa::kScalar, 1, 1, &reason)) << reason.text;
  // A pool that loses one unit of work: a row of the first layer stays as it was.
  struct LosesOne final : ThreadPool {
    void Run(Task task, void* context, int count) override {
      for (int index = 0; index < count; ++index) {
        if (index != 3) task(context, index, 0);
      }
    }
  } pool;
  EXPECT_FALSE(chain.Verify(&pool, &reason));
  EXPECT_NE(std::string(reason.text).find("layer 0 of the chain: code 0 instead of"), std::string::npos) << reason.text;
  EXPECT_NE(std::string(reason.text).find("row 3"), std::string::npos) << reason.text;
}

}  // namespace
}  // namespace tflite_eq
