// The interface between a convolution kernel (one algorithm written for one instruction set) and the rest.
//
// A kernel never allocates. It says how much memory its packed weights and its scratch take, packs the weights once, divides
// the output into units of work that can run in any order on any thread, and runs one unit at a time.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_CONV_KERNEL_H_
#define TFLITE_EQ_DELEGATE_KERNELS_CONV_KERNEL_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/always_inline.h"
#include "delegate/kernels/certificate.h"
#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/requantize.h"
#include "delegate/kernels/requantize_float.h"

namespace tflite_eq {

struct ConvKernel;

// What a kernel sees when it runs.
struct KernelContext {
  ConvShape shape;
  int32_t input_zero_point;
  const Requantization* requantization;
  const void* packed;
  // For kernels that ask for it (uses_lines); null for the others.
  const FloatRequantization* lines;
  // The direct kernel for the same problem, for kernels that need one on some inputs; null for the others. It takes at most
  // `fallback_rows` rows at a time.
  const ConvKernel* fallback_kernel;
  const KernelContext* fallback_context;
  int fallback_rows;
  // Bytes of a worker's scratch that are the kernel's own; the fallback's follow.
  size_t own_scratch_bytes;
  // Bytes from one output pixel to the next, for kernels that place outputs: 0 for as many as there are output channels.
  int output_stride = 0;

  TFLITE_EQ_ALWAYS_INLINE int output_pixel() const { return output_stride > 0 ? output_stride : shape.output_channels; }
};

// How the output is divided for one shape.
struct WorkPlan {
  TFLITE_EQ_ALWAYS_INLINE WorkPlan() = default;
  int units = 0;
  // Kernel-specific: output rows or tiles in a unit.
  int unit_size = 0;
  // Of the output channels, for kernels that divide them: so many units, one after the other, have the same pixels.
  int parts = 1;
  size_t scratch_bytes = 0;  // for each worker
};

struct ConvKernel {
  Algorithm algorithm;
  Isa isa;
  // Inputs that fit in no window of 128 codes (winograd_1d_weights.h) make this kernel call on a fallback.
  bool needs_fallback;
  // Whether it requantizes by lines (requantize_float.h) where they are exact.
  bool uses_lines;
  // Whether the kernel computes this problem exactly; if not, why.
  bool (*certify)(const ConvProblem& problem, Reason* reason);
  size_t (*packed_bytes)(const ConvProblem& problem);
  void (*pack)(const ConvProblem& problem, void* packed);
  WorkPlan (*plan)(const ConvShape& shape, int workers);
  void (*run)(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
              void* scratch);
  // Output rows [row_begin, row_end) of one image, at most plan.unit_size of them. Only kernels that serve as a fallback have
  // it; null for the others.
  void (*run_rows)(const KernelContext& context, int image, int row_begin, int row_end, const int8_t* input,
                   int8_t* output, void* scratch);
  // Whether output pixels may lie further apart than they are large (output_pixel), as parts of the pixels of a concatenation do.
  bool places_outputs = false;
};

// Has the fallback compute output rows [row_begin, row_end) of one image. `scratch` is what the caller was given; its part of
// it is left alone.
static inline void RunFallback(const KernelContext& context, int image, int row_begin, int row_end, const int8_t* input,
                               int8_t* output, void* scratch) {
  void* rest = static_cast<char*>(scratch) + context.own_scratch_bytes;
  for (int row = row_begin; row < row_end; row += context.fallback_rows) {
    const int end = row + context.fallback_rows < row_end ? row + context.fallback_rows : row_end;
    context.fallback_kernel->run_rows(*context.fallback_context, image, row, end, input, output, rest);
  }
}

// The kernel for an algorithm and instruction set, or null when the library has none. Says nothing about the running CPU.
const ConvKernel* FindKernel(Algorithm algorithm, Isa isa);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_CONV_KERNEL_H_
