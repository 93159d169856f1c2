// What runs in place of a group of claimed nodes: operators in order, the values between them, and the memory these live in.
//
// The whole group is one job of the worker pool. Every worker walks the steps and runs its share of their units (work_shares.h); a step
// begins when all units of the one before are done. Nobody waits for a worker that has not woken yet: the others do its share, and a late
// one finds steps without units and passes on.
//
// Steps that fusion.h finds are run as one, in the place of the last of them; the others have no units then, and what they would write
// takes no memory. With the option `verify` their reference kernels run in their places nonetheless, so that what the group writes is
// compared with what its steps write one after the other.
//
// A convolution whose output is a part of a CONCATENATION's writes it there, if its kernel can and nobody else reads it; that takes no
// memory of its own either. A PAD in front of a convolution is left out where that can do without it. Neither is done with `verify`.
#ifndef TFLITE_EQ_DELEGATE_PROGRAM_H_
#define TFLITE_EQ_DELEGATE_PROGRAM_H_

#include "delegate/array.h"
#include "delegate/fusion.h"
#include "delegate/graph/graph_view.h"
#include "delegate/kernels/buffer.h"
#include "delegate/memory_plan.h"
#include "delegate/ops/channelwise_group.h"
#include "delegate/ops/registry.h"
#include "delegate/options.h"
#include "delegate/stripes.h"
#include "delegate/tflite_abi.h"
#include "delegate/tflite_eq_observer.h"
#include "delegate/work_shares.h"
#include "delegate/worker_pool.h"
#include "delegate/workspace.h"

namespace tflite_eq {

class Program {
 public:
  // Reads the nodes and prepares their operators. The workspace lives at least as long as this. False after reporting to the context.
  bool Init(TfLiteContext* context, const TfLiteDelegateParams& params, const Environment& environment, int workers,
            Workspace* workspace);
  // Computes shapes from the group's inputs, resizes its outputs, and allocates what invocations need.
  TfLiteStatus Prepare(TfLiteContext* context);
  // Refuses, before anything is written, when Prepare did not succeed or the runtime's tensors are no longer those it saw.
  TfLiteStatus Invoke(TfLiteContext* context, WorkerPool* pool);

  int nodes() const { return steps_.size(); }
  // Weights, scratch and the tensors in between; the last two once it was prepared.
  size_t memory_bytes() const;
  double prepare_milliseconds() const { return prepare_milliseconds_; }
  void PrintProfile() const;
  void Report(const TfLiteEqObserver& observer) const;

 private:
  static constexpr int kNone = -1;

  // A tensor that steps read or write.
  struct Value {
    int tensor = kNoTensor;
    int producer = kNone;      // the step that writes it; none of the group's inputs
    bool outside = false;      // the runtime holds it: inputs and outputs of the group
    int storage = kNone;       // of a value inside: what in memory_ it lies in
    int joined = kNone;        // the value whose channels it is a part of: it is written there, and no CONCATENATION copies it
    int channel = 0;           // the first of these
    Shape shape;
    CodeBounds codes;  // that it is known to be among
  };
  struct Step {
    int node_index = kNone;
    OperatorHolder op;
    Array<int> inputs;  // values
    int output = kNone;
    Units units;
    // Among groups_, of a step that is run with others; if it is the last of them, in whose place they are.
    int group = kNone;
    bool is_last = false;
    // A step that adds edges to the first input, which this one can do without; at the present size that one `is_left_out`.
    int padding = kNone;
    bool is_left_out = false;
    int chain = kNone;  // among chains_, of a step that is run with others in stripes, at the present size
    // Of the present invocation.
    Array<const int8_t*> addresses;
    Codes codes;
    const int8_t* source = nullptr;  // of a group, at its last step
    double milliseconds = 0;
    long runs = 0;
  };

  struct Group {
    ChannelwiseGroup function;
    int source = kNone;  // a value
    bool runs = false;   // at the present size
  };

  // Steps that are run in stripes, in the place of the last of them. They follow each other among links_.
  struct Chain {
    Stripes stripes;
    int first = 0;
    int count = 0;
    int last = kNone;  // the step
  };

  bool FindGroups();
  void MakeGroups(TfLiteContext* context, const Environment& environment, int workers);
  bool IsFused(const Step& step) const { return step.group != kNone && groups_[step.group].runs; }
  void ChooseGroups();
  const RowWork& RowWorkOf(const Step& step) const;
  int SourceOf(const Step& step) const;
  bool IsOnlyReader(const Step& step, int value) const;
  bool GoesInStripes(const Step& writer, const Step& reader) const;
  void FindChains();
  void RunUnit(const Step& step, int unit, void* scratch, double* milliseconds) const;
  bool ReadSteps(TfLiteContext* context, const PartitionView& view);
  void PutMaximaFirst();
  bool Connect(TfLiteContext* context, const PartitionView& view);
  bool CountReaders();
  void JoinChannels();
  void FindPaddings();
  void LeavePaddingOut(Step* step);
  bool IsInside(const Value& value) const;
  bool WritesNothing(const Step& step) const;
  bool IsInPlace(const Step& step) const;
  bool ShareMemory();
  void PlaceOutputs();
  int8_t* AddressOf(TfLiteContext* context, const Value& value);
  bool PrepareSteps(TfLiteContext* context, const Environment& environment, int workers);
  CodeBounds CodesOf(const Step& step) const;
  bool ResizeStep(Step* step, Reason* reason);
  bool ReadInputShapes(TfLiteContext* context, Reason* reason);
  bool ResizeOutput(TfLiteContext* context, const Value& value, int node);
  bool HasItsTensors(TfLiteContext* context) const;
  void Locate(TfLiteContext* context);
  void Work(int worker);
  void AddTime(Step* step, double milliseconds, const double* parts);
  TfLiteStatus RunVerified(TfLiteContext* context, WorkerPool* pool);
  TfLiteStatus Verify(TfLiteContext* context, const Step& step);
  Description Describe(const Step& step) const;
  size_t packed_bytes() const;

  Array<Step> steps_;
  WorkShares shares_;  // of the steps
  Fusions fusions_;
  Array<Group> groups_;
  Array<int> readers_;  // by value
  Array<Chain> chains_;
  Array<Stripes::Link> links_;
  Array<int> link_steps_;  // by link
  Array<int> last_uses_;   // by storage, where nothing is run in stripes
  Array<Value> values_;
  MemoryPlan memory_;
  Workspace* workspace_ = nullptr;
  Workspace::Size size_;
  size_t worker_scratch_ = 0;
  int workers_ = 1;
  Buffer expected_;  // verify
  bool verify_ = false;
  bool profile_ = false;
  bool reference_in_place_ = false;
  bool fuse_ = true;
  StripeLimits stripe_limits_;
  bool prepared_ = false;
  double prepare_milliseconds_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_PROGRAM_H_
