// LOGISTIC and TANH, whose tables are certain or none.
#include <string.h>

#include "delegate/ops/reference/unary.h"

namespace tflite_eq {
namespace {

// Of x <= 0, to some 2^-50 of itself. Not the C library's: the table is the same on every machine.
double Exponential(double x) {
  constexpr double kLog2E = 1.4426950408889634, kLn2 = 0.6931471805599453;
  if (!(x > -700)) return 0;
  const int exponent = static_cast<int>(x * kLog2E - 0.5);
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

bool Table(double (*function)(double), const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  // Single-precision functions err by a few units of their last place, 2^-23 of themselves at most; sixteen are allowed for.
  constexpr double kError = 16.0 / (1 << 23);
  const float inverse = 1 / output.scale;
  if (!(input.scale > 0 && inverse > 0 && inverse < 1e9f)) return false;
  for (int i = 0; i < kCodes; ++i) {
    const float real = input.scale * static_cast<float>(i - 128 - input.zero_point);
    const double value = function(static_cast<double>(real)) * static_cast<double>(inverse);
    table[i] = Rounded(value * (1 - kError), output.zero_point);
    if (table[i] != Rounded(value * (1 + kError), output.zero_point)) return false;
  }
  return true;
}

}  // namespace

bool LogisticTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]) {
  return output.scale == 1.0f / 256 && Table(Logistic, input, output, table);
}

bool TanhTable(const Quantization& input, const Quantization& output, int8_t table[kCodes]) { return Table(Tanh, input, output, table); }

}  // namespace tflite_eq
