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

int64_t CeilDivide(int64_t a, int64_t b) { return a / b + (a % b > 0 ? 1 : 0); }

// Largest left shift of the oracle's that is looked at.
constexpr int kLargestLeftShift = 8;

// The steps that accumulators reach, and those next beyond what they reach, which the line must not take early. `below` is k - 1/2, zero
// point included. The line has to be above it at `at` and below it at `before`, where the step has an accumulator on that side.
struct Step {
  double below;
  bool has_at;
  bool has_before;
  int32_t at;
  int32_t before;
  bool positive;  // k > 0: both sides of the step are on the line of acc >= 0
};
struct Steps {
  int count = 0;
  Step steps[kCodes];
};

Steps FindSteps(const ConvQuantization& q, int channel, const AccumulatorRange& range) {
  Steps steps;
  const int shift = q.shift[channel];
  const int e = shift < 0 ? -shift : 0;
  const int64_t multiplier = int64_t{q.multiplier[channel]} << (shift > 0 ? shift : 0);
  for (int code = q.activation_min + 1; code <= q.activation_max; ++code) {
    const int64_t k = int64_t{code} - q.output_zero_point;
    // The least y that RoundingDivideByPOT takes to k, then the least acc that SRDHM takes to y.
    const int64_t half = e > 0 ? int64_t{1} << (e - 1) : 0;
    const int64_t y = k * (int64_t{1} << e) - half + (k <= 0 && e > 0 ? 1 : 0);
    const int64_t acc = CeilDivide(y * (int64_t{1} << 31) - (int64_t{1} << 30), multiplier);
    Step& step = steps.steps[steps.count++];
    step.below = code - 0.5;
    step.positive = k > 0;
    step.has_at = acc <= range.max;
    step.at = static_cast<int32_t>(acc > range.min ? acc < range.max ? acc : range.max : range.min);
    step.has_before = acc - 1 >= range.min;
    step.before = static_cast<int32_t>(acc - 1 < range.max ? acc - 1 > range.min ? acc - 1 : range.min : range.max);
  }
  return steps;
}

// Half the distance of floats at `value`, a little enlarged for the rounding of the doubles that it is compared with.
double HalfUlp(double value) {
  const double magnitude = fabs(value);
  double half = 0x1p-24 * 1.0001;
  while (half < magnitude * 0x1p-25) half *= 2;
  // magnitude < 2^n <= 2 magnitude: floats are 2^(n - 24) apart.
  return half;
}

// How far the line lies from the steps on one side of zero: > 0 and < 0 if it fits them.
struct Room {
  double above;
  double below;
};

Room RoomOf(const Steps& steps, bool positive, double scale, double offset) {
  Room room = {1e9, -1e9};
  for (int i = 0; i < steps.count; ++i) {
    const Step& step = steps.steps[i];
    if (step.positive != positive) continue;
    const double half_ulp = HalfUlp(step.below);
    const double above = scale * step.at + offset - step.below - half_ulp;
    const double below = scale * step.before + offset - step.below + half_ulp;
    if (step.has_at && above < room.above) room.above = above;
    if (step.has_before && below > room.below) room.below = below;
  }
  return room;
}

// The line before it is rounded, as the vectors compute it.
double LineAt(const RequantizeLine& line, int32_t acc) {
  const float offset = acc >= 0 ? line.offset + line.half : line.offset - line.half;
  return double{line.scale} * acc + double{offset};
}

// Accumulators that the line gets wrong, and on which side of each it may be right.
struct Misses {
  static constexpr int kMost = RequantizeLine::kMostExceptions;
  int count = 0;
  int32_t acc[kMost + 1];
  int neighbour[kMost + 1];
};

Misses FindMisses(const Steps& steps, const RequantizeLine& line, int most) {
  Misses misses;
  const auto add = [&misses](int32_t acc, int neighbour) {
    misses.acc[misses.count] = acc;
    misses.neighbour[misses.count++] = neighbour;
  };
  for (int i = 0; i < steps.count && misses.count <= most; ++i) {
    const Step& step = steps.steps[i];
    const double half_ulp = HalfUlp(step.below);
    if (step.has_at && !(LineAt(line, step.at) > step.below + half_ulp)) add(step.at, 1);
    if (misses.count > most) break;
    if (step.has_before && !(LineAt(line, step.before) < step.below - half_ulp)) add(step.before, -1);
  }
  return misses;
}

int32_t OraclesCode(const ConvQuantization& q, int channel, int32_t acc) {
  const int64_t code = int64_t{MultiplyByQuantizedMultiplier(acc, q.multiplier[channel], q.shift[channel])} + q.output_zero_point;
  const int64_t low = code < q.activation_min ? q.activation_min : code;
  return static_cast<int32_t>(low > q.activation_max ? q.activation_max : low);
}

// Whether every miss has a neighbour with the same code that the line gets right, and makes exceptions of them.
bool Except(const ConvQuantization& q, int channel, const Misses& misses, RequantizeLine* line) {
  for (int i = 0; i < misses.count; ++i) {
    const int32_t acc = misses.acc[i] + misses.neighbour[i];
    const int32_t code = OraclesCode(q, channel, acc);
    if (code != OraclesCode(q, channel, misses.acc[i])) return false;
    const double value = LineAt(*line, acc);
    const double low = code - 0.5, high = code + 0.5;
    if (code > q.activation_min && !(value > low + HalfUlp(low))) return false;
    if (code < q.activation_max && !(value < high - HalfUlp(high))) return false;
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
  const Steps steps = FindSteps(q, channel, range);
  const double scale = ldexp(q.multiplier[channel], -31 + shift);
  const bool one_side = q.activation_min >= q.output_zero_point;
  // What the first rounding moves results by; none where it is the only one.
  const double first = e > 0 ? ldexp(0.5, -e) : 0;
  int most = RequantizeLine::kMostExceptions;  // to be better than what was found
  constexpr int kTries[] = {0, 1, -1, 2, -2, 3, -3};
  // Where nothing fits, lines between those that are too high and those that are too low miss some steps of both kinds: of lines that
  // lean to one, negative results mirrored, less is to be expected.
  for (int lean = 0; lean < 3 && most >= 0; ++lean) {
    for (int scale_step : kTries) {
      RequantizeLine candidate = {};
      candidate.scale = Neighbour(static_cast<float>(scale), scale_step);
      double positive = q.output_zero_point + first;
      double negative = q.output_zero_point - first;
      const Room up = RoomOf(steps, true, candidate.scale, positive), down = RoomOf(steps, false, candidate.scale, negative);
      positive += Centring(up) + (lean == 1 ? Gap(up) : lean == 2 ? -Gap(up) : 0);
      negative += Centring(down) + (lean == 1 ? -Gap(down) : lean == 2 ? Gap(down) : 0);
      if (one_side) negative = positive;
      for (int offset_step : kTries) {
        candidate.offset = Neighbour(static_cast<float>((positive + negative) / 2), offset_step);
        candidate.half = static_cast<float>((positive - negative) / 2);
        const Misses misses = FindMisses(steps, candidate, most);
        if (misses.count <= most && Except(q, channel, misses, &candidate)) {
          *line = candidate;
          most = misses.count - 1;
          if (most < 0) return true;
        }
        if (lean > 0) break;
      }
    }
  }
  return most < RequantizeLine::kMostExceptions;
}

bool FloatRequantization::Prepare(const ConvQuantization& quantization, int channels, const AccumulatorRange* ranges) {
  const int blocks = (channels + kBlock - 1) / kBlock;
  const size_t bytes = static_cast<size_t>(blocks) * kBlock * sizeof(float);
  bool allocated = scale_.Allocate(bytes) && offset_.Allocate(bytes) && half_.Allocate(bytes) && found_.Allocate(blocks);
  for (int i = 0; i < RequantizeLine::kMostExceptions; ++i) {
    allocated = allocated && exception_[i].Allocate(bytes) && substitute_[i].Allocate(bytes);
  }
  if (!allocated) return false;
  for (int block = 0; block < blocks; ++block) {
    bool found = true;
    int exceptions = 0;
    const int end = (block + 1) * kBlock < channels ? (block + 1) * kBlock : channels;
    for (int c = block * kBlock; c < end && found; ++c) {
      RequantizeLine line;
      found = FindRequantizeLine(quantization, c, ranges[c], &line);
      if (line.exceptions > exceptions) exceptions = line.exceptions;
      scale_.as<float>()[c] = line.scale;
      offset_.as<float>()[c] = line.offset;
      half_.as<float>()[c] = line.half;
      for (int i = 0; i < RequantizeLine::kMostExceptions; ++i) {
        exception_[i].as<int32_t>()[c] = line.exception[i];
        substitute_[i].as<int32_t>()[c] = line.substitute[i];
      }
    }
    found_.as<uint8_t>()[block] = static_cast<uint8_t>(found ? exceptions + 1 : 0);
  }
  return true;
}

}  // namespace tflite_eq
