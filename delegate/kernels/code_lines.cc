#include "delegate/kernels/code_lines.h"

#include <math.h>
#include <string.h>

#include "delegate/kernels/requantize.h"

namespace tflite_eq {
namespace {

// Below this, single precision rounds twice by at most so much in all.
constexpr double kLargest = 512;
constexpr double kRounding = 0x1p-15;

// Products and offsets are multiples of 2^-38, and sums that matter below 2^9: doubles hold them exactly, so that rounding these to floats
// is what fma does. A side that adds still less has no line.
constexpr double kLeast = 0x1p-14;
constexpr double kGranule = 0x1p-38;

int8_t Clamped(int64_t code, int32_t min, int32_t max) {
  return static_cast<int8_t>(code < min ? min : code > max ? max : code);
}

// What a code of a table leaves to a value: (low, high), of which an end of all codes lets one side go.
struct Range {
  double low;
  double high;
};

Range RangeOf(int8_t code) {
  return {code == -128 ? -1e9 : code - 0.5 + kRounding, code == 127 ? 1e9 : code + 0.5 - kRounding};
}

struct Line {
  float scale;
  float offset;
};

bool Holds(const Line& line, const Range& range, int code) {
  const double value = double{line.scale} * code + double{line.offset};
  // Far beyond all codes single precision rounds further, and is still beyond them.
  return value > range.low && value < range.high;
}

// The room that all codes leave a line of a slope: offsets from `low` to `high`, and the codes that bound it.
struct Room {
  double low;
  double high;
  int at_low;
  int at_high;
  double width() const { return high - low; }
};

Room RoomOf(const Range* ranges, int begin, int end, double slope) {
  Room room = {-1e9, 1e9, begin, begin};
  for (int code = begin; code < end; ++code) {
    const Range& range = ranges[code + 128];
    const double low = range.low - slope * code, high = range.high - slope * code;
    if (low > room.low) room.low = low, room.at_low = code;
    if (high < room.high) room.high = high, room.at_high = code;
  }
  return room;
}

// The slope with room enough, or the most of it: the room is a concave function of the slope, of straight pieces, each known from the two
// codes that bound it there.
Line FindLine(const Range* ranges, const int8_t* table, int begin, int end) {
  // From the codes that are not at an end.
  int first = begin, last = end - 1;
  while (first < last && (table[first + 128] == table[first + 129]) && (table[first + 128] == 127 || table[first + 128] == -128)) ++first;
  while (first < last && (table[last + 128] == table[last + 127]) && (table[last + 128] == 127 || table[last + 128] == -128)) --last;
  constexpr double kEnough = 2e-3;
  double slope = first < last ? static_cast<double>(table[last + 128] - table[first + 128]) / (last - first) : 0;
  double low = slope - 1, high = slope + 1;
  Room low_room = RoomOf(ranges, begin, end, low), high_room = RoomOf(ranges, begin, end, high);
  double best = slope;
  Room best_room = RoomOf(ranges, begin, end, slope);
  Room room = best_room;
  constexpr int kMostTurns = 12;
  for (int turn = 0; turn < kMostTurns && best_room.width() < kEnough; ++turn) {
    const int rise = room.at_low - room.at_high;  // of the room with the slope
    if (rise == 0) break;
    (rise > 0 ? low : high) = slope;
    (rise > 0 ? low_room : high_room) = room;
    // Where the pieces of both ends meet.
    const int low_rise = low_room.at_low - low_room.at_high, high_rise = high_room.at_low - high_room.at_high;
    const double meeting = (high_room.width() - low_room.width() + low_rise * low - high_rise * high) / (low_rise - high_rise);
    slope = meeting > low && meeting < high ? meeting : (low + high) / 2;
    room = RoomOf(ranges, begin, end, slope);
    if (room.width() > best_room.width()) best = slope, best_room = room;
  }
  // Its offset for the slope as a float has it.
  Line line = {static_cast<float>(best), 0};
  best_room = RoomOf(ranges, begin, end, double{line.scale});
  if (best_room.low < -1e8) best_room.low = best_room.high - 1;
  if (best_room.high > 1e8) best_room.high = best_room.low + 1;
  line.offset = static_cast<float>((best_room.low + best_room.high) / 2);
  return line;
}

int GreatestCommonDivisor(int a, int b) { return b == 0 ? a : GreatestCommonDivisor(b, a % b); }

// ADD's two sides, and the line that its result lies on but for what fixed point rounds.
struct Sum {
  int32_t side[2][kCodes];
  double scale[2];
  double offset;
  double error;  // of that line

  explicit Sum(const AddConstants& c) {
    const double output = ldexp(c.output_scale.multiplier, c.output_scale.shift - 31);
    offset = c.output_zero_point;
    for (int i = 0; i < 2; ++i) {
      for (int code = -128; code < 128; ++code) {
        side[i][code + 128] =
            MultiplyByQuantizedMultiplier((code - c.zero_point[i]) * (1 << 20), c.scale[i].multiplier, c.scale[i].shift);
      }
      scale[i] = ldexp(c.scale[i].multiplier, c.scale[i].shift - 31 + 20) * output;
      offset -= scale[i] * c.zero_point[i];
    }
    // Each multiplication rounds twice: to an integer, then by less than one of the result's; the last to 2^shift of the result first.
    error = 2 * output * 1.5 + ldexp(1, c.output_scale.shift < 0 ? c.output_scale.shift : 0);
  }

  int8_t operator()(const AddConstants& c, int first, int second) const {
    const int32_t sum = side[0][first + 128] + side[1][second + 128];
    return Clamped(int64_t{MultiplyByQuantizedMultiplier(sum, c.output_scale.multiplier, c.output_scale.shift)} + c.output_zero_point,
                   c.activation_min, c.activation_max);
  }
};

struct NearSum {
  int8_t first;
  int8_t second;
  int8_t code;
};
constexpr int kMostNear = 200;

// Pairs of codes with a sum within `near` of the middle between two codes, and what they give; more than kMostNear where there are more.
int FindNearSums(const Sum& sum, const AddConstants& c, double near, NearSum* found) {
  int count = 0;
  for (int first = -128; first < 128; ++first) {
    const double base = sum.scale[0] * first + sum.offset + 0.5;
    for (int second = -128; second < 128; ++second) {
      // Half a code further, so that it is near an integer.
      const double value = base + sum.scale[1] * second;
      const double rest = value - static_cast<double>(static_cast<int32_t>(value));
      const double distance = rest < 0 ? -rest : rest;
      if (distance > near && distance < 1 - near) continue;
      if (value < -kLargest || value > kLargest) continue;  // saturated either way
      if (count == kMostNear) return kMostNear + 1;
      found[count++] = {static_cast<int8_t>(first), static_cast<int8_t>(second), sum(c, first, second)};
    }
  }
  return count;
}

// As vectors round: to the even one of two that are equally near.
int64_t NearestInteger(float value) {
  const double half_further = double{value} + 0.5;
  auto integer = static_cast<int64_t>(half_further);
  if (static_cast<double>(integer) > half_further) --integer;
  return static_cast<double>(integer) == half_further && integer % 2 != 0 ? integer - 1 : integer;
}

// The float so many further on.
float Neighbour(float value, int steps) {
  for (; steps > 0; --steps) value = nextafterf(value, INFINITY);
  for (; steps < 0; ++steps) value = nextafterf(value, -INFINITY);
  return value;
}

// What vectors make of two codes.
int8_t OnLine(const AddLine& line, int first, int second) {
  const auto inner = static_cast<float>(double{line.scale[1]} * second + double{line.offset});
  const auto value = static_cast<float>(double{line.scale[0]} * first + double{inner});
  return Clamped(NearestInteger(value), line.activation_min, line.activation_max);
}

// A line for sums that often lie in the middle between two codes, as where one scale is half another: fixed point rounds these away from
// zero, and so does a line that is a little steeper. It gives every other sum too if these are far enough from the middle.
bool FitSteeperLine(const AddConstants& c, const Sum& sum, AddLine* line) {
  constexpr double kSteeper[] = {0x1p-15, 0x1p-14, 0x1p-13};
  for (double more : kSteeper) {
    double offset = c.output_zero_point;
    for (int i = 0; i < 2; ++i) {
      line->scale[i] = static_cast<float>(sum.scale[i] * (1 + more));
      offset -= double{line->scale[i]} * c.zero_point[i];
    }
    line->offset = static_cast<float>(static_cast<double>(static_cast<int64_t>(offset / kGranule)) * kGranule);
    bool fits = true;
    for (int pair = 0; pair < kCodes * kCodes && fits; ++pair) {
      const int first = pair / kCodes - 128, second = pair % kCodes - 128;
      fits = OnLine(*line, first, second) == sum(c, first, second);
    }
    if (fits) return true;
  }
  return false;
}

}  // namespace

bool FitAddLine(const AddConstants& c, AddLine* line) {
  const Sum sum(c);
  constexpr double kOffsetStep = 0x1p-17;
  for (double scale : sum.scale) {
    if (fabs(scale) < kLeast || fabs(scale) >= kLargest) return false;
  }
  if (128 * fabs(sum.scale[1]) + fabs(sum.offset) >= kLargest) return false;
  const double offset = static_cast<double>(static_cast<int64_t>(sum.offset / kGranule)) * kGranule;
  constexpr int kTries[] = {0, 1, -1, 2, -2, 3, -3};
  constexpr double kMostSteps = 3 + 0.5;
  double near = sum.error + 2 * kRounding + kGranule + kMostSteps * kOffsetStep + kLargest * 0x1p-24;
  for (double scale : sum.scale) near += 128 * kMostSteps * fabs(scale) * 0x1p-23;
  // Sums that are further than that from the middle between two codes give the nearest integer whatever is rounded how. The others:
  NearSum near_sums[kMostNear];
  const int count = FindNearSums(sum, c, near, near_sums);
  line->activation_min = c.activation_min;
  line->activation_max = c.activation_max;
  if (count > kMostNear) return FitSteeperLine(c, sum, line);
  const auto fits = [&] {
    for (int i = 0; i < count; ++i) {
      if (OnLine(*line, near_sums[i].first, near_sums[i].second) != near_sums[i].code) return false;
    }
    return true;
  };
  for (int first_steps : kTries) {
    line->scale[0] = Neighbour(static_cast<float>(sum.scale[0]), first_steps);
    for (int second_steps : kTries) {
      line->scale[1] = Neighbour(static_cast<float>(sum.scale[1]), second_steps);
      for (int offset_steps : kTries) {
        line->offset = static_cast<float>(offset + offset_steps * kOffsetStep);
        if (fits()) return true;
      }
    }
  }
  return FitSteeperLine(c, sum, line);
}

bool ChannelLines::Fit(const int8_t* tables, int channels, int kink) {
  constexpr int kMostRunningOn = 4096;
  channels_ = channels;
  kink_ = kink;
  const int period = channels / GreatestCommonDivisor(channels, kBlock) * kBlock;
  runs_on_ = period <= kMostRunningOn;
  block_count_ = runs_on_ ? period / kBlock : (channels + kBlock - 1) / kBlock;
  if (!blocks_.Allocate(sizeof(Block) * static_cast<size_t>(block_count_))) return false;
  const auto begin_of = [kink](int side) { return side == 0 ? kink : -128; };
  const auto end_of = [kink](int side) { return side == 0 ? 128 : kink; };
  Line lines[2] = {};
  for (int c = 0; c < channels; ++c) {
    const int8_t* table = tables + static_cast<ptrdiff_t>(c) * kCodes;
    Range ranges[kCodes];
    for (int i = 0; i < kCodes; ++i) ranges[i] = RangeOf(table[i]);
    for (int side = 0; side < 2; ++side) {
      const int begin = begin_of(side), end = end_of(side);
      if (begin == end) continue;
      // What a PRELU does from the kink on is the same for all channels.
      const bool repeats = c > 0 && memcmp(table + begin + 128, table - kCodes + begin + 128, static_cast<size_t>(end - begin)) == 0;
      if (!repeats) lines[side] = FindLine(ranges, table, begin, end);
      for (int i = begin; i < end; ++i) {
        if (!Holds(lines[side], ranges[i + 128], i)) return blocks_.Allocate(0) && false;
      }
    }
    for (int at = c; at < block_count_ * kBlock; at += channels) {
      Block& block = blocks_.as<Block>()[at / kBlock];
      const int lane = at % kBlock;
      for (int side = 0; side < 2; ++side) {
        block.scale[side][lane] = lines[side].scale;
        block.offset[side][lane] = lines[side].offset;
      }
      if (!runs_on_) break;
    }
  }
  return true;
}

}  // namespace tflite_eq
