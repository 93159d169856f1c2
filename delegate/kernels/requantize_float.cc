#include "delegate/kernels/requantize_float.h"

#include <math.h>

namespace tflite_eq {
namespace {

constexpr int kCodes = 256;
// Integers up to this are floats.
constexpr int64_t kExactFloats = int64_t{1} << 24;
// Beyond this right shift steps are computed in more than 64 bits; accumulators that small have no steps at all.
constexpr int kLargestShift = 22;

int64_t CeilDivide(int64_t a, int64_t b) { return a / b + (a % b > 0 ? 1 : 0); }

// The steps that accumulators reach, and those next beyond what they reach, which the line must not take early. `below` is k - 1/2, zero
// point included. The line has to be above it at `at` and below it at `before`, where the step has an accumulator on that side.
struct Step {
  double below;
  bool has_at;
  bool has_before;
  double at;
  double before;
  bool positive;  // k > 0: both sides of the step are on the line of acc >= 0
};
struct Steps {
  int count = 0;
  Step steps[kCodes];
};

Steps FindSteps(const ConvQuantization& q, int channel, int64_t magnitude) {
  Steps steps;
  const int64_t multiplier = q.multiplier[channel];
  const int e = -q.shift[channel];
  for (int code = q.activation_min + 1; code <= q.activation_max; ++code) {
    const int64_t k = int64_t{code} - q.output_zero_point;
    // The least y that RoundingDivideByPOT takes to k, then the least acc that SRDHM takes to y.
    const int64_t half = e > 0 ? int64_t{1} << (e - 1) : 0;
    const int64_t y = k * (int64_t{1} << e) - half + (k <= 0 && e > 0 ? 1 : 0);
    const int64_t acc = CeilDivide(y * (int64_t{1} << 31) - (int64_t{1} << 30), multiplier);
    Step& step = steps.steps[steps.count++];
    step.below = code - 0.5;
    step.positive = k > 0;
    step.has_at = acc <= magnitude;
    step.at = static_cast<double>(acc > -magnitude ? acc : -magnitude);
    step.has_before = acc - 1 >= -magnitude;
    step.before = static_cast<double>(acc - 1 < magnitude ? acc - 1 : magnitude);
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

bool Fits(const Steps& steps, const RequantizeLine& line) {
  // As the vectors compute it.
  const float positive = line.offset + line.half;
  const float negative = line.offset - line.half;
  for (int i = 0; i < steps.count; ++i) {
    const Step& step = steps.steps[i];
    const double half_ulp = HalfUlp(step.below);
    const double at = double{line.scale} * step.at + double{step.at >= 0 ? positive : negative};
    const double before = double{line.scale} * step.before + double{step.before >= 0 ? positive : negative};
    if (step.has_at && !(at > step.below + half_ulp)) return false;
    if (step.has_before && !(before < step.below - half_ulp)) return false;
  }
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

}  // namespace

bool FindRequantizeLine(const ConvQuantization& q, int channel, int64_t magnitude, RequantizeLine* line) {
  const int e = -q.shift[channel];
  if (e < 0 || e > kLargestShift || q.multiplier[channel] <= 0 || magnitude >= kExactFloats) return false;
  const Steps steps = FindSteps(q, channel, magnitude);
  const double scale = ldexp(q.multiplier[channel], -31 - e);
  const bool one_side = q.activation_min >= q.output_zero_point;
  // What the first rounding moves results by; none where it is the only one.
  const double first = e > 0 ? ldexp(0.5, -e) : 0;
  constexpr int kTries[] = {0, 1, -1, 2, -2, 3, -3};
  for (int scale_step : kTries) {
    line->scale = Neighbour(static_cast<float>(scale), scale_step);
    double positive = q.output_zero_point + first;
    double negative = q.output_zero_point - first;
    positive += Centring(RoomOf(steps, true, line->scale, positive));
    negative += Centring(RoomOf(steps, false, line->scale, negative));
    if (one_side) negative = positive;
    for (int offset_step : kTries) {
      line->offset = Neighbour(static_cast<float>((positive + negative) / 2), offset_step);
      line->half = static_cast<float>((positive - negative) / 2);
      if (Fits(steps, *line)) return true;
    }
  }
  return false;
}

bool FloatRequantization::Prepare(const ConvQuantization& quantization, int channels, const int64_t* magnitude) {
  const int blocks = (channels + kBlock - 1) / kBlock;
  const size_t bytes = static_cast<size_t>(blocks) * kBlock * sizeof(float);
  if (!scale_.Allocate(bytes) || !offset_.Allocate(bytes) || !half_.Allocate(bytes) || !exact_.Allocate(blocks)) return false;
  for (int block = 0; block < blocks; ++block) {
    bool exact = true;
    const int end = (block + 1) * kBlock < channels ? (block + 1) * kBlock : channels;
    for (int c = block * kBlock; c < end && exact; ++c) {
      RequantizeLine line = {};
      exact = FindRequantizeLine(quantization, c, magnitude[c], &line);
      scale_.as<float>()[c] = line.scale;
      offset_.as<float>()[c] = line.offset;
      half_.as<float>()[c] = line.half;
    }
    exact_.as<uint8_t>()[block] = exact;
  }
  return true;
}

}  // namespace tflite_eq
