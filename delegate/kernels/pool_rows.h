// MAX_POOL_2D and AVERAGE_POOL_2D for any instruction set: vectors run over channels, or over pixels and channels alike where there
// are few.
//
// A maximum over a window is that over columns of those over rows. Three ways, by what a window costs in vector operations:
//   few channels    a row of codes as it lies in memory: maxima over rows, then over the columns of a window, `channels` bytes apart,
//                   both whatever a byte's channel; then every stride-th pixel is kept
//   large windows   for each vector of channels, maxima over rows for each column are kept, and windows take theirs from these
//   otherwise       each window by itself
//
// An average is taken of each window by itself: sums of words over as many pixels as cannot overflow, then of double words. The oracle
// divides integers, half away from zero: trunc((sum + sign(sum) * floor(count / 2)) / count). Here it is, in single precision,
// trunc((sum + sign(sum) * (floor(count / 2) + 1/2)) * (1 / count)). The first factor is exact, being below 2^23, and with the added
// half the quotient lies 1 / (2 count) or more from any whole number, without changing what truncation makes of it. It is at most 129,
// and rounding of 1 / count and of the product moves it by less than 129 * 2^-23 < 2^-15: nothing for counts up to 2^13 (kMostExact).
// Larger windows are divided as integers.
//
// Beyond the primitives of elementwise_blocks.h, `V` has
//
//   Set8, Min8, Max8
//   Sums, ClearSums              int16 sums of kBytes channels
//   AddPair                      adds two vectors of codes to them
//   WideSums, ClearWideSums      int32 sums
//   Flush                        adds Sums to WideSums
//   Divide                       of WideSums by the formula above, to codes
//   StoreWideSums                to int32[kBytes], in order
#ifndef TFLITE_EQ_DELEGATE_KERNELS_POOL_ROWS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_POOL_ROWS_H_

#include "delegate/kernels/elementwise_blocks.h"

namespace tflite_eq {
namespace {

// One output row of a pool and the inputs under it.
struct PoolRow {
  const PoolShape& shape;
  const int8_t* input;  // of the first input row under it
  const int8_t* input_end;
  int rows;
  int8_t* output;
  int8_t* output_end;
  ptrdiff_t pitch;  // of input rows

  PoolRow(const PoolShape& s, const int8_t* image, int row, int8_t* output_image) : shape(s) {
    const PoolAxis::Window window = s.rows.WindowOf(row);
    pitch = static_cast<ptrdiff_t>(s.columns.input) * s.channels;
    input = image + window.begin * pitch;
    rows = window.end - window.begin;
    input_end = input + rows * pitch;
    const ptrdiff_t output_pitch = static_cast<ptrdiff_t>(s.columns.output) * s.channels;
    output = output_image + row * output_pitch;
    output_end = output + output_pitch;
  }
};

template <class V>
class MaxPoolRow {
 public:
  explicit MaxPoolRow(const PoolShape& shape)
      : shape_(shape),
        low_(V::Set8(static_cast<int8_t>(shape.activation_min))),
        high_(V::Set8(static_cast<int8_t>(shape.activation_max))) {}

  void Run(const PoolRow& row) const {
    const int filter = shape_.columns.filter;
    const int stride = shape_.columns.stride;
    if (shape_.channels < V::kBytes) {
      // Outputs at a time, so that what is under them fits.
      const int pixels = kBytesOfRow / shape_.channels;
      if (filter <= pixels) return FewChannels(row, (pixels - filter) / stride + 1);
    } else if (filter <= kColumns && stride * row.rows + stride + filter < filter * row.rows) {
      return LargeWindows(row, (kColumns - filter) / stride + 1);
    }
    EachWindow(row);
  }

 private:
  static constexpr int kBytesOfRow = 4096;
  static constexpr int kColumns = 64;

  typename V::Vec Clamp(typename V::Vec codes) const { return V::Min8(V::Max8(codes, low_), high_); }

  static typename V::Vec OverRows(const PoolRow& row, const int8_t* from) {
    auto largest = V::Load(from);
    // Windows have few rows and columns: unrolled, the loops over them are longer and no faster.
#pragma clang loop unroll(disable)
    for (int y = 1; y < row.rows; ++y) largest = V::Max8(largest, V::Load(from + y * row.pitch));
    return largest;
  }

  void EachWindow(const PoolRow& row) const {
    const int channels = shape_.channels;
    for (int i = 0; i < shape_.columns.output; ++i) {
      const PoolAxis::Window window = shape_.columns.WindowOf(i);
      ForEachChannelBlock<V>(channels, [&](int channel, int count) {
        auto largest = V::Set8(-128);
        for (int y = 0; y < row.rows; ++y) {
          const int8_t* from = row.input + y * row.pitch + channel;
#pragma clang loop unroll(disable)
          for (int x = window.begin; x < window.end; ++x) {
            largest = V::Max8(largest, LoadCodes<V>(from + static_cast<ptrdiff_t>(x) * channels, count, row.input_end));
          }
        }
        StoreCodes<V>(row.output + static_cast<ptrdiff_t>(i) * channels + channel, Clamp(largest), count, row.output_end);
      });
    }
  }

  void LargeWindows(const PoolRow& row, int most_outputs) const {
    const PoolAxis& columns = shape_.columns;
    for (int first = 0; first < columns.output; first += most_outputs) {
      const int outputs = Least(most_outputs, columns.output - first);
      const int begin = columns.WindowOf(first).begin;
      const int end = columns.WindowOf(first + outputs - 1).end;
      ForEachChannelBlock<V>(shape_.channels, [&](int channel, int) {
        typename V::Vec largest[kColumns];
        for (int x = begin; x < end; ++x) {
          largest[x - begin] = OverRows(row, row.input + static_cast<ptrdiff_t>(x) * shape_.channels + channel);
        }
        for (int i = first; i < first + outputs; ++i) {
          const PoolAxis::Window window = columns.WindowOf(i);
          auto result = largest[window.begin - begin];
#pragma clang loop unroll(disable)
          for (int x = window.begin + 1; x < window.end; ++x) result = V::Max8(result, largest[x - begin]);
          V::Store(row.output + static_cast<ptrdiff_t>(i) * shape_.channels + channel, Clamp(result));
        }
      });
    }
  }

  void FewChannels(const PoolRow& row, int most_outputs) const {
    const PoolAxis& columns = shape_.columns;
    const int channels = shape_.channels;
    // Vectors read and write beyond what there is in it, and nothing looks at that.
    int8_t codes[kBytesOfRow + 2 * V::kBytes];
    for (int first = 0; first < columns.output; first += most_outputs) {
      const int outputs = Least(most_outputs, columns.output - first);
      FillRow(row, first, outputs, codes);
      const int bytes = ((outputs - 1) * columns.stride + 1) * channels;
      int8_t* const output = row.output + static_cast<ptrdiff_t>(first) * channels;
      if (columns.stride == 1) {
        int i = 0;
#pragma clang loop unroll(disable)
        for (; i + V::kBytes <= bytes; i += V::kBytes) V::Store(output + i, OverColumns(codes + i));
        if (i < bytes) V::StorePartial(output + i, OverColumns(codes + i), static_cast<size_t>(bytes - i));
      } else {
        // In place: what is read lies at or behind what is written.
#pragma clang loop unroll(disable)
        for (int i = 0; i < bytes; i += V::kBytes) V::Store(codes + i, OverColumns(codes + i));
        KeepPixels(codes, columns.stride * channels, channels, outputs, output);
      }
    }
  }

  // Maxima over rows for the columns under some outputs, padding with the least code.
  void FillRow(const PoolRow& row, int first, int outputs, int8_t* codes) const {
    const PoolAxis& columns = shape_.columns;
    const int channels = shape_.channels;
    const int left = first * columns.stride - columns.pad;
    const int right = left + (outputs - 1) * columns.stride + columns.filter;
    const int begin = left > 0 ? left : 0;
    const int end = Least(right, columns.input);
    memset(codes, -128, static_cast<size_t>((begin - left) * channels));
    const int8_t* const from = row.input + static_cast<ptrdiff_t>(begin) * channels;
    int8_t* const to = codes + (begin - left) * channels;
    const int bytes = (end - begin) * channels;
    int i = 0;
#pragma clang loop unroll(disable)
    for (; i + V::kBytes <= bytes; i += V::kBytes) V::Store(to + i, OverRows(row, from + i));
    if (i < bytes) {
      const auto rest = static_cast<size_t>(bytes - i);
      auto largest = V::Set8(-128);
#pragma clang loop unroll(disable)
      for (int y = 0; y < row.rows; ++y) largest = V::Max8(largest, V::LoadPartial(from + i + y * row.pitch, rest));
      V::Store(to + i, largest);
    }
    memset(to + bytes, -128, static_cast<size_t>((right - end) * channels));
  }

  typename V::Vec OverColumns(const int8_t* codes) const {
    auto largest = V::Load(codes);
#pragma clang loop unroll(disable)
    for (int x = 1; x < shape_.columns.filter; ++x) largest = V::Max8(largest, V::Load(codes + x * shape_.channels));
    return Clamp(largest);
  }

  // Every pixel that lies `step` bytes behind the last.
  static void KeepPixels(const int8_t* codes, int step, int channels, int pixels, int8_t* output) {
    if (channels <= 4) {
      KeepChunks<4>(codes, step, channels, pixels, output);
    } else if (channels <= 8) {
      KeepChunks<8>(codes, step, channels, pixels, output);
    } else if (channels <= 16) {
      KeepChunks<16>(codes, step, channels, pixels, output);
    } else {
      KeepChunks<V::kBytes>(codes, step, channels, pixels, output);
    }
  }

  // `bytes` at a time, no fewer than a pixel has: later pixels are written over what is too much of it.
  template <int bytes>
  static void KeepChunks(const int8_t* codes, int step, int channels, int pixels, int8_t* output) {
    int i = 0;
#pragma clang loop unroll(disable)
    for (; (pixels - i) * channels >= bytes; ++i) memcpy(output + i * channels, codes + i * step, bytes);
#pragma clang loop unroll(disable)
    for (; i < pixels; ++i) memcpy(output + i * channels, codes + i * step, static_cast<size_t>(channels));
  }

  const PoolShape& shape_;
  typename V::Vec low_;
  typename V::Vec high_;
};

template <class V>
inline void MaxPool(const PoolShape& shape, const int8_t* input, int row_begin, int row_end, int8_t* output) {
  const MaxPoolRow<V> pool(shape);
  for (int row = row_begin; row < row_end; ++row) pool.Run(PoolRow(shape, input, row, output));
}

// Pixels whose codes an int16 can sum up.
inline constexpr int kMostPixels = 254;
inline constexpr int kMostExact = 1 << 13;

// int32 sums of `count` channels over `columns` columns from `corner` on.
template <class V>
inline typename V::WideSums SumOfWindow(const PoolRow& row, const int8_t* corner, int columns, int count) {
  const ptrdiff_t pixel = row.shape.channels;
  auto wide = V::ClearWideSums();
  auto sums = V::ClearSums();
  int room = kMostPixels;
  for (int y = 0; y < row.rows; ++y) {
    const int8_t* from = corner + y * row.pitch;
    for (int x = 0; x < columns; x += 2) {
      const auto first = LoadCodes<V>(from, count, row.input_end);
      const auto second = x + 1 < columns ? LoadCodes<V>(from + pixel, count, row.input_end) : V::Set8(0);
      V::AddPair(&sums, first, second);
      from += 2 * pixel;
      room -= 2;
      if (room == 0) {
        V::Flush(&wide, sums);
        sums = V::ClearSums();
        room = kMostPixels;
      }
    }
  }
  V::Flush(&wide, sums);
  return wide;
}

// MEAN. `scale` makes codes of sums.
template <class V, class Scale>
inline void MeanOfImage(int pixels, const int8_t* input, int channels, int8_t* output, const Scale& scale) {
  // A constructor would be a symbol (always_inline.h).
  const PoolShape shape = {{1, 1, 1, 1, 0}, {pixels, 1, pixels, 1, 0}, channels, -128, 127};
  const PoolRow row(shape, input, 0, output);
  ForEachChannelBlock<V>(channels, [&](int channel, int count) {
    const auto sums = SumOfWindow<V>(row, input + channel, pixels, count);
    StoreCodes<V>(output + channel, scale(sums), count, row.output_end);
  });
}

template <class V>
inline void AveragePool(const PoolShape& shape, const int8_t* input, int row_begin, int row_end, int8_t* output) {
  const auto low = V::Set8(static_cast<int8_t>(shape.activation_min));
  const auto high = V::Set8(static_cast<int8_t>(shape.activation_max));
  const ptrdiff_t pixel = shape.channels;
  for (int y = row_begin; y < row_end; ++y) {
    const PoolRow row(shape, input, y, output);
    for (int i = 0; i < shape.columns.output; ++i) {
      const PoolAxis::Window window = shape.columns.WindowOf(i);
      const int columns = window.end - window.begin;
      const int pixels = row.rows * columns;
      ForEachChannelBlock<V>(shape.channels, [&](int channel, int count) {
        const int8_t* const corner = row.input + window.begin * pixel + channel;
        int8_t* const to = row.output + i * pixel + channel;
        const auto sums = SumOfWindow<V>(row, corner, columns, count);
        typename V::Vec codes;
        if (pixels <= kMostExact) {
          codes = V::Divide(sums, pixels);
        } else {
          int32_t values[V::kBytes];
          int8_t quotients[V::kBytes];
          V::StoreWideSums(values, sums);
          for (int c = 0; c < V::kBytes; ++c) {
            quotients[c] = static_cast<int8_t>((values[c] > 0 ? values[c] + pixels / 2 : values[c] - pixels / 2) / pixels);
          }
          codes = V::Load(quotients);
        }
        StoreCodes<V>(to, V::Min8(V::Max8(codes, low), high), count, row.output_end);
      });
    }
  }
}

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_POOL_ROWS_H_
