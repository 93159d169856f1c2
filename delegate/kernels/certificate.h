// Proofs, from the actual weights, that a kernel is exact for every possible input. A kernel whose certificate does not hold
// for some output channel is not run on the layer; the refusal names the channel and the bound.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_CERTIFICATE_H_
#define TFLITE_EQ_DELEGATE_KERNELS_CERTIFICATE_H_

#include <stdint.h>

#include "delegate/kernels/always_inline.h"
#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/reason.h"

namespace tflite_eq {

// The exact range of sum (q - zero_point) * w + bias over all int8 codes q. Padding lies within it: it reads as q = zero_point.
struct AccumulatorRange {
  int64_t min;
  int64_t max;
  TFLITE_EQ_ALWAYS_INLINE int64_t magnitude() const { return -min > max ? -min : max; }
};
AccumulatorRange ChannelRange(const ConvProblem& problem, int channel);

// The same without the bias.
AccumulatorRange ChannelRangeWithoutBias(const ConvProblem& problem, int channel);

// The 2-D kernels compute `scale` times the convolution modulo 2^32 and divide exactly, so the quotient must be recoverable:
// |acc| < 2^31 / 64 for F(4x4,3x3) (576 = 9 * 64, and 9 is invertible) and |acc| < 2^31 / 4 for F(2x2,3x3). The bias takes part
// in this only where it leaves the accumulator below 2^25; elsewhere it is added after the division.
bool BiasComesLate(const ConvProblem& problem, int channel);
inline constexpr int kWinogradF43Bits = 25;
inline constexpr int kWinogradF23Bits = 29;

// Where the bound fails, the input channels are cut into parts for which it holds: each is multiplied and divided by itself, and
// the quotients are added. Every part's range contains zero (all codes at the zero point), so a bias that leaves the whole below
// the bound leaves the first part below it too. Parts consist of whole blocks of this many channels:
inline constexpr int kWinogradPartChannels = 32;
// The first channel of a part; `part` may be `parts`, which gives the number of input channels.
int WinogradPartBegin(int input_channels, int parts, int part);
// The fewest parts that make the bound hold for output channels [first, first + count), or as many of them as there are.
// 0 with a reason when no number does.
int WinogradParts(const ConvProblem& problem, int bits, int first, int count, Reason* reason);
bool CertifyWinogradF43(const ConvProblem& problem, Reason* reason);
bool CertifyWinogradF23(const ConvProblem& problem, Reason* reason);

// Depthwise convolutions, and all others: every kernel but the reference computes either the ones or the others. 32-bit
// accumulators take all weights.
bool CertifyDepthwise(const ConvProblem& problem, Reason* reason);
bool CertifyDirect(const ConvProblem& problem, Reason* reason);

// The direct kernels that sum products of 7-bit codes in 16 bits. Four of them always fit, 4 * 64 * 127 < 2^15 for codes in [-64, 63]
// and no weight of -128. Eight do where their weights' magnitudes add up to no more than this: 64 * 511 < 2^15. Kernels look at the
// weights of each lane.
inline constexpr int kInt7LaneWeights = 511;
bool CertifyDirectInt7(const ConvProblem& problem, Reason* reason);

// How an output channel enters the one-dimensional kernel.
enum class Winograd1dForm {
  // U1 = w0+w1+w2 and U2 = w0-w1+w2 fit in int8; (m1 +- m2) is halved after accumulation.
  kHalveSums,
  // Every horizontal triplet has an even sum and the halves of U1, U2 fit: nothing is halved.
  kHalveWeights,
  // Neither, but w0+w1 fits: F(2,2) on the first two taps, and the third tap by itself. Five multiplications instead of six.
  kTwoTaps,
  kNone,
};
// Classifies one output channel of a 3x3 filter [row][column][input channel].
Winograd1dForm ClassifyWinograd1d(const int8_t* filter, int input_channels);

// Whether all channels can be computed in form kHalveSums or kHalveWeights (`*two_taps` false), or all in kTwoTaps (true).
bool CertifyWinograd1d(const ConvProblem& problem, bool* two_taps, Reason* reason);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_CERTIFICATE_H_
