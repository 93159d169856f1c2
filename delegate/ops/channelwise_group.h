// Operators of which every value depends on one code of one tensor, and its channel, run as one function of codes.
#ifndef TFLITE_EQ_DELEGATE_OPS_CHANNELWISE_GROUP_H_
#define TFLITE_EQ_DELEGATE_OPS_CHANNELWISE_GROUP_H_

#include <stdint.h>

#include "delegate/ops/channel_function.h"
#include "delegate/ops/even_units.h"
#include "delegate/ops/operator.h"

namespace tflite_eq {

class ChannelwiseGroup {
 public:
  // One of its operators, in the order in which they run. Inputs: the place of a member before it, or kSource.
  struct Member {
    Operator* op = nullptr;
    const int* inputs = nullptr;
  };
  static constexpr int kSource = -1;
  // All members' values for all codes are held at once while a group is made.
  static constexpr int kMostChannels = 4096;

  // Asks the members, which are prepared, for what they make of every code in every channel; their sizes are left changed. `kink`: the
  // code at which slopes change, if they do. False where they do not do what they said, or memory runs out.
  bool Make(const Member* members, int count, int channels, int kink, const Environment& environment, int workers);

  // Whether a source of this shape has these channels. Steps then write as many values in the same order, whatever their rank.
  bool Takes(const Shape& shape) const { return channels_ == 1 || LastOf(shape) == channels_; }
  Units Divide(const Shape& shape);
  // In place if wanted.
  void Run(const int8_t* source, int8_t* output, int unit) const;
  // By rows; after Divide.
  const RowWork& row_work() const { return row_work_; }
  Description Describe() const;

 private:
  static int LastOf(const Shape& shape) { return shape.rank > 0 ? shape.dims[shape.rank - 1] : 1; }

  ElementwiseKernels kernels_ = {};
  ChannelFunction function_;
  int channels_ = 1;
  EvenUnits units_;
  int workers_ = 1;
  RowWork row_work_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_CHANNELWISE_GROUP_H_
