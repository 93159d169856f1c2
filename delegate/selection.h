// Which nodes of a model the delegate claims, and why not the others.
#ifndef TFLITE_EQ_DELEGATE_SELECTION_H_
#define TFLITE_EQ_DELEGATE_SELECTION_H_

#include <stdlib.h>

#include "delegate/array.h"
#include "delegate/fusion.h"
#include "delegate/graph/graph_view.h"
#include "delegate/graph/index_map.h"
#include "delegate/graph/producers.h"
#include "delegate/ops/registry.h"
#include "delegate/options.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

class Selection {
 public:
  Selection() = default;
  Selection(const Selection&) = delete;
  Selection& operator=(const Selection&) = delete;
  ~Selection() { free(claimed_); }

  // Looks at every node of the execution plan, for as many threads as the options or else the runtime say. False after reporting to
  // the context.
  bool Select(TfLiteContext* context, const DelegateOptions& options, CpuProfile cpu);

  const TfLiteIntArray* claimed() const { return claimed_; }
  // Nodes of kinds that the delegate runs.
  int known() const { return known_; }
  int nodes() const { return candidates_.size(); }

  // The decision on one node. Only those of a known kind have a reason.
  struct Candidate {
    int node = -1;
    const OperatorKind* kind = nullptr;  // null for those that are the runtime's alone
    bool possible = false;
    bool claimed = false;
    bool insisted = false;      // claimed by the option of that name
    bool only_between = false;  // Worth::only_between
    double saved_multiplications = 0;
    double runtime = 0;  // Worth::runtime
    // What it writes, once that is known: the outputs in order.
    Array<Shape> shapes;
    const char* name = "";
    // For fusing, of those that are possible: tensors that are computed, and Operator::channelwise.
    Array<int> inputs;
    int channelwise = 0;
    Reason reason;
  };
  const Array<Candidate>& candidates() const { return candidates_; }

 private:
  // What a group of claimed nodes has to save.
  struct Threshold {
    double switch_cost;  // of going to the delegate and back, in multiplications
    double least;        // as the option min_saving has it; below 0 where the switches decide
  };

  bool FindCandidates(TfLiteContext* context);
  void Consider(const GraphView& graph, const Environment& environment, Candidate* candidate);
  bool Judge(const GraphView& graph, const NodeView& node, const Environment& environment, bool insist, Worth* worth,
             Shape* shape, Candidate* candidate) const;
  bool InputShape(const GraphView& graph, int tensor, Shape* shape, Reason* reason) const;
  void JudgeGroups(const GraphView& graph, const Environment& environment);
  void AbsorbNeighbours(const Threshold& threshold);
  void DropPartitionsThatDoNotPay(TfLiteContext* context, const DelegateOptions& options, const Threshold& threshold);
  void WarnOfPatternsWithoutLayers(const DelegateOptions& options) const;
  void DropAll(const char* why);
  void CollectClaimed();

  Array<Candidate> candidates_;  // in the order of the execution plan
  IndexMap candidate_of_;        // by node
  Producers producers_;
  NameMatcher leave_;
  NameMatcher claim_;
  TfLiteIntArray* claimed_ = nullptr;
  int known_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_SELECTION_H_
