// A convolution ready to run: weights transformed, constants computed, scratch size known. Run allocates nothing.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_PREPARED_CONV_H_
#define TFLITE_EQ_DELEGATE_KERNELS_PREPARED_CONV_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/buffer.h"
#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/thread_pool.h"

namespace tflite_eq {

class PreparedConv {
 public:
  PreparedConv() = default;
  PreparedConv(const PreparedConv&) = delete;
  PreparedConv& operator=(const PreparedConv&) = delete;
  ~PreparedConv();

  // Checks the certificate and packs the weights. The problem's pointers are not kept. False with a reason when the kernel
  // cannot compute the problem exactly, when this library or CPU lacks it, or when memory runs out.
  bool Prepare(const ConvProblem& problem, Algorithm algorithm, Isa isa, int workers, Reason* reason);

  // Adapts to another batch, height or width; channels, filter, strides and dilation must be those prepared for. Cheap: the
  // packed weights stay.
  void Reshape(const ConvShape& shape);
  // Has output pixels lie `stride` bytes apart from then on, where the kernel can (ConvKernel::places_outputs).
  void PlaceOutputs(int stride);

  // The work in units that may run in any order on any thread, and the scratch, aligned to Buffer::kAlignment, that a thread needs.
  int units() const { return plan_.units; }
  size_t worker_scratch_bytes() const;
  // The same for the number of workers prepared for.
  size_t scratch_bytes() const;
  // Bytes held for as long as this object lives.
  size_t memory_bytes() const;
  const ConvKernel& kernel() const { return *kernel_; }
  const ConvShape& shape() const { return context_.shape; }

  // Convolves. `pool` has at most the number of workers prepared for. Several threads may run the same object at once, each
  // with its own scratch.
  void Run(const int8_t* input, int8_t* output, void* scratch, ThreadPool* pool) const;
  // One unit of it, with a thread's scratch.
  void RunUnit(int unit, const int8_t* input, int8_t* output, void* scratch) const {
    kernel_->run(context_, plan_, unit, input, output, scratch);
  }
  // Output rows of one image, some at least, where the kernel can (ConvKernel::run_rows). `input` and `output` are where the image's
  // first rows are, or would be: only what is read or written has to be there.
  void RunRows(int row_begin, int row_end, const int8_t* input, int8_t* output, void* scratch) const;

 private:
  void Replan();

  const ConvKernel* kernel_ = nullptr;
  PreparedConv* fallback_ = nullptr;
  KernelContext context_ = {};
  WorkPlan plan_;
  int workers_ = 1;
  Buffer packed_;
  Requantization requantization_;
  FloatRequantization lines_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_PREPARED_CONV_H_
