// Interpreters in several threads at once, resized meanwhile, with delegates of their own and with one for all; meant for
// ThreadSanitizer: bazel test --config=tsan --test_tag_filters=threads //...
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "delegate/delegate.h"
#include "delegate/testing/conv_chain.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 4;

struct Deleter {
  void operator()(TfLiteDelegate* delegate) const { DeleteDelegate(delegate); }
};

std::unique_ptr<TfLiteDelegate, Deleter> MakeDelegate(Algorithm kernel, int threads) {
  DelegateOptions options;
  options.any_kernel = false;
  options.kernel = kernel;
  options.num_threads = threads;
  options.log_level = 0;
  return std::unique_ptr<TfLiteDelegate, Deleter>(CreateDelegate(options));
}

// Makes interpreters, resizes and runs them; returns what went wrong.
std::string Work(const TestGraph& model, TfLiteDelegate* delegate, unsigned seed) {
  std::mt19937 random(seed);
  for (int round = 0; round < kRounds; ++round) {
    ChainRuntime runtime(model, 2);
    if (!runtime.Apply(delegate)) return runtime.error();
    if (runtime.delegated() != 4) return "not delegated";
    for (int size = 0; size < 3; ++size) {
      const int batch = 1 + static_cast<int>(random() % 2);
      const int height = 1 + static_cast<int>(random() % 14), width = 1 + static_cast<int>(random() % 14);
      if (!runtime.Resize(batch, height, width)) return runtime.error();
      for (int run = 0; run < 3; ++run) {
        for (int8_t& code : runtime.input()) code = static_cast<int8_t>(random() % 256 - 128);
        if (!runtime.Invoke()) return runtime.error();
        if (runtime.output() != RunChain(model, batch, height, width, runtime.input())) return "codes differ";
      }
    }
  }
  return "";
}

class ConcurrencyTest : public ::testing::TestWithParam<Algorithm> {
 protected:
  const TestGraph model_ = MakeConvChain("cc-cc", 16, GetParam() == Algorithm::kWinograd1d ? Values::kEvenTriplets : Values::kInt8, 1);

  // Each thread with the delegate that `delegate_of` gives it.
  template <typename DelegateOf>
  void RunInThreads(DelegateOf delegate_of) {
    std::vector<std::string> wrong(kThreads);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] { wrong[i] = Work(model_, delegate_of(i), static_cast<unsigned>(i)); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::string& error : wrong) EXPECT_EQ(error, "");
  }
};

TEST_P(ConcurrencyTest, DelegatesOfTheirOwn) {
  std::vector<std::unique_ptr<TfLiteDelegate, Deleter>> delegates;
  for (int i = 0; i < kThreads; ++i) delegates.push_back(MakeDelegate(GetParam(), 1 + i % 3));
  RunInThreads([&](int i) { return delegates[i].get(); });
}

TEST_P(ConcurrencyTest, OneDelegateForAll) {
  const auto delegate = MakeDelegate(GetParam(), 3);
  RunInThreads([&](int) { return delegate.get(); });
}

TEST_P(ConcurrencyTest, DelegatesThatComeAndGo) {
  std::vector<std::thread> threads;
  std::vector<std::string> wrong(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (unsigned round = 0; round < 3 && wrong[i].empty(); ++round) {
        const auto delegate = MakeDelegate(GetParam(), 2);
        wrong[i] = Work(model_, delegate.get(), 10 * round + static_cast<unsigned>(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& error : wrong) EXPECT_EQ(error, "");
}

// Closed, then deleted by its owner, while interpreters of other threads use it.
TEST_P(ConcurrencyTest, DelegateThatGoesFirst) {
  auto delegate = MakeDelegate(GetParam(), 3);
  std::atomic<int> applied{0};
  std::vector<std::string> wrong(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      ChainRuntime runtime(model_, 2);
      const bool good = runtime.Apply(delegate.get());
      ++applied;
      std::mt19937 random(static_cast<unsigned>(i));
      for (int round = 0; round < 20 && wrong[i].empty(); ++round) {
        if (!good || !runtime.Resize(1, 9, 5 + round % 3)) wrong[i] = runtime.error();
        for (int8_t& code : runtime.input()) code = static_cast<int8_t>(random() % 256 - 128);
        if (!runtime.Invoke()) wrong[i] = runtime.error();
        if (runtime.output() != RunChain(model_, 1, 9, 5 + round % 3, runtime.input())) wrong[i] = "codes differ";
      }
    });
  }
  while (applied != kThreads) std::this_thread::yield();
  CloseDelegate(delegate.get());
  delegate.reset();
  for (std::thread& thread : threads) thread.join();
  for (const std::string& error : wrong) EXPECT_EQ(error, "");
}

INSTANTIATE_TEST_SUITE_P(Kernels, ConcurrencyTest,
                         ::testing::Values(Algorithm::kDirect, Algorithm::kWinogradF43, Algorithm::kWinogradF23,
                                           Algorithm::kWinograd1d),
                         [](const ::testing::TestParamInfo<Algorithm>& info) { return AlgorithmName(info.param); });

}  // namespace
}  // namespace tflite_eq
