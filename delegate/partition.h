// What runs in place of a group of claimed nodes: prepared convolutions in order, and the tensors between them.
#ifndef TFLITE_EQ_DELEGATE_PARTITION_H_
#define TFLITE_EQ_DELEGATE_PARTITION_H_

#include "delegate/array.h"
#include "delegate/conv_node.h"
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
    // The buffers of tensors that exist only inside the partition, -1 for those the runtime holds.
    int input_buffer = -1;
    int output_buffer = -1;
    double milliseconds = 0;
    long runs = 0;
  };

  bool ResizeStep(TfLiteContext* context, Step* step);
  TfLiteStatus Verify(TfLiteContext* context, const Step& step, const int8_t* input, const int8_t* output);
  bool IsPartitionOutput(int tensor) const;
  size_t packed_bytes() const;
  size_t tensor_bytes() const;

  Array<Step> steps_;
  Array<int> outputs_;
  // One per tensor inside the partition, shared by those whose lives do not overlap: steps are in order, so a tensor lives from
  // the step that writes it to the last that reads it.
  Array<Buffer> buffers_;
  Array<size_t> buffer_bytes_;
  Buffer scratch_;
  Buffer expected_;  // verify
  bool verify_ = false;
  bool profile_ = false;
  double prepare_milliseconds_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_PARTITION_H_
