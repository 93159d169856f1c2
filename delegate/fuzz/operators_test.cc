// What the delegate runs and what it is tested with keep up with each other.
#include <map>
#include <random>
#include <vector>

#include "delegate/fuzz/graph_case.h"
#include "delegate/fuzz/graph_oracle.h"
#include "delegate/ops/registry.h"
#include "delegate/testing/operators.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

TEST(Operators, AllAreInTheTestRuntime) {
  for (const OperatorKind& kind : AllOperators()) {
    const TfLiteRegistration registration = OperatorRegistration(kind.builtin_code);
    EXPECT_TRUE(registration.prepare != nullptr && registration.invoke != nullptr)
        << kind.name << " is in ops/registry.cc, and not in testing/operators.cc";
  }
}

TEST(Operators, AllAreInGraphsThatTheFuzzerBuildsAndThatRun) {
  constexpr size_t kBytes = 240;
  constexpr int kGraphs = 3000, kFewest = 5;
  std::mt19937 random(7);
  std::map<int, int> seen;
  for (int i = 0; i < kGraphs; ++i) {
    std::vector<uint8_t> bytes(kBytes);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    GraphCase c = DecodeGraphCase(bytes.data(), bytes.size());
    if (c.mutated) continue;
    c.steps = {CaseStep()};
    const std::vector<StepResult> results = RunAlone(c);
    if (!results[0].allocated || results[0].skipped || results[0].invocations.empty() || !results[0].invocations[0].succeeded) continue;
    for (const TestNode& node : c.graph.nodes) ++seen[node.code];
  }
  for (const OperatorKind& kind : AllOperators()) {
    EXPECT_GE(seen[kind.builtin_code], kFewest) << kind.name << ": fuzz/graph_builder.cc builds none, or none that runs";
  }
}

}  // namespace
}  // namespace tflite_eq
