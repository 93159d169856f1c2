// The primitives of elementwise_blocks.h and pool_rows.h on NEON, and its tables and arithmetic.
//
// Arithmetic is the oracle's own (requantize_neon.h says why): sqrdmulh, and srshl behind a subtraction of the sign where the shift is
// not 0. Where the shift is to the left it comes before, and there is none after.
#include <arm_neon.h>

#include "delegate/kernels/elementwise_blocks.h"
#include "delegate/kernels/elementwise_kernels.h"
#include "delegate/kernels/pool_rows.h"
#include "delegate/kernels/resize_rows.h"

namespace tflite_eq {
namespace {

struct Quad {
  int32x4_t part[4];
};

struct Words {
  int16x8_t low;
  int16x8_t high;
};

struct Neon {
  using Vec = int8x16_t;
  static constexpr int kBytes = 16;

  static Vec Load(const int8_t* from) { return vld1q_s8(from); }
  static Vec LoadPartial(const int8_t* from, size_t count) {
    int8_t codes[kBytes] = {};
    memcpy(codes, from, count);
    return Load(codes);
  }
  static void Store(int8_t* to, Vec codes) { vst1q_s8(to, codes); }
  static void StorePartial(int8_t* to, Vec codes, size_t count) {
    int8_t stored[kBytes];
    Store(stored, codes);
    memcpy(to, stored, count);
  }
  static Vec Set8(int8_t value) { return vdupq_n_s8(value); }
  static Vec Min8(Vec a, Vec b) { return vminq_s8(a, b); }
  static Vec Max8(Vec a, Vec b) { return vmaxq_s8(a, b); }

  using Sums = Words;
  using WideSums = Quad;
  static Sums ClearSums() { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }
  static WideSums ClearWideSums() { return {{vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)}}; }
  static void AddPair(Sums* sums, Vec a, Vec b) {
    sums->low = vaddq_s16(sums->low, vaddl_s8(vget_low_s8(a), vget_low_s8(b)));
    sums->high = vaddq_s16(sums->high, vaddl_high_s8(a, b));
  }
  static void Flush(WideSums* wide, const Sums& sums) {
    wide->part[0] = vaddw_s16(wide->part[0], vget_low_s16(sums.low));
    wide->part[1] = vaddw_high_s16(wide->part[1], sums.low);
    wide->part[2] = vaddw_s16(wide->part[2], vget_low_s16(sums.high));
    wide->part[3] = vaddw_high_s16(wide->part[3], sums.high);
  }
  static Vec Divide(const WideSums& sums, int count) {
    const float32x4_t inverse = vdupq_n_f32(1.0f / static_cast<float>(count));
    const float32x4_t half = vdupq_n_f32(static_cast<float>(count / 2) + 0.5f);
    const uint32x4_t sign = vdupq_n_u32(uint32_t{1} << 31);
    int32x4_t quotients[4];
    for (int i = 0; i < 4; ++i) {
      const float32x4_t sum = vcvtq_f32_s32(sums.part[i]);
      const float32x4_t rounded = vaddq_f32(sum, vbslq_f32(sign, sum, half));
      quotients[i] = vcvtq_s32_f32(vmulq_f32(rounded, inverse));
    }
    const int16x8_t front = vmovn_high_s32(vmovn_s32(quotients[0]), quotients[1]);
    const int16x8_t back = vmovn_high_s32(vmovn_s32(quotients[2]), quotients[3]);
    return vmovn_high_s16(vmovn_s16(front), back);
  }
  static void StoreWideSums(int32_t* to, const WideSums& sums) {
    for (int i = 0; i < 4; ++i) vst1q_s32(to + 4 * i, sums.part[i]);
  }

  static Vec Interpolate(Vec lower_first, Vec lower_second, Vec upper_first, Vec upper_second, int right, int down) {
    const auto first_weight = static_cast<int16_t>(Interpolation::kOne - right);
    const auto second_weight = static_cast<int16_t>(right);
    const Quad lower = Columns(lower_first, lower_second, first_weight, second_weight);
    const Quad upper = Columns(upper_first, upper_second, first_weight, second_weight);
    int32x4_t rounded[4];
    for (int i = 0; i < 4; ++i) {
      int32x4_t sum = vmulq_n_s32(lower.part[i], Interpolation::kOne - down);
      sum = vmlaq_n_s32(sum, upper.part[i], down);
      rounded[i] = vrshrq_n_s32(vsraq_n_s32(sum, sum, 31), 20);
    }
    const int16x8_t front = vmovn_high_s32(vmovn_s32(rounded[0]), rounded[1]);
    const int16x8_t back = vmovn_high_s32(vmovn_s32(rounded[2]), rounded[3]);
    return vmovn_high_s16(vmovn_s16(front), back);
  }

 private:
  static Quad Columns(Vec first, Vec second, int16_t first_weight, int16_t second_weight) {
    const Words a = {vmovl_s8(vget_low_s8(first)), vmovl_high_s8(first)};
    const Words b = {vmovl_s8(vget_low_s8(second)), vmovl_high_s8(second)};
    const int16x8_t weight = vdupq_n_s16(first_weight), other = vdupq_n_s16(second_weight);
    return {{vmlal_s16(vmull_s16(vget_low_s16(a.low), vget_low_s16(weight)), vget_low_s16(b.low), vget_low_s16(other)),
             vmlal_high_s16(vmull_high_s16(a.low, weight), b.low, other),
             vmlal_s16(vmull_s16(vget_low_s16(a.high), vget_low_s16(weight)), vget_low_s16(b.high), vget_low_s16(other)),
             vmlal_high_s16(vmull_high_s16(a.high, weight), b.high, other)}};
  }
};

// Codes without their zero point.
inline Words Widen(int8x16_t codes, int16x8_t zero_point) {
  return {vsubq_s16(vmovl_s8(vget_low_s8(codes)), zero_point), vsubq_s16(vmovl_high_s8(codes), zero_point)};
}

inline int16x8_t ZeroPoint(int32_t zero_point) { return vdupq_n_s16(static_cast<int16_t>(zero_point)); }

struct ScaleNeon {
  int32x4_t multiplier;
  int32x4_t left;
  int32x4_t right;  // 0 or negative

  explicit ScaleNeon(const FixedPointScale& scale)
      : multiplier(vdupq_n_s32(scale.multiplier)),
        left(vdupq_n_s32(scale.shift > 0 ? scale.shift : 0)),
        right(vdupq_n_s32(scale.shift > 0 ? 0 : scale.shift)) {}

  // The sign is masked with that of the shift.
  int32x4_t operator()(int32x4_t values) const { return Shift(vqrdmulhq_s32(vshlq_s32(values, left), multiplier), right); }

  static int32x4_t Shift(int32x4_t y, int32x4_t right) { return vrshlq_s32(vsraq_n_s32(y, vandq_s32(y, right), 31), right); }
};

// Every step saturates, and beyond int16 is beyond int8 whatever the zero point.
struct Narrow {
  int16x8_t zero_point;
  int8x16_t low;
  int8x16_t high;

  Narrow(int32_t output_zero_point, int32_t min, int32_t max)
      : zero_point(ZeroPoint(output_zero_point)),
        low(vdupq_n_s8(static_cast<int8_t>(min))),
        high(vdupq_n_s8(static_cast<int8_t>(max))) {}

  int8x16_t operator()(const Quad& z) const {
    const int16x8_t front = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(z.part[0]), z.part[1]), zero_point);
    const int16x8_t back = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(z.part[2]), z.part[3]), zero_point);
    return vminq_s8(vmaxq_s8(vqmovn_high_s16(vqmovn_s16(front), back), low), high);
  }
};

// tbl knows 64 entries and yields 0 for other indices, tbx leaves what there was: four quarters of the table by indices that count from
// each one's first entry.
struct LookUpBlock {
  int8x16x4_t quarters[4];

  explicit LookUpBlock(const int8_t* table) {
    for (int i = 0; i < 4; ++i) quarters[i] = vld1q_s8_x4(table + 64 * i);
  }

  int8x16_t operator()(int8x16_t codes) const {
    int8x16_t one[1] = {codes};
    All(one);
    return one[0];
  }

  // In place, a step of all of them before the next step of any.
  template <int count>
  __attribute__((always_inline)) void All(int8x16_t (&codes)[count]) const {
    const uint8x16_t quarter = vdupq_n_u8(64);
    uint8x16_t index[count];
    // Code + 128, which is the index.
    for (int i = 0; i < count; ++i) index[i] = veorq_u8(vreinterpretq_u8_s8(codes[i]), vdupq_n_u8(128));
    for (int i = 0; i < count; ++i) codes[i] = vqtbl4q_s8(quarters[0], index[i]);
    for (int q = 1; q < 4; ++q) {
      for (int i = 0; i < count; ++i) index[i] = vsubq_u8(index[i], quarter);
      for (int i = 0; i < count; ++i) codes[i] = vqtbx4q_s8(codes[i], quarters[q], index[i]);
    }
  }
};

void LookUp(const int8_t* table, const int8_t* input, int8_t* output, size_t count) {
  const LookUpBlock block(table);
  // Four vectors side by side: cores that issue in order would wait for each look-up of one. Nothing is called here, so that the table
  // stays in its sixteen registers.
  constexpr int kSideBySide = 4;
  size_t done = 0;
  for (; done + kSideBySide * Neon::kBytes <= count; done += kSideBySide * Neon::kBytes) {
    int8x16_t codes[kSideBySide];
    for (int i = 0; i < kSideBySide; ++i) codes[i] = vld1q_s8(input + done + i * Neon::kBytes);
    block.All(codes);
    for (int i = 0; i < kSideBySide; ++i) vst1q_s8(output + done + i * Neon::kBytes, codes[i]);
  }
  if (done < count) ForEachBlock<Neon>(input + done, output + done, count - done, block);
}

// Words times 2^15.
inline Quad WidenBy15(const Words& x) {
  return {{vshll_n_s16(vget_low_s16(x.low), 15), vshll_high_n_s16(x.low, 15), vshll_n_s16(vget_low_s16(x.high), 15),
           vshll_high_n_s16(x.high, 15)}};
}

// Both sides are brought to 20 bits more than codes have. The side whose scale is 1/2 needs no multiplication by it: its value is the
// code without zero point times 2^19, or its negation.
struct AddBlock {
  int16x8_t zero_point[2];
  int16_t half;  // 2^4, negative where that side is subtracted
  int32x4_t other_multiplier;
  int32x4_t other_right;
  ScaleNeon result;
  Narrow narrow;

  // `side` is the one whose scale is 1/2.
  AddBlock(const AddConstants& c, int side)
      : zero_point{ZeroPoint(c.zero_point[side]), ZeroPoint(c.zero_point[1 - side])},
        half(c.scale[side].multiplier < 0 ? -16 : 16),
        other_multiplier(vdupq_n_s32(c.scale[1 - side].multiplier)),
        other_right(vdupq_n_s32(c.scale[1 - side].shift)),
        result(c.output_scale),
        narrow(c.output_zero_point, c.activation_min, c.activation_max) {}

  int8x16_t operator()(int8x16_t half_codes, int8x16_t other_codes) const {
    const Words x = Widen(half_codes, zero_point[0]);
    Quad sum = WidenBy15({vmulq_n_s16(x.low, half), vmulq_n_s16(x.high, half)});
    const Words other = Widen(other_codes, zero_point[1]);
    const Quad values = WidenBy15({vshlq_n_s16(other.low, 5), vshlq_n_s16(other.high, 5)});
    for (int i = 0; i < 4; ++i) {
      const int32x4_t y = vqrdmulhq_s32(values.part[i], other_multiplier);
      sum.part[i] = vaddq_s32(sum.part[i], ScaleNeon::Shift(y, other_right));
      sum.part[i] = ScaleNeon::Shift(vqrdmulhq_s32(sum.part[i], result.multiplier), result.right);
    }
    return narrow(sum);
  }
};

void Add(const AddConstants& c, const int8_t* first, const int8_t* second, int8_t* output, size_t count) {
  if (c.scale[0].IsHalf()) {
    ForEachPair<Neon>(first, second, output, count, AddBlock(c, 0));
  } else {
    ForEachPair<Neon>(second, first, output, count, AddBlock(c, 1));
  }
}

inline Quad Products(const Words& a, int16x8_t low, int16x8_t high) {
  return {{vmull_s16(vget_low_s16(a.low), vget_low_s16(low)), vmull_high_s16(a.low, low),
           vmull_s16(vget_low_s16(a.high), vget_low_s16(high)), vmull_high_s16(a.high, high)}};
}

struct MulBlock {
  int16x8_t zero_point[2];
  ScaleNeon scale;
  Narrow narrow;

  explicit MulBlock(const MulConstants& c)
      : zero_point{ZeroPoint(c.zero_point[0]), ZeroPoint(c.zero_point[1])},
        scale(c.scale),
        narrow(c.output_zero_point, c.activation_min, c.activation_max) {}

  int8x16_t operator()(int8x16_t first, int8x16_t second) const {
    const Words b = Widen(second, zero_point[1]);
    Quad z = Products(Widen(first, zero_point[0]), b.low, b.high);
    for (auto& part : z.part) part = scale(part);
    return narrow(z);
  }
};

void Mul(const MulConstants& c, const int8_t* first, const int8_t* second, int8_t* output, size_t count) {
  ForEachPair<Neon>(first, second, output, count, MulBlock(c));
}

// The positive side is a function of the code alone, and a table does it.
struct PreluBlock {
  int8x16_t zero_point;
  int16x8_t wide_zero_point;
  ScaleNeon negative;
  Narrow narrow;
  LookUpBlock positive;

  PreluBlock(const PreluConstants& c, const int8_t* table)
      : zero_point(vdupq_n_s8(static_cast<int8_t>(c.input_zero_point))),
        wide_zero_point(ZeroPoint(c.input_zero_point)),
        negative(c.negative),
        narrow(c.output_zero_point, -128, 127),
        positive(table) {}

  int8x16_t operator()(int8x16_t codes, const int16_t* slopes) const {
    Quad z = Products(Widen(codes, wide_zero_point), vld1q_s16(slopes), vld1q_s16(slopes + 8));
    for (auto& part : z.part) part = negative(part);
    return vbslq_s8(vcltq_s8(codes, zero_point), narrow(z), positive(codes));
  }
};

void Prelu(const PreluConstants& c, const int16_t* slopes, const int8_t* input, int8_t* output, size_t pixels, int channels) {
  int8_t table[256];
  const ScaleNeon scale(c.positive);
  const Narrow narrow(c.output_zero_point, -128, 127);
  const int16x8_t zero_point = ZeroPoint(c.input_zero_point);
  const int8_t first[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  for (int i = 0; i < 256; i += 16) {
    const Words x = Widen(vaddq_s8(vld1q_s8(first), vdupq_n_s8(static_cast<int8_t>(i - 128))), zero_point);
    Quad z = {{vmovl_s16(vget_low_s16(x.low)), vmovl_high_s16(x.low), vmovl_s16(vget_low_s16(x.high)), vmovl_high_s16(x.high)}};
    for (auto& part : z.part) part = scale(part);
    vst1q_s8(table + i, narrow(z));
  }
  ForEachSlopedBlock<Neon>(slopes, input, output, pixels, channels, PreluBlock(c, table));
}

void Mean(const MeanConstants& c, const int8_t* input, int channels, int8_t* output) {
  const ScaleNeon scale(c.scale);
  const Narrow narrow(c.output_zero_point, -128, 127);
  const int32x4_t offset = vdupq_n_s32(c.pixels * c.input_zero_point);
  MeanOfImage<Neon>(c.pixels, input, channels, output, [&](const Quad& sums) {
    Quad z;
    for (int i = 0; i < 4; ++i) z.part[i] = scale(vsubq_s32(sums.part[i], offset));
    return narrow(z);
  });
}

}  // namespace

const ElementwiseKernels kElementwiseNeon = {Isa::kNeon,    LookUp,            Add,  Mul,                 Prelu,
                                             MaxPool<Neon>, AveragePool<Neon>, Mean, ResizeBilinear<Neon>, nullptr, nullptr};

}  // namespace tflite_eq
