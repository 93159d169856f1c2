#include "delegate/selection.h"

#include "delegate/log.h"

namespace tflite_eq {
namespace {

// Claiming nodes in the middle of what XNNPACK runs cuts its subgraph in two, and each of them is set up anew at every
// invocation. That takes about as long as XNNPACK needs for this many multiplications; a partition must save more.
constexpr double kSwitchMultiplications = 3e6;
// With several threads, either side finds the other's threads on the cores and its own asleep. Measured with two: 40 microseconds
// for each partition.
constexpr double kWakeMultiplications = 8e6;

}  // namespace

Selection::Candidate* Selection::Find(int node) {
  for (Candidate& candidate : candidates_) {
    if (candidate.node == node) return &candidate;
  }
  return nullptr;
}

void Selection::Consider(TfLiteContext* context, const DelegateOptions& options, const CpuProfile& cpu,
                         Candidate* candidate) {
  TfLiteNode* node;
  TfLiteRegistration* registration;
  if (context->GetNodeAndRegistration(context, candidate->node, &node, &registration) != kTfLiteOk) return;
  candidate->convolution = registration->builtin_code == kTfLiteBuiltinConv2d;
  if (!candidate->convolution) return;
  ++convolutions_;
  if (node->outputs != nullptr && node->outputs->size > 0) {
    const char* name = context->tensors[node->outputs->data[0]].name;
    if (name != nullptr) candidate->name = name;
  }
  ConvNode conv;
  if (!conv.Read(*context, *node, &candidate->reason)) return;
  const Plan plan = conv.Choose(options, cpu);
  candidate->claimed = plan.claim;
  candidate->saved_multiplications = plan.saved_multiplications;
  candidate->reason = plan.reason;
}

void Selection::CollectClaimed() {
  claimed_->size = 0;
  for (const Candidate& candidate : candidates_) {
    if (candidate.claimed) claimed_->data[claimed_->size++] = candidate.node;
  }
}

bool Selection::DropPartitionsThatDoNotPay(TfLiteContext* context, const DelegateOptions& options) {
  TfLiteDelegateParams* partitions = nullptr;
  int count = 0;
  if (context->PreviewDelegatePartitioning(context, claimed_, &partitions, &count) != kTfLiteOk) {
    context->ReportError(context, "tflite_eq: the runtime cannot tell the partitions of %d nodes", claimed_->size);
    return false;
  }
  int threads = options.num_threads > 0 ? options.num_threads : context->recommended_num_threads;
  if (threads < 1) threads = 1;
  // Threads divide the time that is saved, not the time a switch takes.
  const double least = threads > 1 ? (kSwitchMultiplications + kWakeMultiplications) * threads : kSwitchMultiplications;
  for (int i = 0; i < count; ++i) {
    const TfLiteIntArray* nodes = partitions[i].nodes_to_replace;
    double saved = 0;
    for (int j = 0; j < nodes->size; ++j) {
      const Candidate* candidate = Find(nodes->data[j]);
      if (candidate != nullptr) saved += candidate->saved_multiplications;
    }
    if (saved >= least) continue;
    for (int j = 0; j < nodes->size; ++j) {
      Candidate* candidate = Find(nodes->data[j]);
      if (candidate == nullptr) continue;
      candidate->claimed = false;
      Reason reason;
      reason.Set("a switch of delegates costs more than these %d nodes save (%.1f M multiplications); %.90s", nodes->size,
                 saved * 1e-6, candidate->reason.text);
      candidate->reason = reason;
    }
  }
  return true;
}

bool Selection::Select(TfLiteContext* context, const DelegateOptions& options, const CpuProfile& cpu) {
  TfLiteIntArray* plan = nullptr;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return false;
  // A copy: later calls reuse the runtime's array.
  const int nodes = plan->size;
  claimed_ = static_cast<TfLiteIntArray*>(malloc(sizeof(TfLiteIntArray) + sizeof(int) * static_cast<size_t>(nodes)));
  if (claimed_ == nullptr || !candidates_.Allocate(nodes)) {
    context->ReportError(context, "tflite_eq: out of memory");
    return false;
  }
  for (int i = 0; i < nodes; ++i) candidates_[i].node = plan->data[i];
  for (Candidate& candidate : candidates_) Consider(context, options, cpu, &candidate);
  CollectClaimed();
  // A kernel asked for by name is for validation: fast or not does not matter.
  if (claimed_->size > 0 && options.any_kernel) {
    if (!DropPartitionsThatDoNotPay(context, options)) return false;
    CollectClaimed();
  }
  for (const Candidate& candidate : candidates_) {
    if (candidate.convolution && options.log_level > 1) {
      Log(Severity::kInfo, "node %d %s (%s): %s", candidate.node, candidate.claimed ? "claimed" : "refused", candidate.name,
          candidate.reason.text);
    }
  }
  return true;
}

}  // namespace tflite_eq
