// Functions of codes on lines (code_lines.h) with the instructions that AVX2 and AVX-512 have in common.
//
// `V` holds primitives besides those of elementwise_x86.h: vectors of floats, of type Floats, of which kParts hold a vector of codes
//
//   ToFloats        of the codes that lie at an address, as many as fit
//   MulAdd          fma
//   SelectBelow     by what is below a limit
//   ToCodes         nearest integers of kParts vectors, saturated, in order
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_LINES_X86_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_LINES_X86_H_

#include "delegate/kernels/code_lines.h"
#include "delegate/kernels/elementwise_x86.h"

namespace tflite_eq {
namespace {

template <class V>
struct AddLineBlock {
  static constexpr int kLanes = V::kBytes / V::kParts;
  typename V::Floats scale[2];
  typename V::Floats offset;
  typename V::Vec low;
  typename V::Vec high;

  explicit AddLineBlock(const AddLine& line)
      : scale{V::SetFloat(line.scale[0]), V::SetFloat(line.scale[1])},
        offset(V::SetFloat(line.offset)),
        low(V::Set8(static_cast<int8_t>(line.activation_min))),
        high(V::Set8(static_cast<int8_t>(line.activation_max))) {}

  typename V::Vec operator()(const int8_t* first, const int8_t* second) const {
    typename V::Floats sums[V::kParts];
    for (int i = 0; i < V::kParts; ++i) {
      sums[i] = V::MulAdd(V::ToFloats(first + kLanes * i), scale[0], V::MulAdd(V::ToFloats(second + kLanes * i), scale[1], offset));
    }
    return V::Min8(V::Max8(V::ToCodes(sums), low), high);
  }
};

template <class V>
inline void AddOnLine(const AddLine& line, const int8_t* first, const int8_t* second, int8_t* output, size_t count) {
  const AddLineBlock<V> block(line);
  size_t i = 0;
  for (; i + V::kBytes <= count; i += V::kBytes) V::Store(output + i, block(first + i, second + i));
  if (i == count) return;
  int8_t rest[2][V::kBytes] = {};
  memcpy(rest[0], first + i, count - i);
  memcpy(rest[1], second + i, count - i);
  V::StorePartial(output + i, block(rest[0], rest[1]), count - i);
}

// The constants of V::kBytes values, which lie in a block from `at` on.
template <class V>
struct ChannelLinesBlock {
  static constexpr int kLanes = V::kBytes / V::kParts;
  typename V::Floats scale[2][V::kParts];
  typename V::Floats offset[2][V::kParts];
  typename V::Floats kink;

  ChannelLinesBlock(const ChannelLines& lines, int at) : kink(V::SetFloat(static_cast<float>(lines.kink()))) {
    const ChannelLines::Block& block = *lines.block(at / ChannelLines::kBlock);
    const int lane = at % ChannelLines::kBlock;
    for (int i = 0; i < V::kParts; ++i) {
      for (int side = 0; side < 2; ++side) {
        scale[side][i] = V::LoadFloats(block.scale[side] + lane + kLanes * i);
        offset[side][i] = V::LoadFloats(block.offset[side] + lane + kLanes * i);
      }
    }
  }

  typename V::Vec operator()(const int8_t* from) const {
    typename V::Floats values[V::kParts];
    for (int i = 0; i < V::kParts; ++i) {
      const auto x = V::ToFloats(from + kLanes * i);
      values[i] = V::SelectBelow(x, kink, V::MulAdd(x, scale[1][i], offset[1][i]), V::MulAdd(x, scale[0][i], offset[0][i]));
    }
    return V::ToCodes(values);
  }
};

template <class V>
inline void FollowChannelLines(const ChannelLines& lines, const int8_t* input, int8_t* output, size_t pixels) {
  const auto channels = static_cast<size_t>(lines.channels());
  const int blocks = lines.blocks() * (ChannelLines::kBlock / V::kBytes);
  const size_t count = pixels * channels;
  const size_t step = lines.runs_on() ? static_cast<size_t>(blocks) * V::kBytes : channels;
  // Block by block, each for all places where it stands: its constants stay in registers meanwhile.
  for (int b = 0; b < blocks; ++b) {
    const size_t begin = static_cast<size_t>(b) * V::kBytes;
    if (begin >= (lines.runs_on() ? count : channels)) return;
    const ChannelLinesBlock<V> block(lines, b * V::kBytes);
    const size_t width = lines.runs_on() || channels - begin > V::kBytes ? V::kBytes : channels - begin;
    for (size_t i = begin; i < count; i += step) {
      const size_t left = count - i < width ? count - i : width;
      if (left == V::kBytes) {
        V::Store(output + i, block(input + i));
        continue;
      }
      int8_t rest[V::kBytes] = {};
      memcpy(rest, input + i, left);
      V::StorePartial(output + i, block(rest), left);
    }
  }
}

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_LINES_X86_H_
