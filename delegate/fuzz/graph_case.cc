#include "delegate/fuzz/graph_case.h"

#include "delegate/fuzz/byte_reader.h"
#include "delegate/fuzz/graph_builder.h"
#include "delegate/fuzz/graph_mutations.h"
#include "delegate/kernels/cpu_features.h"

namespace tflite_eq {
namespace {

constexpr Algorithm kKernels[] = {Algorithm::kWinogradF43, Algorithm::kWinogradF43, Algorithm::kWinogradF23,
                                  Algorithm::kWinograd1d,  Algorithm::kDirect,      Algorithm::kDirect,
                                  Algorithm::kDirectInt7,  Algorithm::kReference};

DelegateOptions ReadOptions(ByteReader* bytes) {
  DelegateOptions options;
  options.log_level = 0;
  options.any_kernel = bytes->OneIn(2);
  options.kernel = bytes->Pick(kKernels);
  const auto isa = bytes->Pick(kIsas);
  options.any_isa = !CpuSupports(isa);
  if (!options.any_isa) options.isa = isa;
  // Starting threads takes longer than all the rest.
  options.num_threads = bytes->OneIn(12) ? bytes->Between(2, 4) : 1;
  options.verify = bytes->OneIn(16);
  options.reference_in_place = bytes->OneIn(32);
  options.require_delegation = bytes->OneIn(64);
  options.profile = false;
  if (options.any_kernel || bytes->OneIn(8)) {
    constexpr const char* kClaim[] = {".*", ".*", ".*", "", "[13579]$", "^tensor1?[4-9]$"};
    constexpr const char* kLeave[] = {"", "", "", "", ".*", "[13579]$", "^tensor1?[4-9]$", "x"};
    Reason reason;
    options.claim.Set("claim", bytes->Pick(kClaim), &reason);
    options.leave.Set("leave", bytes->Pick(kLeave), &reason);
    options.min_saving = bytes->OneIn(2) ? 0 : DelegateOptions::kAutomatic;
  }
  return options;
}

CaseStep ReadStep(ByteReader* bytes, const TestGraph& graph) {
  constexpr int kExtents[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 16, 17, 19, 0};
  CaseStep step;
  const int resizes = bytes->OneIn(3) ? 0 : static_cast<int>(graph.inputs.size());
  for (int input = 0; input < resizes; ++input) {
    const int tensor = graph.inputs[input];
    if (tensor < 0 || static_cast<size_t>(tensor) >= graph.tensors.size()) continue;
    if (graph.tensors[tensor].type != kTfLiteInt8 && !bytes->OneIn(16)) continue;
    std::vector<int> shape = graph.tensors[tensor].shape;
    if (shape.size() == 4) {
      // Inputs that are added to each other change alike.
      if (input > 0 && !step.resizes.empty() && !bytes->OneIn(4)) {
        shape = step.resizes[0].shape;
      } else {
        shape[0] = bytes->OneIn(3) ? bytes->Between(0, 3) : 1;
        shape[1] = bytes->Pick(kExtents);
        shape[2] = bytes->Pick(kExtents);
      }
    }
    // Channels and ranks are not what applications change, but they may.
    if (!shape.empty() && bytes->OneIn(32)) shape.back() = bytes->Between(0, 40);
    if (!shape.empty() && bytes->OneIn(64)) shape.pop_back();
    step.resizes.push_back({input, shape});
  }
  step.invocations = bytes->OneIn(4) ? bytes->Between(0, 3) : 1;
  step.seed = bytes->Byte();
  return step;
}

}  // namespace

GraphCase DecodeGraphCase(const uint8_t* data, size_t size) {
  ByteReader bytes(data, size);
  GraphCase c;
  c.options = ReadOptions(&bytes);
  c.interpreter_threads = bytes.OneIn(8) ? bytes.Between(-1, 3) : 1;
  c.allocate_first = bytes.OneIn(8);
  if (bytes.OneIn(16)) c.failing_call = bytes.Between(1, 40);
  if (bytes.OneIn(16)) c.failing_allocation = bytes.Between(1, 60);
  constexpr int kMutations[] = {0, 0, 0, 1, 1, 1, 2, 3};
  const int mutations = bytes.Pick(kMutations);
  const int steps = bytes.Between(1, 3);
  c.graph = BuildGraph(&bytes);
  c.mutated = mutations > 0;
  for (int i = 0; i < mutations; ++i) MutateGraph(&bytes, &c.graph);
  for (int i = 0; i < steps; ++i) c.steps.push_back(ReadStep(&bytes, c.graph));
  const int fuse = bytes.Between(0, 3);
  c.options.fuse = fuse < 3;
  // Images are small.
  constexpr size_t kTargets[] = {0, 1 << 10, 4 << 10};
  if (fuse > 0) c.options.stripes = {0, kTargets[fuse - 1], 1};
  return c;
}

}  // namespace tflite_eq
