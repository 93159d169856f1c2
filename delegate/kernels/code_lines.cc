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

// What the codes of a table leave to a line's values: between `low` and `high`, of which a code at an end of all lets one side go.
struct Ranges {
  double low[kCodes];
  double high[kCodes];

  explicit Ranges(const int8_t* table) {
    for (int i = 0; i < kCodes; ++i) {
      low[i] = table[i] == -128 ? -1e9 : table[i] - 0.5 + kRounding;
      high[i] = table[i] == 127 ? 1e9 : table[i] + 0.5 - kRounding;
    }
  }
};

struct Line {
  float scale;
  float offset;
};

// Far beyond all codes single precision rounds further than that, and is still beyond them.
bool Holds(const Line& line, const Ranges& ranges, int code) {
  const double value = double{line.scale} * code + double{line.offset};
  return value > ranges.low[code + 128] && value < ranges.high[code + 128];
}

// The room that codes leave a line of a slope: offsets from `low` to `high`.
struct Room {
  double low = -1e9;
  double high = 1e9;
  double width() const { return high - low; }
};

Room RoomOf(const Ranges& ranges, int begin, int end, double slope) {
  Room room;
  for (int code = begin; code < end; ++code) {
    const double low = ranges.low[code + 128] - slope * code, high = ranges.high[code + 128] - slope * code;
    room.low = low > room.low ? low : room.low;
    room.high = high < room.high ? high : room.high;
  }
  return room;
}

// How its width changes with the slope: by the codes that bound it.
int RiseOf(const Ranges& ranges, int begin, int end, double slope, const Room& room) {
  int at_low = begin, at_high = begin;
  while (at_low < end - 1 && ranges.low[at_low + 128] - slope * at_low < room.low) ++at_low;
  while (at_high < end - 1 && ranges.high[at_high + 128] - slope * at_high > room.high) ++at_high;
  return at_low - at_high;
}

// The slope with room enough, or the most of it: the room's width is a concave function of the slope, of straight pieces.
Line FindLine(const Ranges& ranges, const int8_t* table, int begin, int end) {
  struct Piece {
    double slope;
    double width;
    int rise;
  };
  const auto piece_at = [&](double slope) {
    const Room room = RoomOf(ranges, begin, end, slope);
    return Piece{slope, room.width(), RiseOf(ranges, begin, end, slope, room)};
  };
  // From the codes that are at no end, of which values are known to half a code.
  const auto is_at_end = [table](int code) { return table[code + 128] == 127 || table[code + 128] == -128; };
  int first = begin, last = end - 1;
  while (first < last && is_at_end(first)) ++first;
  while (first < last && is_at_end(last)) --last;
  const bool is_known = first < last;
  const double middle = is_known ? static_cast<double>(table[last + 128] - table[first + 128]) / (last - first) : 0;
  const double reach = is_known ? 1.0 / (last - first) : 255;
  constexpr double kEnough = 2e-3;
  constexpr int kMostTurns = 12;
  Piece best = piece_at(middle);
  if (best.width < kEnough) {
    Piece low = piece_at(middle - reach), high = piece_at(middle + reach), last_piece = best;
    for (int turn = 0; turn < kMostTurns && best.width < kEnough && last_piece.rise != 0; ++turn) {
      (last_piece.rise > 0 ? low : high) = last_piece;
      // Where the pieces of both ends meet.
      const double meeting = (high.width - low.width + low.rise * low.slope - high.rise * high.slope) / (low.rise - high.rise);
      last_piece = piece_at(meeting > low.slope && meeting < high.slope ? meeting : (low.slope + high.slope) / 2);
      if (last_piece.width > best.width) best = last_piece;
    }
  }
  // Its offset for the slope as a float has it.
  Line line = {static_cast<float>(best.slope), 0};
  Room room = RoomOf(ranges, begin, end, double{line.scale});
  if (room.low < -1e8) room.low = room.high - 1;
  if (room.high > 1e8) room.high = room.low + 1;
  line.offset = static_cast<float>((room.low + room.high) / 2);
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

// Whether one of kTogether sums, of which the first is `value` and each other `step` more, may lie within `near` of an integer. In single
// precision, in which vectors look at several at once: of values between 0 and 2^11, and with room for what it rounds.
constexpr int kTogether = 16;
bool MayBeNear(float value, float step, float near) {
  int may = 0;
  for (int i = 0; i < kTogether; ++i) {
    const float at = value + step * static_cast<float>(i);
    const float rest = at - static_cast<float>(static_cast<int32_t>(at));
    may |= static_cast<int>(rest < near) | static_cast<int>(rest > 1 - near);
  }
  return may != 0;
}

// Pairs of codes with a sum within `near` of the middle between two codes, and what they give; more than kMostNear where there are more.
int FindNearSums(const Sum& sum, const AddConstants& c, double near, NearSum* found) {
  int count = 0;
  constexpr double kMiddle = 1 << 10;
  constexpr double kRoundedThere = 0x1p-10;
  const double largest = 128 * (fabs(sum.scale[0]) + fabs(sum.scale[1])) + fabs(sum.offset) + 1;
  const auto step = static_cast<float>(sum.scale[1]);
  for (int first = -128; first < 128; ++first) {
    const double base = sum.scale[0] * first + sum.offset + 0.5;
    for (int second = -128; second < 128; ++second) {
      if (second % kTogether == 0 && largest < kMiddle &&
          !MayBeNear(static_cast<float>(base + sum.scale[1] * second + kMiddle), step, static_cast<float>(near + kRoundedThere))) {
        second += kTogether - 1;
        continue;
      }
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
    const Ranges ranges(table);
    for (int side = 0; side < 2; ++side) {
      const int begin = begin_of(side), end = end_of(side);
      if (begin == end) continue;
      // What a PRELU does from the kink on is the same for all channels.
      const bool repeats = c > 0 && memcmp(table + begin + 128, table - kCodes + begin + 128, static_cast<size_t>(end - begin)) == 0;
      if (!repeats) lines[side] = FindLine(ranges, table, begin, end);
      for (int i = begin; i < end; ++i) {
        if (!Holds(lines[side], ranges, i)) return blocks_.Allocate(0) && false;
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
