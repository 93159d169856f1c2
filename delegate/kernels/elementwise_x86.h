// Tables, ADD, MUL, MEAN and bilinear interpolation with the instructions that AVX2 and AVX-512 have in common.
//
// Arithmetic: codes are widened and narrowed by unpacking and packing within 128-bit lanes, which undo each other: the order between
// is of no concern. A byte unpacked behind zeros is the code times 2^8 in a word, 2^24 in a double word, and one arithmetic shift to
// the right leaves it with the pre-shift of one_multiplication.h that it needs. Zero points of outputs are added when results are words:
// everything saturates, and what is beyond int16 is beyond int8 whatever the zero point.
//
// `V` holds the primitives: vectors of bytes, words and double words, all of type Vec, and
//
//   MulEven                     products of double words 0, 2, 4, ...
//   HighHalves                  of products of even and odd double words, in their places
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_X86_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_X86_H_

#include <immintrin.h>

#include "delegate/kernels/elementwise_blocks.h"
#include "delegate/kernels/one_multiplication.h"
#include "delegate/kernels/pool_rows.h"
#include "delegate/kernels/requantize.h"
#include "delegate/kernels/resize_rows.h"

namespace tflite_eq {
namespace {

// Tables of 256 codes with shuffles that know 16 at a time: vpshufb looks at the low four bits of an index, and yields 0 where its sign
// is set. For an index of 0 to 127, from which 16 is subtracted again and again, shuffles of rows 0, 1, 2 ... answer until the index is
// negative, the last of them being the one that holds it. With each row but the first replaced by its exclusive or with the one before,
// the exclusive or of all answers is that of the last alone. Subtraction saturates, so that negative indices remain negative; codes,
// being signed, are themselves the indices for the upper half of the table, and with their sign flipped those for the lower.
template <class V>
struct LookUpBlock {
  typename V::Vec rows[16];

  explicit LookUpBlock(const int8_t* table) {
    for (int i = 0; i < 16; ++i) rows[i] = V::LoadRow(table + 16 * i);
    for (int i = 15; i > 0; --i) {
      if (i != 8) rows[i] = V::Xor(rows[i], rows[i - 1]);
    }
  }

  typename V::Vec operator()(typename V::Vec codes) const {
    const auto step = V::Set8(16);
    auto below = V::Xor(codes, V::Set8(-128));
    auto above = codes;
    auto result = V::Xor(V::ShuffleRow(rows[0], below), V::ShuffleRow(rows[8], above));
    for (int i = 1; i < 8; ++i) {
      below = V::SubSaturated8(below, step);
      above = V::SubSaturated8(above, step);
      result = V::Xor(result, V::Xor(V::ShuffleRow(rows[i], below), V::ShuffleRow(rows[i + 8], above)));
    }
    return result;
  }
};

template <class V>
inline void LookUp(const int8_t* table, const int8_t* input, int8_t* output, size_t count) {
  ForEachBlock<V>(input, output, count, LookUpBlock<V>(table));
}

template <class V>
struct Quad {
  typename V::Vec part[4];  // double words
};

// Codes times 2^(24 - right).
template <class V, int right>
inline Quad<V> Widen(typename V::Vec codes) {
  const auto zero = V::Set32(0);
  const auto low = V::UnpackLow8(zero, codes);
  const auto high = V::UnpackHigh8(zero, codes);
  return {{V::template ShiftRight32<right>(V::UnpackLow16(zero, low)), V::template ShiftRight32<right>(V::UnpackHigh16(zero, low)),
           V::template ShiftRight32<right>(V::UnpackLow16(zero, high)),
           V::template ShiftRight32<right>(V::UnpackHigh16(zero, high))}};
}

template <class V>
struct Words {
  typename V::Vec low;
  typename V::Vec high;
};

// (codes - zero point) * 2^pre_shift, for pre-shifts up to 7.
template <class V>
struct WidenToWords {
  typename V::Vec offset;
  __m128i right;

  WidenToWords(int32_t zero_point, int pre_shift)
      : offset(V::Set16(static_cast<int16_t>(zero_point * (1 << pre_shift)))), right(_mm_cvtsi32_si128(8 - pre_shift)) {}

  Words<V> operator()(typename V::Vec codes) const {
    const auto zero = V::Set32(0);
    return {V::Sub16(V::ShiftRight16(V::UnpackLow8(zero, codes), right), offset),
            V::Sub16(V::ShiftRight16(V::UnpackHigh8(zero, codes), right), offset)};
  }
};

// Double words from their lower and upper halves.
template <class V>
inline Quad<V> Join(const Words<V>& lower, const Words<V>& upper) {
  return {{V::UnpackLow16(lower.low, upper.low), V::UnpackHigh16(lower.low, upper.low), V::UnpackLow16(lower.high, upper.high),
           V::UnpackHigh16(lower.high, upper.high)}};
}

// Saturated codes from z, the zero point added and the activation applied.
template <class V>
struct Narrow {
  typename V::Vec zero_point;
  typename V::Vec low;
  typename V::Vec high;

  Narrow(int32_t output_zero_point, int32_t min, int32_t max)
      : zero_point(V::Set16(static_cast<int16_t>(output_zero_point))),
        low(V::Set8(static_cast<int8_t>(min))),
        high(V::Set8(static_cast<int8_t>(max))) {}

  typename V::Vec operator()(const Quad<V>& z) const { return V::Min8(V::Max8(Unclamped(z), low), high); }

  typename V::Vec Unclamped(const Quad<V>& z) const {
    const auto front = V::AddSaturated16(V::Pack32(z.part[0], z.part[1]), zero_point);
    const auto back = V::AddSaturated16(V::Pack32(z.part[2], z.part[3]), zero_point);
    return V::Pack16(front, back);
  }
};

template <class V>
struct Multiplication {
  typename V::Vec multiplier;
  typename V::Vec addend;
  typename V::Vec negative_correction;
  typename V::Vec right_shift;

  explicit Multiplication(const OneMultiplication& c)
      : multiplier(V::Set32(c.multiplier)),
        addend(V::Set32(c.addend)),
        negative_correction(V::Set32(c.negative_correction)),
        right_shift(V::Set32(c.right_shift)) {}

  // z of values that the pre-shift was applied to.
  typename V::Vec operator()(typename V::Vec shifted) const {
    const auto high =
        V::HighHalves(V::MulEven(shifted, multiplier), V::MulEven(V::OddToEven(shifted), multiplier));
    return V::ShiftRight32By(V::AddWhereNegative(V::Add32(high, addend), high, negative_correction), right_shift);
  }
};

// What a side whose scale is 1/2 adds to its code, or where it is subtracted to the complement of that: ~x = -x - 1.
inline int32_t HalfOffset(const AddConstants& c, int side) {
  return c.scale[side].multiplier < 0 ? c.zero_point[side] + 1 : -c.zero_point[side];
}

// ADD. The side whose scale is 1/2 needs no multiplication: its value is the code without zero point times 2^19, or its negation.
template <class V, bool both>
struct AddBlock {
  typename V::Vec flip[2];  // all bits where a side is subtracted
  typename V::Vec offset;
  typename V::Vec other_offset;
  Multiplication<V> other;
  Multiplication<V> result;
  Narrow<V> narrow;

  // `half` is the side whose scale is 1/2.
  AddBlock(const AddConstants& c, int half)
      : other_offset(V::Set32(c.zero_point[1 - half] * (1 << 22))),
        other(MakeOneMultiplication(c.scale[1 - half], kAddBits)),
        result(MakeOneMultiplication(c.output_scale, kAddBits)),
        narrow(c.output_zero_point, c.activation_min, c.activation_max) {
    flip[0] = V::Set32(c.scale[half].multiplier < 0 ? -1 : 0);
    flip[1] = V::Set32(c.scale[1 - half].multiplier < 0 ? -1 : 0);
    offset = V::Set32((HalfOffset(c, half) + (both ? HalfOffset(c, 1 - half) : 0)) * (1 << 21));
  }

  typename V::Vec operator()(typename V::Vec half_codes, typename V::Vec other_codes) const {
    Quad<V> sum = Widen<V, 3>(V::Xor(half_codes, flip[0]));
    const Quad<V> addend = both ? Widen<V, 3>(V::Xor(other_codes, flip[1])) : Widen<V, 2>(other_codes);
    for (int i = 0; i < 4; ++i) {
      const auto t =
          both ? addend.part[i] : V::template ShiftLeft32<2>(other(V::Sub32(addend.part[i], other_offset)));
      sum.part[i] = result(V::Add32(V::Add32(sum.part[i], offset), t));
    }
    return narrow(sum);
  }
};

template <class V>
inline void Add(const AddConstants& c, const int8_t* first, const int8_t* second, int8_t* output, size_t count) {
  if (c.scale[0].IsHalf() && c.scale[1].IsHalf()) {
    ForEachPair<V>(first, second, output, count, AddBlock<V, true>(c, 0));
  } else {
    const bool is_first = c.scale[0].IsHalf();
    ForEachPair<V>(is_first ? first : second, is_first ? second : first, output, count, AddBlock<V, false>(c, is_first ? 0 : 1));
  }
}

template <class V>
struct MulBlock {
  Multiplication<V> result;
  WidenToWords<V> first;
  WidenToWords<V> second;
  Narrow<V> narrow;

  MulBlock(const MulConstants& c, const OneMultiplication& scale)
      : result(scale),
        first(c.zero_point[0], scale.pre_shift),
        second(c.zero_point[1], 0),
        narrow(c.output_zero_point, c.activation_min, c.activation_max) {}

  typename V::Vec operator()(typename V::Vec first_codes, typename V::Vec second_codes) const {
    const Words<V> a = first(first_codes);
    const Words<V> b = second(second_codes);
    Quad<V> products = Join<V>({V::MulLow16(a.low, b.low), V::MulLow16(a.high, b.high)},
                               {V::MulHigh16(a.low, b.low), V::MulHigh16(a.high, b.high)});
    for (auto& part : products.part) part = result(part);
    return narrow(products);
  }
};

template <class V>
inline void Mul(const MulConstants& c, const int8_t* first, const int8_t* second, int8_t* output, size_t count) {
  ForEachPair<V>(first, second, output, count, MulBlock<V>(c, MakeOneMultiplication(c.scale, kProductBits)));
}

// MEAN. By one multiplication where sums times 2^(left + 2) are int32, 255 * pixels being the largest; else in 64 bits.
template <class V>
struct MeanScale {
  const MeanConstants& constants;
  bool fits;
  Multiplication<V> multiplication;
  __m128i pre_shift;
  typename V::Vec offset;
  Narrow<V> narrow;

  MeanScale(const MeanConstants& c, bool fits, const OneMultiplication& scale)
      : constants(c),
        fits(fits),
        multiplication(scale),
        pre_shift(_mm_cvtsi32_si128(scale.pre_shift)),
        offset(V::Set32(c.pixels * c.input_zero_point)),
        narrow(c.output_zero_point, -128, 127) {}

  typename V::Vec operator()(const Quad<V>& sums) const {
    if (!fits) return InFull(sums);
    Quad<V> z;
    for (int i = 0; i < 4; ++i) z.part[i] = multiplication(V::ShiftLeft32By(V::Sub32(sums.part[i], offset), pre_shift));
    return narrow.Unclamped(z);
  }

  typename V::Vec InFull(const Quad<V>& sums) const {
    int32_t values[V::kBytes];
    int8_t codes[V::kBytes];
    V::StoreWideSums(values, sums);
    for (int i = 0; i < V::kBytes; ++i) {
      const int32_t sum = values[i] - constants.pixels * constants.input_zero_point;
      const int64_t z = int64_t{MultiplyByQuantizedMultiplier(sum, constants.scale.multiplier, constants.scale.shift)} +
                        constants.output_zero_point;
      codes[i] = static_cast<int8_t>(z < -128 ? -128 : z > 127 ? 127 : z);
    }
    return V::Load(codes);
  }
};

template <class V>
inline void Mean(const MeanConstants& c, const int8_t* input, int channels, int8_t* output) {
  int bits = 8;
  while (bits < 31 && c.pixels > 1 << (bits - 8)) ++bits;
  const bool fits = bits + (c.scale.shift > 0 ? c.scale.shift : 0) <= 29;
  MeanOfImage<V>(c.pixels, input, channels, output,
                 MeanScale<V>(c, fits, fits ? MakeOneMultiplication(c.scale, bits) : OneMultiplication()));
}

template <class V>
inline Quad<V> InterpolateColumns(typename V::Vec first, typename V::Vec second, typename V::Vec weights) {
  const WidenToWords<V> words(0, 0);
  Quad<V> values = Join<V>(words(first), words(second));
  for (auto& part : values.part) part = V::MulAddPairs16(part, weights);
  return values;
}

// resize_rows.h.
template <class V>
inline typename V::Vec InterpolateCodes(typename V::Vec lower_first, typename V::Vec lower_second, typename V::Vec upper_first,
                                        typename V::Vec upper_second, int right, int down) {
  const auto weights = V::Set32((right << 16) | (Interpolation::kOne - right));
  const Quad<V> lower = InterpolateColumns<V>(lower_first, lower_second, weights);
  const Quad<V> upper = InterpolateColumns<V>(upper_first, upper_second, weights);
  const auto fraction = V::Set32(down);
  const auto half = V::Set32(1 << 19);
  Quad<V> rounded;
  for (int i = 0; i < 4; ++i) {
    const auto difference = V::MulLow32(V::Sub32(upper.part[i], lower.part[i]), fraction);
    const auto sum = V::Add32(V::template ShiftLeft32<10>(lower.part[i]), difference);
    rounded.part[i] = V::template ShiftRight32<20>(V::AddWhereNegative(V::Add32(sum, half), sum, V::Set32(-1)));
  }
  return V::Pack16(V::Pack32(rounded.part[0], rounded.part[1]), V::Pack32(rounded.part[2], rounded.part[3]));
}

}  // namespace
}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_X86_H_
