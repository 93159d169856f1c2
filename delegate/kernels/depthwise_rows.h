// How the depthwise kernels go through a layer, whatever they are written for.
//
// Output channels are taken in blocks, and rows in segments of columns that keep what is prepared in the first-level cache. For every
// block and segment, output rows are computed from top to bottom. The input rows under them are prepared as the instruction set wants
// them (padding included, channels multiplied, taps side by side), each once while the filter passes over it: a ring holds them.
//
// An instruction set says how:
//
//   struct Ops {
//     static constexpr Isa kIsa;
//     static constexpr bool kUsesLines;  // for requantization
//     static size_t PackedBytes(const ConvProblem& problem);
//     static void Pack(const ConvProblem& problem, void* packed);
//     // What a prepared row takes for `columns` outputs of any block; it grows with them.
//     static size_t RowBytes(const ConvShape& shape, int columns);
//     // What it wants to know of the input rows [begin, end) of an image, parts of which may lie outside, before it begins with them.
//     struct Input {
//       Input(const KernelContext& context, const int8_t* image, int begin, int end);
//     };
//     // Output channels from `channel` on, as many as are done at once, for a segment of `columns` outputs.
//     class Block {
//      public:
//       Block(const KernelContext& context, const Input& input, int channel, int columns);
//       int channels() const;  // output channels
//       // Prepares an input row. `codes` is its beginning and null for padding; `x` is the column under the first output and tap.
//       void Fill(const int8_t* codes, int64_t x, char* row) const;
//       // Computes the segment of an output row; `output` is its first code of the block. One prepared row for each filter row.
//       void Compute(const char* const* rows, int8_t* output) const;
//     };
//   };
#ifndef TFLITE_EQ_DELEGATE_KERNELS_DEPTHWISE_ROWS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_DEPTHWISE_ROWS_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/plane_rows.h"
#include "delegate/kernels/row_units.h"

namespace tflite_eq {
namespace {

// Rows of the ring: input row y lies in slot y modulo their number. Those that one output row looks at must not share a slot.
inline int RingRows(const ConvShape& s) {
  if (s.filter_height <= 0 || s.input_height <= 0) return 1;
  // Filter rows that are inside the image at the same time.
  const int inside = (s.input_height - 1) / s.dilation_height + 1;
  const int taps = s.filter_height < inside ? s.filter_height : inside;
  // All rows from the first to the last of them, so that the next output rows find those in between; where dilation is wide, as many
  // as keep rows that are a dilation apart in slots of their own.
  constexpr int kMostBetween = 64;
  const int64_t span = (int64_t{taps} - 1) * s.dilation_height + 1;
  if (s.dilation_height == 1 || span <= kMostBetween) return static_cast<int>(span);
  int rows = taps;
  while (PlaneRows::GreatestCommonDivisor(rows, s.dilation_height) != 1) ++rows;
  return rows;
}

template <typename Ops>
class DepthwiseRows {
 public:
  static WorkPlan Plan(const ConvShape& shape, int workers) {
    if (IsEmpty(shape)) return WorkPlan();
    // Rows at the upper end of a unit are prepared again; equally many units for each worker.
    constexpr int kMostRows = 16;
    const int each = (shape.output_height - 1) / (workers * kMostRows) + 1;
    WorkPlan plan = PlanRows(shape, workers, workers == 1 ? shape.output_height : (shape.output_height - 1) / (workers * each) + 1);
    plan.scratch_bytes = Scratch(shape).bytes();
    return plan;
  }

  static void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
                  void* scratch) {
    const RowRange rows = UnitRows(context.shape, plan, unit);
    RunRows(context, rows.image, rows.begin, rows.end, input, output, scratch);
  }

  static void RunRows(const KernelContext& context, int image, int row_begin, int row_end, const int8_t* input, int8_t* output,
                      void* scratch) {
    const ConvShape& s = context.shape;
    const Scratch layout(s);
    Ring ring(layout, static_cast<char*>(scratch));
    input += static_cast<size_t>(image) * s.input_height * s.input_width * s.input_channels;
    output += static_cast<size_t>(image) * s.output_height * s.output_width * s.output_channels;
    const int top = row_begin * s.stride_height - s.pad_top;
    const typename Ops::Input seen(context, input, top, top + PlaneRows(s, row_end - row_begin).input_rows);
    for (int column = 0; column < s.output_width; column += layout.columns) {
      const int left = s.output_width - column;
      const int columns = left < layout.columns ? left : layout.columns;
      const int64_t x = int64_t{column} * s.stride_width - s.pad_left;
      for (int channel = 0; channel < s.output_channels;) {
        const typename Ops::Block block(context, seen, channel, columns);
        ring.Clear();
        for (int row = row_begin; row < row_end; ++row) {
          const char* const* rows = ring.Rows(s, block, input, row, x);
          block.Compute(rows, output + (static_cast<size_t>(row) * s.output_width + column) * s.output_channels + channel);
        }
        channel += block.channels();
      }
    }
  }

  static constexpr ConvKernel Kernel() {
    return {Algorithm::kDepthwise, Ops::kIsa, /*needs_fallback=*/false, Ops::kUsesLines, CertifyDepthwise, Ops::PackedBytes,
            Ops::Pack, Plan, Run, RunRows};
  }

 private:
  // What a worker's scratch holds: pointers to the rows of a filter; the input row in every slot of the ring; a row of padding and
  // the slots.
  struct Scratch {
    explicit Scratch(const ConvShape& s)
        : columns(SegmentColumns(s)), row_bytes(Ops::RowBytes(s, columns)), taps(s.filter_height), slots(RingRows(s)) {}
    size_t held() const { return taps * sizeof(const char*); }
    size_t rows() const { return RoundUpToLine(held() + slots * sizeof(int)); }
    size_t bytes() const { return rows() + (slots + 1) * row_bytes; }

    static size_t RoundUpToLine(size_t bytes) { return (bytes + 63) / 64 * 64; }
    static int SegmentColumns(const ConvShape& s) {
      // Most of a first-level cache of 32 KiB, and at least a tile.
      constexpr size_t kTarget = 28 << 10;
      constexpr int kFewest = 16;
      const size_t slots = static_cast<size_t>(RingRows(s)) + 1;
      int most = LargestWithin(s.output_width, kTarget, [&](int n) { return SaturatingProduct(slots, Ops::RowBytes(s, n)); });
      if (most < kFewest) most = kFewest;
      if (most >= s.output_width) return s.output_width;
      const int segments = (s.output_width - 1) / most + 1;
      return (s.output_width - 1) / segments + 1;
    }

    int columns;  // of outputs in a segment
    size_t row_bytes;
    size_t taps;
    size_t slots;
  };

  class Ring {
   public:
    Ring(const Scratch& layout, char* scratch)
        : layout_(layout),
          taps_(reinterpret_cast<const char**>(scratch)),
          held_(reinterpret_cast<int*>(scratch + layout.held())),
          padding_(scratch + layout.rows()),
          slots_(padding_ + layout.row_bytes) {}

    void Clear() {
      for (size_t slot = 0; slot < layout_.slots; ++slot) held_[slot] = -1;
      padding_filled_ = false;
    }

    // The input rows under an output row, prepared.
    const char* const* Rows(const ConvShape& s, const typename Ops::Block& block, const int8_t* image, int row, int64_t x) {
      const int slots = static_cast<int>(layout_.slots);
      const int step = s.dilation_height % slots;
      int64_t y = int64_t{row} * s.stride_height - s.pad_top;
      int slot = -1;  // of y, once that is inside: divided once, for a division takes as long as a vector of outputs
      for (size_t ky = 0; ky < layout_.taps; ++ky, y += s.dilation_height) {
        if (y < 0 || y >= s.input_height) {
          taps_[ky] = Padding(block, x);
          continue;
        }
        slot = slot < 0 ? static_cast<int>(y) % slots : slot + step < slots ? slot + step : slot + step - slots;
        taps_[ky] = Row(s, block, image, static_cast<int>(y), slot, x);
      }
      return taps_;
    }

   private:
    const char* Padding(const typename Ops::Block& block, int64_t x) {
      if (!padding_filled_) block.Fill(nullptr, x, padding_);
      padding_filled_ = true;
      return padding_;
    }
    const char* Row(const ConvShape& s, const typename Ops::Block& block, const int8_t* image, int y, int slot, int64_t x) {
      char* row = slots_ + slot * layout_.row_bytes;
      if (held_[slot] != y) {
        block.Fill(image + static_cast<size_t>(y) * s.input_width * s.input_channels, x, row);
        held_[slot] = y;
      }
      return row;
    }

    const Scratch& layout_;
    const char** taps_;
    int* held_;
    char* padding_;
    char* slots_;
    bool padding_filled_ = false;
  };
};

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_DEPTHWISE_ROWS_H_
