// The delegate as a runtime drives it, on a runtime that holds still for sanitizers: see testing/test_runtime.h. What it does inside
// real ones is for runtime_tests.
#include "delegate/delegate.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "delegate/allocation_counter.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/testing/conv_chain.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

struct Deleter {
  void operator()(TfLiteDelegate* delegate) const { DeleteDelegate(delegate); }
};
using DelegatePointer = std::unique_ptr<TfLiteDelegate, Deleter>;

DelegatePointer MakeDelegate(Algorithm kernel, int threads, Isa isa = CpuIsa()) {
  DelegateOptions options;
  options.any_kernel = false;
  options.kernel = kernel;
  options.any_isa = false;
  options.isa = isa;
  options.num_threads = threads;
  options.log_level = 0;
  return DelegatePointer(CreateDelegate(options));
}

Values ValuesFor(Algorithm kernel) { return kernel == Algorithm::kWinograd1d ? Values::kEvenTriplets : Values::kInt8; }

constexpr Algorithm kKernels[] = {Algorithm::kReference, Algorithm::kDirect, Algorithm::kWinogradF43, Algorithm::kWinogradF23,
                                  Algorithm::kWinograd1d};

struct Size {
  int batch, height, width;
};

void FillInput(ChainRuntime* runtime, std::mt19937* random) {
  for (int8_t& code : runtime->input()) code = static_cast<int8_t>((*random)() % 256 - 128);
}

// Invokes on new codes and compares with the reference.
void CheckRun(const TestGraph& model, const Size& size, ChainRuntime* runtime, std::mt19937* random) {
  FillInput(runtime, random);
  const std::vector<int8_t> expected = RunChain(model, size.batch, size.height, size.width, runtime->input());
  ASSERT_TRUE(runtime->Invoke()) << runtime->error();
  ASSERT_EQ(runtime->output(), expected);
}

TEST(Delegate, EveryKernelThroughPartitionsAndSizes) {
  for (Algorithm kernel : kKernels) {
    for (int threads : {1, 3}) {
      const TestGraph model = MakeConvChain("cc-ccc-c", 24, ValuesFor(kernel), 1);
      const DelegatePointer delegate = MakeDelegate(kernel, threads);
      ChainRuntime runtime(model, 1);
      ASSERT_TRUE(runtime.Apply(delegate.get())) << runtime.error();
      EXPECT_EQ(runtime.delegated(), 6) << AlgorithmName(kernel);
      std::mt19937 random(2);
      for (const Size& size : {Size{1, 12, 12}, Size{2, 5, 9}, Size{1, 23, 18}, Size{3, 1, 2}, Size{1, 12, 12}}) {
        ASSERT_TRUE(runtime.Resize(size.batch, size.height, size.width)) << runtime.error();
        for (int run = 0; run < 2; ++run) CheckRun(model, size, &runtime, &random);
      }
    }
  }
}

TEST(Delegate, ServesSeveralInterpretersAndOutlivesThem) {
  const TestGraph model = MakeConvChain("ccc", 16, Values::kInt8, 3);
  const DelegatePointer delegate = MakeDelegate(Algorithm::kWinogradF43, 2);
  std::mt19937 random(4);
  for (int round = 0; round < 3; ++round) {
    ChainRuntime first(model, 1), second(model, 1);
    for (ChainRuntime* runtime : {&first, &second}) {
      ASSERT_TRUE(runtime->Apply(delegate.get()));
      ASSERT_TRUE(runtime->Resize(1, 9, 9 + round));
    }
    for (ChainRuntime* runtime : {&first, &second, &first}) CheckRun(model, {1, 9, 9 + round}, runtime, &random);
  }
}

// Collects what a delegate tells.
struct Observation {
  std::vector<std::pair<int, bool>> decisions;
  std::vector<TfLiteEqNodeProfile> nodes;
  std::vector<std::string> kernels;
  std::vector<TfLiteEqPartitionProfile> partitions;

  TfLiteEqObserver observer() {
    TfLiteEqObserver observer = {};
    observer.version = TFLITE_EQ_OBSERVER_VERSION;
    observer.user_data = this;
    observer.node_decided = [](void* self, const TfLiteEqNodeDecision* decision) {
      EXPECT_STRNE(decision->reason, "");
      static_cast<Observation*>(self)->decisions.emplace_back(decision->node, decision->claimed);
    };
    observer.node_finished = [](void* self, const TfLiteEqNodeProfile* profile) {
      static_cast<Observation*>(self)->nodes.push_back(*profile);
      static_cast<Observation*>(self)->kernels.push_back(std::string(profile->kernel) + " " + profile->isa);
    };
    observer.partition_finished = [](void* self, const TfLiteEqPartitionProfile* profile) {
      static_cast<Observation*>(self)->partitions.push_back(*profile);
    };
    return observer;
  }
};

TEST(Delegate, TellsAnObserverWhatItDoes) {
  const TestGraph model = MakeConvChain("cc-c", 16, Values::kInt8, 12);
  DelegateOptions options;
  options.any_kernel = false;
  options.kernel = Algorithm::kDirect;
  options.any_isa = false;
  options.log_level = 0;
  options.profile = true;
  const DelegatePointer delegate(CreateDelegate(options));
  Observation seen;
  ObserveDelegate(delegate.get(), seen.observer());
  testing::internal::CaptureStderr();
  {
    ChainRuntime runtime(model, 1);
    ASSERT_TRUE(runtime.Apply(delegate.get())) << runtime.error();
    EXPECT_EQ(seen.decisions, (std::vector<std::pair<int, bool>>{{0, true}, {1, true}, {2, false}, {3, true}}));
    ASSERT_TRUE(runtime.Resize(2, 9, 7)) << runtime.error();
    std::mt19937 random(13);
    for (int run = 0; run < 3; ++run) CheckRun(model, {2, 9, 7}, &runtime, &random);
    EXPECT_TRUE(seen.nodes.empty()) << "the interpreter is still there";
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "an observer takes the place of printed profiles";
  EXPECT_EQ(seen.kernels, std::vector<std::string>(3, "direct scalar"));
  ASSERT_EQ(seen.nodes.size(), 3u);
  for (const TfLiteEqNodeProfile& node : seen.nodes) {
    EXPECT_EQ(node.batch, 2);
    EXPECT_EQ(node.input_height, 9);
    EXPECT_EQ(node.input_width, 7);
    EXPECT_EQ(node.input_channels, 16);
    EXPECT_EQ(node.output_channels, 16);
    EXPECT_EQ(node.runs, 3);
    EXPECT_GT(node.milliseconds, 0);
    EXPECT_GT(node.packed_bytes, 9 * 16 * 16);
  }
  ASSERT_EQ(seen.partitions.size(), 2u);
  int64_t packed = 0, all_packed = 0;
  for (const TfLiteEqNodeProfile& node : seen.nodes) packed += node.packed_bytes;
  for (const TfLiteEqPartitionProfile& partition : seen.partitions) all_packed += partition.packed_bytes;
  EXPECT_EQ(all_packed, packed);
}

TEST(Delegate, TheReferenceInPlaceClaimsTheSameNodes) {
  const TestGraph model = MakeConvChain("cc-c", 16, Values::kInt8, 14);
  DelegateOptions options;
  options.any_kernel = false;
  options.kernel = Algorithm::kWinogradF43;
  options.log_level = 0;
  options.reference_in_place = true;
  const DelegatePointer delegate(CreateDelegate(options));
  Observation seen;
  ObserveDelegate(delegate.get(), seen.observer());
  {
    ChainRuntime runtime(model, 1);
    ASSERT_TRUE(runtime.Apply(delegate.get())) << runtime.error();
    EXPECT_EQ(runtime.delegated(), 3);
    ASSERT_TRUE(runtime.Resize(1, 9, 9)) << runtime.error();
    std::mt19937 random(15);
    CheckRun(model, {1, 9, 9}, &runtime, &random);
  }
  EXPECT_EQ(seen.kernels, std::vector<std::string>(3, "reference scalar"));
}

int ThreadsOfThisProcess() {
  int threads = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) threads += task.exists() ? 1 : 0;
  return threads;
}

// A thread that was joined is listed for a moment longer, so numbers are waited for.
bool ThreadsBecome(int expected) {
  for (int i = 0; i < 5000 && ThreadsOfThisProcess() != expected; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return ThreadsOfThisProcess() == expected;
}

// Their number once those of earlier tests are gone.
int ThreadsOnceSettled() {
  int threads = ThreadsOfThisProcess();
  for (int same = 0; same < 25; ++same) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (ThreadsOfThisProcess() == threads) continue;
    threads = ThreadsOfThisProcess();
    same = 0;
  }
  return threads;
}

TEST(Delegate, TakesNoNumberOfThreadsFromAnInterpreterThatAnOptionMayNotHave) {
  const TestGraph model = MakeConvChain("c", 16, Values::kInt8, 10);
  const int before = ThreadsOnceSettled();
  const DelegatePointer delegate = MakeDelegate(Algorithm::kDirect, 0);
  {
    ChainRuntime runtime(model, 100000);
    ASSERT_TRUE(runtime.Apply(delegate.get())) << runtime.error();
    EXPECT_TRUE(ThreadsBecome(before + kMostThreads - 1));
  }
  CloseDelegate(delegate.get());
  EXPECT_TRUE(ThreadsBecome(before));
}

TEST(Delegate, InterpretersOutliveAClosedDelegateAndKeepItsThreads) {
  const TestGraph model = MakeConvChain("cc-c", 16, Values::kInt8, 10);
  const int before = ThreadsOnceSettled();
  const DelegatePointer delegate = MakeDelegate(Algorithm::kWinogradF43, 3);
  std::mt19937 random(11);
  {
    ChainRuntime runtime(model, 1);
    ASSERT_TRUE(runtime.Apply(delegate.get()));
    ASSERT_TRUE(runtime.Resize(1, 9, 9));
    CheckRun(model, {1, 9, 9}, &runtime, &random);
    CloseDelegate(delegate.get());
    CloseDelegate(delegate.get());
    EXPECT_TRUE(ThreadsBecome(before + 2));
    CheckRun(model, {1, 9, 9}, &runtime, &random);
    ASSERT_TRUE(runtime.Resize(2, 14, 5));
    CheckRun(model, {2, 14, 5}, &runtime, &random);

    ChainRuntime late(model, 1);
    EXPECT_FALSE(late.Apply(delegate.get()));
    EXPECT_NE(late.error().find("the delegate was closed"), std::string::npos) << late.error();
  }
  EXPECT_TRUE(ThreadsBecome(before));
}

TEST(Delegate, ClosingAnUnusedDelegateEndsItsThreads) {
  const TestGraph model = MakeConvChain("c", 16, Values::kInt8, 12);
  const int before = ThreadsOnceSettled();
  const DelegatePointer delegate = MakeDelegate(Algorithm::kDirect, 3);
  {
    ChainRuntime runtime(model, 1);
    ASSERT_TRUE(runtime.Apply(delegate.get()));
  }
  EXPECT_TRUE(ThreadsBecome(before + 2));
  CloseDelegate(delegate.get());
  EXPECT_TRUE(ThreadsBecome(before));
}

TEST(Delegate, InterpretersOutliveADeletedDelegate) {
  const TestGraph model = MakeConvChain("c-c", 16, Values::kInt8, 13);
  const int before = ThreadsOnceSettled();
  std::mt19937 random(14);
  {
    ChainRuntime runtime(model, 1);
    {
      const DelegatePointer delegate = MakeDelegate(Algorithm::kWinogradF23, 3);
      ASSERT_TRUE(runtime.Apply(delegate.get()));
    }
    ASSERT_TRUE(runtime.Resize(1, 9, 9));
    CheckRun(model, {1, 9, 9}, &runtime, &random);
  }
  EXPECT_TRUE(ThreadsBecome(before));
}

// Returns once all other threads of the process sleep. Starting a thread allocates, in that thread, after the call that starts
// it has returned.
void WaitUntilThreadsSleep() {
  const std::filesystem::path tasks = "/proc/self/task";
  const std::string self = std::to_string(gettid());
  bool running = true;
  while (running) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    running = false;
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      if (task.path().filename() == self) continue;
      std::string status;
      std::getline(std::ifstream(task.path() / "stat"), status);
      // "123 (name) S ..."
      const size_t state = status.rfind(')') + 2;
      running = running || (state < status.size() && status[state] != 'S');
    }
  }
}

TEST(Delegate, AllocatesNothingAtInvoke) {
  for (Algorithm kernel : kKernels) {
    for (Isa isa : kIsas) {
      if (!CpuSupports(isa)) continue;
      for (int threads : {1, 3}) {
        // All codes of the full range: the fallback of the one-dimensional kernel runs as well.
        const TestGraph model = MakeConvChain("ccc", 40, ValuesFor(kernel), 5);
        const DelegatePointer delegate = MakeDelegate(kernel, threads, isa);
        ChainRuntime runtime(model, 1);
        ASSERT_TRUE(runtime.Apply(delegate.get())) << runtime.error();
        ASSERT_EQ(runtime.delegated(), 3);
        ASSERT_TRUE(runtime.Resize(1, 20, 20));
        std::mt19937 random(6);
        WaitUntilThreadsSleep();
        for (int run = 0; run < 3; ++run) {
          FillInput(&runtime, &random);
          const long before = AllocationCount();
          const bool good = runtime.Invoke();
          const long after = AllocationCount();
          ASSERT_TRUE(good);
          EXPECT_EQ(after, before) << AlgorithmName(kernel) << " on " << IsaName(isa) << ", run " << run;
        }
      }
    }
  }
}

TEST(Delegate, AllocationsAreCounted) {
  const long before = AllocationCount();
  const auto memory = std::make_unique<std::vector<char>>(1000);
  EXPECT_EQ(AllocationCount(), before + 2) << memory->size();
}

TEST(Delegate, ClaimsByThePolicyOrSaysThatNothingIsClaimed) {
  const TestGraph model = MakeConvChain("cccc", 64, Values::kInt8, 7);
  DelegateOptions options;
  options.log_level = 0;
  options.require_delegation = true;
  options.any_isa = false;
  options.isa = Isa::kScalar;
  const DelegatePointer scalar(CreateDelegate(options));
  ChainRuntime refused(model, 1);
  EXPECT_FALSE(refused.Apply(scalar.get()));
  EXPECT_NE(refused.error().find("require_delegation: none of 4 nodes (4 of kinds that the delegate runs) can be claimed"), std::string::npos)
      << refused.error();
  // On AVX2 both the sizes in the model and the number of threads make it worth it.
  if (!CpuSupports(Isa::kAvx2)) GTEST_SKIP() << "this CPU has no fast kernels";
  options.isa = Isa::kAvx2;
  const DelegatePointer vectors(CreateDelegate(options));
  ChainRuntime small(model, 1);
  EXPECT_FALSE(small.Apply(vectors.get())) << "none of the layers pays by itself on a 3x3 image";
  const TestGraph larger = MakeConvChain("cccc", 64, Values::kInt8, 7, 24);
  ChainRuntime claimed(larger, 1);
  if (DetectCpu().peer != Peer::kSameInstructions) {
    EXPECT_FALSE(claimed.Apply(vectors.get())) << "the runtime multiplies faster, whatever instructions the kernels are held to";
    return;
  }
  ASSERT_TRUE(claimed.Apply(vectors.get())) << claimed.error();
  EXPECT_EQ(claimed.delegated(), 4);
  ASSERT_TRUE(claimed.Resize(1, 24, 24));
  std::mt19937 random(10);
  CheckRun(larger, {1, 24, 24}, &claimed, &random);
}

TEST(Delegate, VerifyComparesEveryLayerWithTheReference) {
  const TestGraph model = MakeConvChain("ccc", 16, Values::kInt8, 8);
  DelegateOptions options;
  options.any_kernel = false;
  options.kernel = Algorithm::kWinogradF43;
  options.verify = true;
  options.log_level = 0;
  const DelegatePointer delegate(CreateDelegate(options));
  ChainRuntime runtime(model, 1);
  ASSERT_TRUE(runtime.Apply(delegate.get()));
  std::mt19937 random(9);
  for (const Size& size : {Size{1, 6, 6}, Size{2, 11, 7}}) {
    ASSERT_TRUE(runtime.Resize(size.batch, size.height, size.width));
    CheckRun(model, size, &runtime, &random);
  }
}

}  // namespace
}  // namespace tflite_eq
