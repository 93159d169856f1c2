#include "delegate/ops/channel_function.h"

namespace tflite_eq {

void ChannelFunction::Make(Buffer* tables, int channels, int kink, const ElementwiseKernels& kernels) {
  channels_ = channels;
  const auto* codes = tables->as<int8_t>();
  // One function for all is a table that vectors look up faster than they compute.
  if (channels > 1 && kernels.follow_channel_lines != nullptr && lines_.Fit(codes, channels, kink)) return;
  tables_.Swap(tables);
}

void ChannelFunction::Run(const ElementwiseKernels& kernels, const int8_t* input, int8_t* output, size_t pixels) const {
  if (lines_.fits()) return kernels.follow_channel_lines(lines_, input, output, pixels);
  const auto* tables = tables_.as<int8_t>();
  if (channels_ == 1) return kernels.look_up(tables, input, output, pixels);
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    const int8_t* table = tables + 128;
    for (int c = 0; c < channels_; ++c, table += kCodes) *output++ = table[*input++];
  }
}

}  // namespace tflite_eq
