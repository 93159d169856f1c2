// Which nodes of a model the delegate claims, and why not the others.
#ifndef TFLITE_EQ_DELEGATE_SELECTION_H_
#define TFLITE_EQ_DELEGATE_SELECTION_H_

#include <stdlib.h>

#include "delegate/array.h"
#include "delegate/conv_node.h"
#include "delegate/options.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

class Selection {
 public:
  Selection() = default;
  Selection(const Selection&) = delete;
  Selection& operator=(const Selection&) = delete;
  ~Selection() { free(claimed_); }

  // Looks at every node of the execution plan. False after reporting to the context.
  bool Select(TfLiteContext* context, const DelegateOptions& options, const CpuProfile& cpu);

  const TfLiteIntArray* claimed() const { return claimed_; }
  int convolutions() const { return convolutions_; }
  int nodes() const { return candidates_.size(); }

  // The decision on one node. Only convolutions have a reason.
  struct Candidate {
    int node = -1;
    bool convolution = false;
    bool claimed = false;
    double saved_multiplications = 0;
    const char* name = "";
    Reason reason;
  };
  const Array<Candidate>& candidates() const { return candidates_; }

 private:
  void Consider(TfLiteContext* context, const DelegateOptions& options, const CpuProfile& cpu, Candidate* candidate);
  bool DropPartitionsThatDoNotPay(TfLiteContext* context, const DelegateOptions& options);
  void CollectClaimed();
  Candidate* Find(int node);

  Array<Candidate> candidates_;
  TfLiteIntArray* claimed_ = nullptr;
  int convolutions_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_SELECTION_H_
