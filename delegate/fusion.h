// Which steps of a program are run as one, and as what. A kind of fusion is a pattern over steps, found here from what operators say of
// themselves, and an object that computes what the steps compute one after the other, code for code.
//
// There is one kind: steps of which every value depends on one code of one tensor and its channel alone (Operator::channelwise), as
//
//   x -> RELU -> MUL by constants -> y        x -> ADD 0 --------------------> ADD -> y
//                                               -> DEPTHWISE_CONV_2D 1x1 ----->
//
// the latter being what a PRELU is written as for runtimes that are slow at it. They are a function of 256 codes for each channel, which
// is known once the steps themselves have been asked for all of them (ops/channelwise_group.h).
//
// Nobody but steps of the group may read what its steps write, its last step excepted.
#ifndef TFLITE_EQ_DELEGATE_FUSION_H_
#define TFLITE_EQ_DELEGATE_FUSION_H_

#include "delegate/array.h"

namespace tflite_eq {

// A step as far as fusing is concerned; tensors are numbers below the count that is given with them.
struct FusibleStep {
  const int* inputs = nullptr;
  int input_count = 0;
  int output = 0;
  int channelwise = 0;  // of its operator; 0 for what is not to be fused
};

class Fusions {
 public:
  static constexpr int kNone = -1;
  static constexpr int kMostSteps = 16;  // of a group

  // `kept`: for each tensor whether others than these steps read it. False when memory runs out.
  bool Find(const Array<FusibleStep>& steps, const Array<bool>& kept);

  // The last step of the group that a step belongs to; kNone for most.
  int last_of(int step) const { return last_of_[step]; }
  // Of a group's last step: the tensor that all of it depends on.
  int source_of(int last) const { return source_of_[last]; }
  int channels_of(int last) const { return channels_of_[last]; }

 private:
  struct Group;
  void Grow(const Array<FusibleStep>& steps, const Array<bool>& kept, int last);

  Array<int> last_of_, source_of_, channels_of_;
  Array<int> producer_, readers_;  // by tensor
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_FUSION_H_
