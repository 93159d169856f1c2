// Functions of int8 codes, one for each channel: what PRELU is, and any group of operators of which each value depends on one code and
// its channel alone. Known from what they give for every code; computed by two lines per channel where these give the same
// (kernels/code_lines.h), else from tables.
#ifndef TFLITE_EQ_DELEGATE_OPS_CHANNEL_FUNCTION_H_
#define TFLITE_EQ_DELEGATE_OPS_CHANNEL_FUNCTION_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/buffer.h"
#include "delegate/kernels/code_lines.h"
#include "delegate/kernels/elementwise.h"

namespace tflite_eq {

class ChannelFunction {
 public:
  // Takes `tables`: 256 codes for each channel. `kink` is the least code on the upper line.
  void Make(Buffer* tables, int channels, int kink, const ElementwiseKernels& kernels);

  bool on_lines() const { return lines_.fits(); }
  // In place if wanted.
  void Run(const ElementwiseKernels& kernels, const int8_t* input, int8_t* output, size_t pixels) const;

  const char* name() const { return on_lines() ? "lines" : "table"; }
  size_t memory_bytes() const { return lines_.memory_bytes() + tables_.size(); }

 private:
  ChannelLines lines_;
  Buffer tables_;  // where there are no lines
  int channels_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_CHANNEL_FUNCTION_H_
