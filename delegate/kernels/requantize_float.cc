#include "delegate/kernels/requantize_float.h"

#include <math.h>

#include "delegate/kernels/requantize.h"

namespace tflite_eq {
namespace {

constexpr int kCodes = 256;
// Integers up to this are floats.
constexpr int64_t kExactFloats = int64_t{1} << 24;
// Beyond this right shift steps are computed in more than 64 bits; accumulators that small have no steps at all.
constexpr int kLargestShift = 22;

// Largest left shift of the oracle's that is looked at.
constexpr int kLargestLeftShift = 8;

// Half the distance of floats at code - 1/2, a little enlarged for the rounding of the doubles that it is compared with.
double HalfUlp(int code) {
  const int magnitude = code > 0 ? code - 1 : -code;  // rounded down
  // From 2^n to 2^(n + 1) floats are 2^(n - 23) apart; below 1 it is enough to take those there.
  const int n = magnitude > 1 ? 31 - __builtin_clz(static_cast<unsigned>(magnitude)) : 0;
  return 0x1p-24 * 1.0001 * (1 << n);
}

// The steps that accumulators reach, and those next beyond what they reach, which the line must not take early. The line has to be above
// `above` at the accumulator `at` and below `below` at the one before: k - 1/2, zero point included, and half the distance of floats
// there. Where the step has no accumulator on a side, that is infinitely far away. What is below is kept with its sign reversed, so that one
// function looks at either.
struct Steps {
  // Whether those before `positive` are on the line of acc < 0, as they are unless k = 0 begins with acc = 0.
  bool SplitByZero() const { return positive == 0 || at[positive - 1] < 0; }

  int count = 0;
  int positive = 0;  // from here on k > 0: both sides of the step are on the line of acc >= 0
  double at[kCodes];
  double above[kCodes];
  double minus_before[kCodes];
  double minus_below[kCodes];
};

// Accumulators that give at least one result after the other: the quotients of a number that grows by as much every time, rounded up.
class Quotients {
 public:
  Quotients(int64_t first, int64_t step, int64_t divisor)
      : divisor_(divisor), step_(step / divisor), step_rest_(step % divisor), quotient_(first / divisor), rest_(first % divisor) {
    if (rest_ < 0) {
      rest_ += divisor_;
      --quotient_;
    }
  }
  int64_t Next() {
    const int64_t up = quotient_ + (rest_ > 0 ? 1 : 0);
    quotient_ += step_;
    rest_ += step_rest_;
    if (rest_ >= divisor_) {
      rest_ -= divisor_;
      ++quotient_;
    }
    return up;
  }

 private:
  int64_t divisor_;
  int64_t step_;
  int64_t step_rest_;
  int64_t quotient_;
  int64_t rest_;
};

void FindSteps(const ConvQuantization& q, int channel, const AccumulatorRange& range, Steps* steps) {
  const int shift = q.shift[channel];
  const int e = shift < 0 ? -shift : 0;
  const int64_t multiplier = int64_t{q.multiplier[channel]} << (shift > 0 ? shift : 0);
  const int64_t half = e > 0 ? int64_t{1} << (e - 1) : 0;
  const auto begin = [&](int code) {
    const int64_t k = int64_t{code} - q.output_zero_point;
    // The least y that RoundingDivideByPOT takes to k, then the least acc that SRDHM takes to y.
    const int64_t y = k * (int64_t{1} << e) - half + (k <= 0 && e > 0 ? 1 : 0);
    return Quotients(y * (int64_t{1} << 31) - (int64_t{1} << 30), int64_t{1} << (31 + e), multiplier);
  };
  Quotients accumulators = begin(q.activation_min + 1);
  steps->count = 0;
  steps->positive = q.activation_max - q.activation_min;
  for (int code = q.activation_min + 1; code <= q.activation_max; ++code) {
    const int i = steps->count++;
    if (code == q.output_zero_point + 1) accumulators = begin(code);
    if (code > q.output_zero_point && i < steps->positive) steps->positive = i;
    const int64_t acc = accumulators.Next();
    const double middle = code - 0.5;
    const double half_ulp = HalfUlp(code);
    steps->above[i] = middle + half_ulp;
    steps->minus_below[i] = half_ulp - middle;
    steps->at[i] = acc > range.max ? INFINITY : static_cast<double>(acc > range.min ? acc : range.min);
    steps->minus_before[i] = acc - 1 < range.min ? INFINITY : -static_cast<double>(acc - 1 < range.max ? acc - 1 : range.max);
  }
}

// How far the line lies from the steps on one side of zero: > 0 and < 0 if it fits them.
struct Room {
  double above;
  double below;
};

// By how much the line is above the levels at least. Four minima side by side: one would wait for itself.
__attribute__((noinline)) double Least(const double* accumulators, const double* levels, int count, double scale, double offset) {
  constexpr int kLanes = 4;
  double least[kLanes] = {1e9, 1e9, 1e9, 1e9};
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const double over = scale * accumulators[i + lane] + offset - levels[i + lane];
      least[lane] = over < least[lane] ? over : least[lane];
    }
  }
  for (; i < count; ++i) {
    const double over = scale * accumulators[i] + offset - levels[i];
    least[0] = over < least[0] ? over : least[0];
  }
  for (int lane = 1; lane < kLanes; ++lane) least[0] = least[lane] < least[0] ? least[lane] : least[0];
  return least[0];
}

Room RoomOf(const Steps& steps, bool positive, double scale, double offset) {
  const int begin = positive ? steps.positive : 0;
  const int count = (positive ? steps.count : steps.positive) - begin;
  return {Least(steps.at + begin, steps.above + begin, count, scale, offset),
          -Least(steps.minus_before + begin, steps.minus_below + begin, count, scale, -offset)};
}

// The line before it is rounded, as the vectors compute it: integers up to 2^24 are floats.
struct Line {
  explicit Line(const RequantizeLine& line)
      : scale(line.scale), not_negative(line.offset + line.half), negative(line.offset - line.half) {}
  double operator()(double acc) const { return scale * acc + (acc >= 0 ? not_negative : negative); }

  double scale;
  double not_negative;  // added up as floats
  double negative;
};

// How often the line is not above the levels.
__attribute__((noinline)) int64_t CountBelow(const double* accumulators, const double* levels, int count, double scale, double offset) {
  int64_t below = 0;
#pragma clang loop interleave(disable)
  for (int i = 0; i < count; ++i) below += scale * accumulators[i] + offset > levels[i] ? 0 : 1;
  return below;
}

int CountMisses(const Steps& steps, const Line& line) {
  const int middle = steps.positive, rest = steps.count - middle;
  return static_cast<int>(CountBelow(steps.at, steps.above, middle, line.scale, line.negative) +
                          CountBelow(steps.at + middle, steps.above + middle, rest, line.scale, line.not_negative) +
                          CountBelow(steps.minus_before, steps.minus_below, middle, line.scale, -line.negative) +
                          CountBelow(steps.minus_before + middle, steps.minus_below + middle, rest, line.scale, -line.not_negative));
}

// Accumulators that the line gets wrong, as many as are of interest and one more, and on which side of each it may be right.
struct Misses {
  static constexpr int kMost = RequantizeLine::kMostExceptions;
  int count = 0;
  int32_t acc[kMost + 1];
  int neighbour[kMost + 1];
};

__attribute__((noinline)) Misses FindMisses(const Steps& steps, const RequantizeLine& line, int most) {
  Misses misses;
  const auto add = [&misses](int32_t acc, int neighbour) {
    misses.acc[misses.count] = acc;
    misses.neighbour[misses.count++] = neighbour;
  };
  const Line value(line);
  if (steps.SplitByZero()) {
    misses.count = CountMisses(steps, value);
    if (misses.count == 0 || misses.count > most) return misses;
    misses.count = 0;
  }
  for (int i = 0; i < steps.count && misses.count <= most; ++i) {
    if (!(value(steps.at[i]) > steps.above[i])) add(static_cast<int32_t>(steps.at[i]), 1);
    if (misses.count > most) break;
    if (!(-value(-steps.minus_before[i]) > steps.minus_below[i])) add(static_cast<int32_t>(-steps.minus_before[i]), -1);
  }
  return misses;
}

__attribute__((noinline)) int32_t OraclesCode(const ConvQuantization& q, int channel, int32_t acc) {
  const int64_t code = int64_t{MultiplyByQuantizedMultiplier(acc, q.multiplier[channel], q.shift[channel])} + q.output_zero_point;
  const int64_t low = code < q.activation_min ? q.activation_min : code;
  return static_cast<int32_t>(low > q.activation_max ? q.activation_max : low);
}

// Whether every miss has a neighbour with the same code that the line gets right, and makes exceptions of them.
__attribute__((noinline)) bool Except(const ConvQuantization& q, int channel, const Misses& misses, RequantizeLine* line) {
  for (int i = 0; i < misses.count; ++i) {
    const int32_t acc = misses.acc[i] + misses.neighbour[i];
    const int32_t code = OraclesCode(q, channel, acc);
    if (code != OraclesCode(q, channel, misses.acc[i])) return false;
    const double value = Line(*line)(acc);
    const double low = code - 0.5, high = code + 0.5;
    if (code > q.activation_min && !(value > low + HalfUlp(code))) return false;
    if (code < q.activation_max && !(value < high - HalfUlp(code + 1))) return false;
    line->exception[i] = misses.acc[i];
    line->substitute[i] = acc;
  }
  line->exceptions = misses.count;
  return true;
}

float Neighbour(float value, int steps) {
  for (; steps > 0; --steps) value = nextafterf(value, INFINITY);
  for (; steps < 0; ++steps) value = nextafterf(value, -INFINITY);
  return value;
}

// Whether it is none wherever the line is moved, by more than doubles are off.
bool IsEmpty(const Room& room) { return room.below - room.above > 1e-9; }

// What moves the line into the middle of its room.
double Centring(const Room& room) {
  if (room.above > 1e8 || room.below < -1e8) return room.above < 0 ? -room.above : room.below > 0 ? -room.below : 0;
  return -(room.above + room.below) / 2;
}

// Half of what is lacking to the room, and a little.
double Gap(const Room& room) {
  if (room.above > 1e8 || room.below < -1e8) return 0;
  return room.below > room.above ? (room.below - room.above) * 0.51 : 0;
}

// A channel that training left nearly constant has few steps far apart, next to which floats are coarse; but for few a scale need not be
// close to the oracle's. Tries lines through the middles of any two. Returns 1 less than the exceptions of the best, or the most that there
// may be.
__attribute__((noinline, minsize)) int ThroughTwoSteps(const ConvQuantization& q, int channel, const Steps& steps, RequantizeLine* line) {
  constexpr int kFew = 8;
  double accumulators[kFew], codes[kFew];
  int few = 0;
  for (int i = 0; i < steps.count; ++i) {
    if (steps.at[i] == INFINITY || steps.minus_before[i] == INFINITY) continue;
    if (few == kFew) return RequantizeLine::kMostExceptions;
    accumulators[few] = steps.at[i] - 0.5;
    codes[few++] = (steps.above[i] - steps.minus_below[i]) / 2;
  }
  int most = RequantizeLine::kMostExceptions;
  for (int i = 0; i < few; ++i) {
    for (int j = i + 1; j < few && most >= 0; ++j) {
      const double scale = (codes[j] - codes[i]) / (accumulators[j] - accumulators[i]);
      RequantizeLine candidate = {};
      // The offset is as coarse as the codes; the scale makes up for that.
      candidate.offset = static_cast<float>(codes[i] - scale * accumulators[i]);
      candidate.scale = static_cast<float>((codes[i] - candidate.offset) / accumulators[i]);
      const Misses misses = FindMisses(steps, candidate, most);
      if (misses.count > most || !Except(q, channel, misses, &candidate)) continue;
      *line = candidate;
      most = misses.count - 1;
    }
  }
  return most;
}

}  // namespace

bool FindRequantizeLine(const ConvQuantization& q, int channel, const AccumulatorRange& range, RequantizeLine* line) {
  *line = {};
  const int shift = q.shift[channel];
  const int e = shift < 0 ? -shift : 0;
  const int left_shift = shift > 0 ? shift : 0;
  const int64_t magnitude = range.magnitude();
  // From here on the oracle's left shift would wrap.
  if (left_shift > kLargestLeftShift || magnitude >= int64_t{1} << (31 - left_shift)) return false;
  const int32_t code = OraclesCode(q, channel, static_cast<int32_t>(range.min));
  if (code == OraclesCode(q, channel, static_cast<int32_t>(range.max))) {
    line->offset = static_cast<float>(code);
    return true;
  }
  // Accumulators are floats, and the line stays below 2^31, however it is rounded.
  if (magnitude >= kExactFloats || magnitude >= int64_t{1} << (30 - left_shift)) return false;
  if (e > kLargestShift || q.multiplier[channel] <= 0) return false;
  Steps steps;
  FindSteps(q, channel, range, &steps);
  const double scale = ldexp(q.multiplier[channel], -31 + shift);
  const bool one_side = q.activation_min >= q.output_zero_point;
  // What the first rounding moves results by; none where it is the only one.
  const double first = e > 0 ? ldexp(0.5, -e) : 0;
  constexpr int kTries[] = {0, 1, -1, 2, -2, 3, -3};
  // A line of a scale next to this one, in the middle of the room that it has if it has any; moved by some floats. Or, where nothing
  // fits, leaning to one side: lines between those that are too high and those that are too low miss some steps of both kinds; of lines
  // that lean to one, negative results mirrored, less is to be expected.
  const auto line_of = [&](float near, const Room& up, const Room& down, int lean, int moved) __attribute__((noinline)) {
    double positive = q.output_zero_point + first + Centring(up) + (lean == 1 ? Gap(up) : lean == 2 ? -Gap(up) : 0);
    double negative = q.output_zero_point - first + Centring(down) + (lean == 1 ? -Gap(down) : lean == 2 ? Gap(down) : 0);
    if (one_side) negative = positive;
    RequantizeLine candidate = {};
    candidate.scale = near;
    candidate.offset = Neighbour(static_cast<float>((positive + negative) / 2), moved);
    candidate.half = static_cast<float>((positive - negative) / 2);
    return candidate;
  };
  constexpr int kScales = sizeof(kTries) / sizeof(kTries[0]);
  float scales[kScales];
  Room ups[kScales], downs[kScales];
  // Without exceptions, nearly always.
  for (int i = 0; i < kScales; ++i) {
    scales[i] = Neighbour(static_cast<float>(scale), kTries[i]);
    ups[i] = RoomOf(steps, true, scales[i], q.output_zero_point + first);
    downs[i] = RoomOf(steps, false, scales[i], q.output_zero_point - first);
    if (steps.SplitByZero() && (IsEmpty(ups[i]) || IsEmpty(downs[i]))) continue;
    for (int moved : kTries) {
      *line = line_of(scales[i], ups[i], downs[i], 0, moved);
      if (FindMisses(steps, *line, 0).count == 0) return true;
    }
  }
  *line = {};
  int most = RequantizeLine::kMostExceptions;  // to be better than what was found
  for (int moved : kTries) {
    // Where a line was found, others are not worth the time.
    if (moved != 0 && most < RequantizeLine::kMostExceptions) break;
    for (int lean = 0; lean < (moved == 0 ? 3 : 1) && most > 0; ++lean) {
      for (int i = 0; i < kScales && most > 0; ++i) {
        RequantizeLine candidate = line_of(scales[i], ups[i], downs[i], lean, moved);
        const Misses misses = FindMisses(steps, candidate, most);
        if (misses.count > most || !Except(q, channel, misses, &candidate)) continue;
        *line = candidate;
        most = misses.count - 1;
      }
    }
  }
  if (most == RequantizeLine::kMostExceptions) most = ThroughTwoSteps(q, channel, steps, line);
  return most < RequantizeLine::kMostExceptions;
}

// Small, for what takes time is to find lines.
__attribute__((minsize)) bool FloatRequantization::Prepare(const ConvQuantization& quantization, int channels, const AccumulatorRange* ranges) {
  const int blocks = (channels + kBlock - 1) / kBlock;
  const size_t bytes = static_cast<size_t>(blocks) * kBlock * sizeof(float);
  if (!scale_.Allocate(bytes) || !offset_.Allocate(bytes) || !half_.Allocate(bytes) || !found_.Allocate(blocks)) return false;
  int held = 0;  // exceptions of a channel that there is memory for
  for (int block = 0; block < blocks; ++block) {
    bool found = true;
    int exceptions = 0;
    const int end = (block + 1) * kBlock < channels ? (block + 1) * kBlock : channels;
    for (int c = block * kBlock; c < end && found; ++c) {
      RequantizeLine line;
      found = FindRequantizeLine(quantization, c, ranges[c], &line);
      if (line.exceptions > exceptions) exceptions = line.exceptions;
      for (; held < line.exceptions; ++held) {
        if (!exception_[held].Allocate(bytes) || !substitute_[held].Allocate(bytes)) return false;
      }
      scale_.as<float>()[c] = line.scale;
      offset_.as<float>()[c] = line.offset;
      half_.as<float>()[c] = line.half;
      for (int i = 0; i < held; ++i) {
        exception_[i].as<int32_t>()[c] = line.exception[i];
        substitute_[i].as<int32_t>()[c] = line.substitute[i];
      }
    }
    found_.as<uint8_t>()[block] = static_cast<uint8_t>(found ? exceptions + 1 : 0);
  }
  return true;
}

}  // namespace tflite_eq
