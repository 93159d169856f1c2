#include "delegate/selection.h"

#include "delegate/log.h"
#include "delegate/quoted.h"

namespace tflite_eq {
void Selection::Consider(const GraphView& graph, const DelegateOptions& options, const CpuProfile& cpu,
                         Candidate* candidate) {
  NodeView node;
  if (!graph.node(candidate->node, &node)) return;
  candidate->convolution = node.builtin_code == kTfLiteBuiltinConv2d;
  if (!candidate->convolution) return;
  ++convolutions_;
  const TensorView output = graph.tensor(node.outputs.at(0, kNoTensor));
  if (output.exists()) candidate->name = output.name();
  if (!producers_.in_order()) {
    candidate->reason = producers_.disorder();
    return;
  }
  const bool leave = leave_.Matches(candidate->name);
  const bool insist = claim_.Matches(candidate->name);
  ConvNode conv;
  if (!conv.Read(graph, node, &candidate->reason)) return;
  candidate->output_channels = conv.problem().shape.output_channels;
  if (!AgreesWithItsInput(conv, &candidate->reason)) return;
  if (leave) {
    candidate->reason.Set("option leave matches its name");
    return;
  }
  const Plan plan = insist ? conv.Insist(options, cpu) : conv.Choose(options, cpu);
  candidate->insisted = plan.claim && insist;
  candidate->claimed = plan.claim;
  candidate->saved_multiplications = plan.saved_multiplications;
  candidate->reason = plan.reason;
}

// What the model says of a tensor between two nodes is replaced by what the first computes. The quantization of a tensor, on the
// other hand, is the same for whoever writes and reads it: it is the tensor's.
bool Selection::AgreesWithItsInput(const ConvNode& conv, Reason* reason) const {
  const int producer = producers_.of(conv.input());
  const int written = producer != Producers::kNone ? candidates_[producer].output_channels : 0;
  const int read = conv.problem().shape.input_channels;
  if (written == 0 || written == read) return true;
  reason->Set("input is written with %d channels and read with %d", written, read);
  return false;
}

void Selection::CollectClaimed() {
  claimed_->size = 0;
  for (const Candidate& candidate : candidates_) {
    if (candidate.claimed) claimed_->data[claimed_->size++] = candidate.node;
  }
}

void Selection::DropAll(const char* why) {
  for (Candidate& candidate : candidates_) {
    if (!candidate.claimed) continue;
    candidate.claimed = false;
    candidate.reason.Set("%s", why);
  }
}

void Selection::DropPartitionsThatDoNotPay(TfLiteContext* context, const DelegateOptions& options, const CpuProfile& cpu) {
  TfLiteDelegateParams* partitions = nullptr;
  int count = 0;
  if (context->PreviewDelegatePartitioning(context, claimed_, &partitions, &count) != kTfLiteOk || partitions == nullptr) {
    DropAll("the runtime cannot make partitions of this model");
    return;
  }
  // A kernel asked for by name is for validation: fast or not does not matter.
  if (!options.any_kernel) return;
  // Threads divide the time that is saved, not the time a switch takes.
  const CpuCosts& costs = CostsOf(cpu);
  const double cost = cpu.threads > 1 ? (costs.delegate_switch + costs.wake) * cpu.threads : costs.delegate_switch;
  const double least = options.min_saving == DelegateOptions::kAutomatic ? cost : options.min_saving * 1e3;
  for (int i = 0; i < count; ++i) {
    const PartitionView partition(partitions[i]);
    double saved = 0;
    bool insisted = false;
    for (int node : partition.nodes) {
      const int position = candidate_of_.Get(node);
      if (position == IndexMap::kAbsent) continue;
      saved += candidates_[position].saved_multiplications;
      insisted = insisted || candidates_[position].insisted;
    }
    if (insisted || saved >= least) continue;
    for (int node : partition.nodes) {
      const int position = candidate_of_.Get(node);
      if (position == IndexMap::kAbsent) continue;
      Candidate& candidate = candidates_[position];
      candidate.claimed = false;
      Reason reason, saving;
      if (partition.nodes.size() == 1) {
        saving.Set("this node saves");
      } else {
        saving.Set("these %d nodes save", partition.nodes.size());
      }
      if (options.min_saving == DelegateOptions::kAutomatic) {
        reason.Set("a switch of delegates costs more than %.30s (%.1f M multiplications); %.90s", saving.text, saved * 1e-6,
                   candidate.reason.text);
      } else {
        reason.Set("option min_saving is above what %.30s (%.0f thousand multiplications); %.90s", saving.text, saved * 1e-3,
                   candidate.reason.text);
      }
      candidate.reason = reason;
    }
  }
}

// A pattern that means no layer is most likely misspelt.
void Selection::WarnOfPatternsWithoutLayers(const DelegateOptions& options) const {
  if (!producers_.in_order()) return;  // no layer was looked at
  const auto warn = [&](const char* option, const NameMatcher& matcher, const NamePattern& pattern) {
    if (!matcher.compiled() || matcher.matches() > 0 || options.log_level < 1) return;
    Log(Severity::kError, "option %s: \"%.200s\" matches the name of none of the model's %d convolutions' output tensors", option,
        pattern.text(), convolutions_);
  };
  warn("leave", leave_, options.leave);
  warn("claim", claim_, options.claim);
}

bool Selection::FindCandidates(TfLiteContext* context) {
  const GraphView graph(context);
  Array<int> plan;
  if (!graph.ExecutionPlan(&plan)) {
    context->ReportError(context, "tflite_eq: the runtime does not tell its execution plan, or memory runs out");
    return false;
  }
  const int nodes = plan.size();
  claimed_ = static_cast<TfLiteIntArray*>(malloc(sizeof(TfLiteIntArray) + sizeof(int) * static_cast<size_t>(nodes)));
  if (claimed_ == nullptr || !candidates_.Allocate(nodes) || !candidate_of_.Reserve(nodes) || !producers_.Find(graph, plan)) {
    context->ReportError(context, "tflite_eq: out of memory for the %d nodes of the model", nodes);
    return false;
  }
  for (int i = 0; i < nodes; ++i) {
    candidates_[i].node = plan[i];
    if (plan[i] >= 0) candidate_of_.Set(plan[i], i);
  }
  return true;
}

bool Selection::Select(TfLiteContext* context, const DelegateOptions& options, CpuProfile cpu) {
  if (!FindCandidates(context)) return false;
  cpu.threads = options.ThreadsFor(context->recommended_num_threads);
  if (!leave_.Compile(options.leave) || !claim_.Compile(options.claim)) {
    context->ReportError(context, "tflite_eq: out of memory for the regular expressions of the options leave and claim");
    return false;
  }
  const GraphView graph(context);
  for (Candidate& candidate : candidates_) Consider(graph, options, cpu, &candidate);
  WarnOfPatternsWithoutLayers(options);
  CollectClaimed();
  if (claimed_->size > 0) {
    DropPartitionsThatDoNotPay(context, options, cpu);
    CollectClaimed();
  }
  for (const Candidate& candidate : candidates_) {
    if (candidate.convolution && options.log_level > 1) {
      Log(Severity::kInfo, "node %d %s (%s): %s", candidate.node, candidate.claimed ? "claimed" : "refused",
          Quoted(candidate.name, Quoted::kLongest).text, candidate.reason.text);
    }
  }
  return true;
}

}  // namespace tflite_eq
