// Transformed weights of the two-dimensional kernels: G w G^T with integer G, in the order the multiplication reads them.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_2D_WEIGHTS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_2D_WEIGHTS_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/always_inline.h"
#include "delegate/kernels/conv_types.h"

namespace tflite_eq {

// Transforms one 3x3 filter tap set w[9] for F(output x output, 3x3), output 2 or 4, into (output + 2)^2 values.
void TransformWinograd2dFilter(int output, const int8_t* w, int16_t* u);

// What an instruction set wants its weights to look like.
struct Winograd2dFormat {
  int output;      // 4 or 2
  int cout_block;  // output channels side by side
  int group;       // input channels come in groups, the last padded with zeros
  // A group is [cout][channel], for instructions that add products of neighbours, or else [channel][cout].
  bool interleaved;
};

// [cout block][position][group of channels][group * cout_block], followed by the number of parts of each cout block (see
// WinogradParts) and the initial values of the accumulators, [cout block][part][cout], times 576 or 4.
size_t Winograd2dPackedBytes(const Winograd2dFormat& format, const ConvProblem& problem);
void PackWinograd2d(const Winograd2dFormat& format, const ConvProblem& problem, void* packed);

// Addresses inside a packed block.
class Winograd2dWeights {
 public:
  Winograd2dWeights(const void* packed, const Winograd2dFormat& format, const ConvShape& shape);

  // In how many parts a cout block's input channels are multiplied.
  TFLITE_EQ_ALWAYS_INLINE int parts(int block) const { return part_counts()[block]; }
  TFLITE_EQ_ALWAYS_INLINE const int16_t* position(int block, int position) const {
    return packed_ + (static_cast<size_t>(block) * positions_ + position) * position_size_;
  }
  // The values a position's accumulators start from. Only position (1, 1), which A^T passes to every output with weight 1,
  // starts from anything but zero.
  TFLITE_EQ_ALWAYS_INLINE const int32_t* initial(int block, int position, int part) const {
    const int32_t* values = part_counts() + part_counts_size_;
    return values + (position == bias_position_ ? 1 + block * most_parts() + part : 0) * cout_block_;
  }

 private:
  friend void PackWinograd2d(const Winograd2dFormat& format, const ConvProblem& problem, void* packed);

  // One per block, and the largest of them.
  TFLITE_EQ_ALWAYS_INLINE const int32_t* part_counts() const {
    return reinterpret_cast<const int32_t*>(packed_ + blocks_ * positions_ * position_size_);
  }
  TFLITE_EQ_ALWAYS_INLINE int most_parts() const { return part_counts()[blocks_]; }

  const int16_t* packed_;
  int cout_block_;
  size_t blocks_;
  int positions_;
  int bias_position_;
  size_t position_size_;  // int16 values
  size_t part_counts_size_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_2D_WEIGHTS_H_
