#include "delegate/selection.h"

#include "delegate/log.h"
#include "delegate/ops/tensor_checks.h"
#include "delegate/quoted.h"

namespace tflite_eq {

// What an earlier node computes, whatever the model says of the tensor between them; else what the model says. The quantization of a
// tensor, on the other hand, is the same for whoever writes and reads it: it is the tensor's.
bool Selection::InputShape(const GraphView& graph, int tensor, Shape* shape, Reason* reason) const {
  const int position = producers_.of(tensor);
  if (position != Producers::kNone) {
    const Candidate& producer = candidates_[position];
    const int outputs = producer.shapes.size();
    NodeView node;
    // Which of several it is only the runtime knows.
    if (outputs > 1 && !graph.node(producer.node, &node)) node = {};
    for (int i = 0; i < outputs; ++i) {
      if (outputs > 1 && node.outputs.at(i, kNoTensor) != tensor) continue;
      *shape = producer.shapes[i];
      return true;
    }
  }
  return ReadShape(graph.tensor(tensor), "input", shape, reason);
}

// The operator that writes one of the node's outputs. False with a reason where there is none.
bool Selection::Judge(const GraphView& graph, const NodeView& node, const Environment& environment, bool insist, Worth* worth,
                      Shape* shape, Candidate* candidate) const {
  Reason* reason = &candidate->reason;
  OperatorHolder op;
  if (!op.Read(graph, node, reason)) return false;
  const int inputs = op->inputs().size();
  Array<Shape> shapes;
  if (!shapes.Allocate(inputs)) {
    reason->Set("out of memory");
    return false;
  }
  for (int i = 0; i < inputs; ++i) {
    if (!InputShape(graph, op->inputs()[i], &shapes[i], reason)) return false;
  }
  if (!op->Resize(shapes.begin(), shape, reason)) return false;
  *worth = op->Judge(environment, insist);
  candidate->channelwise = 0;
  if (worth->possible && candidate->inputs.Allocate(inputs)) {
    for (int i = 0; i < inputs; ++i) candidate->inputs[i] = op->inputs()[i];
    candidate->channelwise = op->channelwise();
  }
  return true;
}

void Selection::Consider(const GraphView& graph, const Environment& environment, Candidate* candidate) {
  NodeView node;
  if (!graph.node(candidate->node, &node)) return;
  candidate->kind = FindOperator(node.builtin_code);
  if (candidate->kind == nullptr) return;
  ++known_;
  const TensorView output = graph.tensor(node.outputs.at(0, kNoTensor));
  if (output.exists()) candidate->name = output.name();
  if (!producers_.in_order()) {
    candidate->reason = producers_.disorder();
    return;
  }
  const bool leave = leave_.Matches(candidate->name);
  const bool insist = claim_.Matches(candidate->name);
  const int outputs = node.outputs.size() > 1 ? node.outputs.size() : 1;
  Array<Shape> shapes;
  if (!shapes.Allocate(outputs)) {
    candidate->reason.Set("out of memory");
    return;
  }
  bool possible = true;
  double saved = 0;
  for (node.output = 0; node.output < outputs; ++node.output) {
    Worth worth;
    if (!Judge(graph, node, environment, insist, &worth, &shapes[node.output], candidate)) return;
    possible = possible && worth.possible;
    candidate->only_between = worth.only_between;
    saved += worth.saved_multiplications;
    candidate->runtime += worth.runtime;
    candidate->reason = worth.reason;
  }
  candidate->shapes.Swap(&shapes);
  if (leave) {
    candidate->reason.Set("option leave matches its name");
    return;
  }
  candidate->saved_multiplications = saved;
  candidate->possible = possible;
  candidate->insisted = possible && insist;
  candidate->claimed = possible && (insist || saved >= 0);
}

// What is run as one function of codes costs that once, whatever its nodes would cost by themselves. That they all are claimed is taken
// for granted: they follow each other. Without memory for it, they are judged one by one.
void Selection::JudgeGroups(const GraphView& graph, const Environment& environment) {
  const int count = candidates_.size();
  Array<FusibleStep> steps;
  Array<bool> kept;
  Fusions fusions;
  if (!producers_.in_order() || !steps.Allocate(count) || !kept.Allocate(graph.tensors())) return;
  for (bool& is_kept : kept) is_kept = true;
  // What is read by nodes that can be the delegate's alone. That a tensor is an output of the model, too, is not known here.
  for (int i = 0; i < count; ++i) {
    NodeView node;
    if (!graph.node(candidates_[i].node, &node)) return;
    const int output = node.outputs.at(0, kNoTensor);
    if (candidates_[i].channelwise == 0 || !graph.tensor(output).exists()) continue;
    kept[output] = false;
    steps[i] = {candidates_[i].inputs.begin(), candidates_[i].inputs.size(), output, candidates_[i].channelwise};
  }
  for (int i = 0; i < count; ++i) {
    NodeView node;
    if (steps[i].channelwise > 0 || !graph.node(candidates_[i].node, &node)) continue;
    for (int tensor : node.inputs) {
      if (graph.tensor(tensor).exists()) kept[tensor] = true;
    }
  }
  if (!fusions.Find(steps, kept)) return;
  const CpuCosts& costs = CostsOf(AllowedCpu(environment));
  for (int i = 0; i < count; ++i) {
    Candidate& candidate = candidates_[i];
    const int last = fusions.last_of(i);
    if (last == Fusions::kNone) continue;
    candidate.saved_multiplications = candidate.runtime;
    if (last == i) {
      const CpuCosts::Simple& cost = costs.of(fusions.channels_of(i) > 1 ? SimpleOperator::kPrelu : SimpleOperator::kRelu);
      candidate.saved_multiplications -= cost.own * static_cast<double>(candidate.shapes[0].elements());
    }
    candidate.claimed = candidate.insisted || candidate.saved_multiplications >= 0;
    candidate.reason.Set("one function of codes, with the nodes up to %d", candidates_[last].node);
  }
}

// Claims nodes that lose a little by themselves, where that saves more by sparing switches: of all ways to divide the nodes, in their
// order, between the runtime and the delegate the one that saves most.
void Selection::AbsorbNeighbours(const Threshold& threshold) {
  const int count = candidates_.size();
  // For each node, where the best way up to it came from if the node is the delegate's (1) or the runtime's (0).
  Array<unsigned char> from[2];
  if (!from[0].Allocate(count) || !from[1].Allocate(count)) return;  // nothing is absorbed then
  constexpr double kNever = -1e300;
  const double half = threshold.switch_cost / 2;
  double best[2] = {0, kNever};
  for (int i = 0; i < count; ++i) {
    const Candidate& candidate = candidates_[i];
    const double gain = candidate.insisted ? 1e200 : candidate.saved_multiplications;
    double next[2];
    for (int to = 0; to < 2; ++to) {
      // Beginning with the delegate costs no switch.
      const double stay = i == 0 && to == 1 ? 0 : best[to];
      const double change = best[1 - to] - half;
      from[to][i] = static_cast<unsigned char>(stay >= change ? to : 1 - to);
      next[to] = stay >= change ? stay : change;
    }
    next[1] = candidate.possible ? next[1] + gain : kNever;
    best[0] = next[0];
    best[1] = next[1];
  }
  int side = best[1] > best[0] ? 1 : 0;
  for (int i = count - 1; i >= 0; --i) {
    Candidate& candidate = candidates_[i];
    if (side == 1) candidate.claimed = true;
    side = from[side][i];
  }
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

void Selection::DropPartitionsThatDoNotPay(TfLiteContext* context, const DelegateOptions& options, const Threshold& threshold) {
  TfLiteDelegateParams* partitions = nullptr;
  int count = 0;
  if (context->PreviewDelegatePartitioning(context, claimed_, &partitions, &count) != kTfLiteOk || partitions == nullptr) {
    DropAll("the runtime cannot make partitions of this model");
    return;
  }
  // A kernel asked for by name is for validation: fast or not does not matter.
  if (!options.any_kernel) return;
  const int last = candidates_.size() - 1;
  for (int i = 0; i < count; ++i) {
    const PartitionView partition(partitions[i]);
    double saved = 0;
    bool insisted = false, pays = false, begins = false, ends = false;
    for (int node : partition.nodes) {
      const int position = candidate_of_.Get(node);
      if (position == IndexMap::kAbsent) continue;
      saved += candidates_[position].saved_multiplications;
      insisted = insisted || candidates_[position].insisted;
      pays = pays || !candidates_[position].only_between;
      begins = begins || position == 0;
      ends = ends || position == last;
    }
    // Nobody is switched from before the first node, nor to after the last.
    const double cost = threshold.switch_cost * (begins && ends ? 0 : begins || ends ? 0.5 : 1);
    if (insisted || (pays && saved >= (threshold.least >= 0 ? threshold.least : cost))) continue;
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
      if (threshold.least < 0) {
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
    Log(Severity::kError, "option %s: \"%.200s\" matches none of the names of what the model's %d nodes write that the delegate knows",
        option, pattern.text(), known_);
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
  const Environment environment = {options, cpu};
  for (Candidate& candidate : candidates_) Consider(graph, environment, &candidate);
  if (options.any_kernel && options.fuse) JudgeGroups(graph, environment);
  WarnOfPatternsWithoutLayers(options);
  // Threads divide the time that is saved, not the time a switch takes. That they wait for each other after every step counts for
  // nothing: so do the runtime's after every operator.
  const CpuCosts& costs = CostsOf(AllowedCpu(environment));
  const double switch_cost = cpu.threads > 1 ? (costs.delegate_switch + costs.wake) * cpu.threads : costs.delegate_switch;
  const double least = options.min_saving == DelegateOptions::kAutomatic ? -1 : options.min_saving * 1e3;
  const Threshold threshold = {switch_cost, least};
  if (options.any_kernel) AbsorbNeighbours(threshold);
  CollectClaimed();
  if (claimed_->size > 0) {
    DropPartitionsThatDoNotPay(context, options, threshold);
    CollectClaimed();
  }
  for (const Candidate& candidate : candidates_) {
    if (candidate.kind != nullptr && options.log_level > 1) {
      Log(Severity::kInfo, "node %d %s %s (%s): %s", candidate.node, candidate.kind->name, candidate.claimed ? "claimed" : "refused",
          Quoted(candidate.name, Quoted::kLongest).text, candidate.reason.text);
    }
  }
  return true;
}

}  // namespace tflite_eq
