// Which nodes of a model the delegate claims, and why not the others.
#ifndef TFLITE_EQ_DELEGATE_SELECTION_H_
#define TFLITE_EQ_DELEGATE_SELECTION_H_

#include <stdlib.h>

#include "delegate/array.h"
#include "delegate/conv_node.h"
#include "delegate/graph/graph_view.h"
#include "delegate/graph/index_map.h"
#include "delegate/graph/producers.h"
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
  int convolutions() const { return convolutions_; }
  int nodes() const { return candidates_.size(); }

  // The decision on one node. Only convolutions have a reason.
  struct Candidate {
    int node = -1;
    bool convolution = false;
    bool claimed = false;
    bool insisted = false;  // claimed by the option of that name
    double saved_multiplications = 0;
    int output_channels = 0;  // once it was read as a convolution
    const char* name = "";
    Reason reason;
  };
  const Array<Candidate>& candidates() const { return candidates_; }

 private:
  bool FindCandidates(TfLiteContext* context);
  void Consider(const GraphView& graph, const DelegateOptions& options, const CpuProfile& cpu, Candidate* candidate);
  bool AgreesWithItsInput(const ConvNode& conv, Reason* reason) const;
  void DropPartitionsThatDoNotPay(TfLiteContext* context, const DelegateOptions& options, const CpuProfile& cpu);
  void WarnOfPatternsWithoutLayers(const DelegateOptions& options) const;
  void DropAll(const char* why);
  void CollectClaimed();

  Array<Candidate> candidates_;  // in the order of the execution plan
  IndexMap candidate_of_;        // by node
  Producers producers_;
  NameMatcher leave_;
  NameMatcher claim_;
  TfLiteIntArray* claimed_ = nullptr;
  int convolutions_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_SELECTION_H_
