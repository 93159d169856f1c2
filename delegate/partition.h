// What runs in place of a group of claimed nodes: prepared convolutions in order, and the tensors between them.
#ifndef TFLITE_EQ_DELEGATE_PARTITION_H_
#define TFLITE_EQ_DELEGATE_PARTITION_H_

#include "delegate/array.h"
#include "delegate/conv_node.h"
#include "delegate/graph/graph_view.h"
#include "delegate/kernels/buffer.h"
#include "delegate/kernels/prepared_conv.h"
#include "delegate/options.h"
#include "delegate/tflite_abi.h"
#include "delegate/tflite_eq_observer.h"
#include "delegate/worker_pool.h"

namespace tflite_eq {

class Partition {
 public:
  // Reads the nodes and transforms their weights. False after reporting to the context.
  bool Init(TfLiteContext* context, const TfLiteDelegateParams& params, const DelegateOptions& options,
            const CpuProfile& cpu, int workers);
  // Computes shapes from the partition's inputs, resizes its outputs, and allocates what invocations need.
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
  struct Step {
    int node_index = -1;
    ConvNode node;
    PreparedConv conv;
    // The step that writes the input, which comes earlier; kOutside when the runtime has it.
    int producer = kOutside;
    // Of the tensor it writes, when that exists only inside the partition; kOutside when the runtime holds it.
    int output_buffer = kOutside;
    double milliseconds = 0;
    long runs = 0;
  };
  static constexpr int kOutside = -1;

  bool ReadSteps(TfLiteContext* context, const PartitionView& view, const DelegateOptions& options, const CpuProfile& cpu,
                 int workers);
  bool Connect(TfLiteContext* context, const PartitionView& view);
  bool AssignBuffers(const Array<int>& last_reader);
  bool ResizeStep(TfLiteContext* context, Step* step);
  bool ResizeOutput(TfLiteContext* context, const Step& step);
  bool HasItsTensors(TfLiteContext* context) const;
  TfLiteStatus Verify(TfLiteContext* context, const Step& step, const int8_t* input, const int8_t* output);
  size_t packed_bytes() const;
  size_t tensor_bytes() const;

  Array<Step> steps_;
  // One per tensor inside the partition, shared by those whose lives do not overlap: steps are in order, so a tensor lives from
  // the step that writes it to the last that reads it.
  Array<Buffer> buffers_;
  Array<size_t> buffer_bytes_;
  Buffer scratch_;
  Buffer expected_;  // verify
  bool verify_ = false;
  bool profile_ = false;
  bool prepared_ = false;
  double prepare_milliseconds_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_PARTITION_H_
