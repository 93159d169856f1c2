// LOGISTIC, TANH, EXP and GELU, whose tables are certain or none.
#include <string.h>

#include "delegate/ops/reference/unary.h"

namespace tflite_eq {
namespace {

// Of x <= 700, to some 2^-50 of itself. Not the C library's: the table is the same on every machine.
double Exponential(double x) {
  constexpr double kLog2E = 1.4426950408889634, kLn2 = 0.6931471805599453;
  if (!(x > -700)) return 0;
  const int exponent = static_cast<int>(x * kLog2E + (x < 0 ? -0.5 : 0.5));
  const double rest = x - exponent * kLn2;  // at most ln 2 / 2 from 0
  double sum = 1;
  for (int i = 14; i > 0; --i) sum = 1 + sum * rest / i;
  const uint64_t bits = static_cast<uint64_t>(exponent + 1023) << 52;
  double power;
  memcpy(&power, &bits, sizeof(power));
  return sum * power;
}

double Logistic(double x) {
  const double small = Exponential(x < 0 ? x : -x);
  return (x < 0 ? small : 1) / (1 + small);
}

double Tanh(double x) {
  const double magnitude = 2 * Logistic(2 * (x < 0 ? -x : x)) - 1;
  return x < 0 ? -magnitude : magnitude;
}

int8_t Rounded(double value, int32_t zero_point) {
  // Half away from zero.
  const double nearest = value < 0 ? value - 0.5 : value + 0.5;
  const double limited = nearest < -512 ? -512 : nearest > 512 ? 512 : nearest;
  return ClampCode(static_cast<int64_t>(limited) + zero_point);
}

// What falls below x of a normal distribution, to 2^-34.
double Normal(double x) {
  constexpr double kFar = 6.5, kInverseRootTwoPi = 0.3989422804014327;
  if (!(x > -kFar)) return 0;
  if (x > kFar) return 1;
  // x + x^3 / 3 + x^5 / (3 * 5) + ...
  double sum = x, term = x;
  for (int i = 3; i < 400; i += 2) {
    term *= x * x / i;
    sum += term;
  }
  return 0.5 + kInverseRootTwoPi * Exponential(-x * x / 2) * sum;
}

double Gelu(double x) { return x * Normal(x); }

double ApproximateGelu(double x) {
  constexpr double kRootTwoOverPi = 0.7978845608028654, kCube = 0.044715;
  return 0.5 * x * (1 + Tanh(kRootTwoOverPi * x * (1 + kCube * x * x)));
}

// How far what a runtime computes for x may lie from what this does.
struct Error {
  double of_value;  // parts of the value
  double of_input;  // parts of x
};

// Within the error each value is rounded to the same code.
bool Table(double (*function)(double), const Error& error, const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  const float inverse = 1 / output.scale;
  if (!(input.scale > 0 && inverse > 0 && inverse < 1e9f)) return false;
  for (int i = 0; i < kCodes; ++i) {
    const float real = input.scale * static_cast<float>(i - 128 - input.zero_point);
    const double x = static_cast<double>(real);
    const double value = function(x) * static_cast<double>(inverse);
    // The reference converts to int32 before it clamps.
    if (!(value < 1 << 30 && value > -(1 << 30))) return false;
    const double of_value = value < 0 ? -value : value, of_input = (x < 0 ? -x : x) * static_cast<double>(inverse);
    const double most = error.of_value * of_value + error.of_input * of_input;
    table[i] = Rounded(value - most, output.zero_point);
    if (table[i] != Rounded(value + most, output.zero_point)) return false;
  }
  return true;
}

// A unit in the last place of a single-precision value is at most that part of it; an operation errs by half of one.
constexpr double kUnit = 1.0 / (1 << 23);

}  // namespace

// expf by one unit (those of glibc, musl, bionic and FreeBSD err by less), then a sum and a quotient; the scale is a power of two.
bool LogisticTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  return output.scale == 1.0f / 256 && Table(Logistic, {2.5 * kUnit, 0}, input, output, table);
}

// tanhf by three units (2.2 is the most that is known of the same), then a product.
bool TanhTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  return Table(Tanh, {4 * kUnit, 0}, input, output, table);
}

// expf by one unit, then a product.
bool ExpTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  return Table(Exponential, {2.5 * kUnit, 0}, input, output, table);
}

// The reference forms x / 2 times 1 + tanhf or erfcf, which are at most 2: tanhf by three units of what is below 1, its argument by two of
// itself, which moves it by less than half as much, erfcf by fewer; a sum; two products.
bool GeluTable(bool approximate, const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  return Table(approximate ? ApproximateGelu : Gelu, {2 * kUnit, 4 * kUnit}, input, output, table);
}

}  // namespace tflite_eq
