// Nanoseconds per input element of operators without weights, for every table of kernels that this CPU runs: the least of many short
// runs, in which all take turns.
//
// bazel run //delegate/benchmark:elementwise_speed
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "delegate/clock.h"
#include "delegate/kernels/code_lines.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/kernels/elementwise_kernels.h"
#include "delegate/ops/channel_function.h"
#include "delegate/ops/reference/add.h"
#include "delegate/ops/reference/mean.h"
#include "delegate/ops/reference/mul.h"
#include "delegate/ops/reference/prelu.h"
#include "delegate/ops/reference/resize.h"
#include "delegate/ops/reference/unary.h"

namespace tflite_eq {
namespace {

constexpr int kRounds = 400;
constexpr int kScalarRounds = 10;  // slow, and only to compare with

struct Measurement {
  std::string name;
  int height, width, channels;
  std::function<void(const ElementwiseKernels& kernels, const int8_t* first, const int8_t* second, int8_t* output)> run;
  double least[8] = {1e30, 1e30, 1e30, 1e30, 1e30, 1e30, 1e30, 1e30};  // by table of kernels

  size_t size() const { return static_cast<size_t>(height) * width * channels; }
};

PoolShape Pool(int height, int width, int channels, int filter, int stride) {
  PoolShape shape;
  shape.rows = {height, (height - filter) / stride + 1, filter, stride, 0};
  shape.columns = {width, (width - filter) / stride + 1, filter, stride, 0};
  shape.channels = channels;
  return shape;
}

Measurement MaxPool(const char* name, int height, int width, int channels, int filter, int stride) {
  const PoolShape shape = Pool(height, width, channels, filter, stride);
  return {name, height, width, channels, [shape](const ElementwiseKernels& k, const int8_t* in, const int8_t*, int8_t* out) {
            k.max_pool(shape, in, 0, shape.rows.output, out);
          }};
}

Measurement AveragePool(const char* name, int height, int width, int channels, int filter, int stride) {
  const PoolShape shape = Pool(height, width, channels, filter, stride);
  return {name, height, width, channels, [shape](const ElementwiseKernels& k, const int8_t* in, const int8_t*, int8_t* out) {
            k.average_pool(shape, in, 0, shape.rows.output, out);
          }};
}

// Each with the first of as many slopes. Prepared once for each table of kernels, as the operator does it.
Measurement Prelu(const char* name, int channels, float output_scale) {
  struct Prepared {
    PreluConstants constants;
    int16_t slopes[96];
    std::map<const ElementwiseKernels*, ChannelFunction> functions;
  };
  auto* prepared = new Prepared;  // for as long as the program runs
  MakePreluConstants({0.043f, -7}, 0.003f, {output_scale, -90}, &prepared->constants);
  std::mt19937 engine(1);
  std::uniform_int_distribution<int> codes(-128, 127);
  for (int16_t& slope : prepared->slopes) slope = static_cast<int16_t>(codes(engine));
  const auto make = [prepared, channels](const ElementwiseKernels& k, ChannelFunction* function) {
    int8_t all[kCodes];
    for (int i = 0; i < kCodes; ++i) all[i] = static_cast<int8_t>(i - 128);
    Buffer tables;
    if (!tables.Allocate(static_cast<size_t>(channels) * kCodes)) std::abort();
    for (int i = 0; i < channels; ++i) {
      ReferencePrelu(prepared->constants, &prepared->slopes[i], all, tables.as<int8_t>() + i * kCodes, kCodes, 1);
    }
    function->Make(&tables, channels, prepared->constants.input_zero_point, k);
  };
  return {name, 56, 56, channels, [=](const ElementwiseKernels& k, const int8_t* in, const int8_t*, int8_t* out) {
            if (k.prelu != nullptr) return k.prelu(prepared->constants, prepared->slopes, in, out, 56 * 56, channels);
            const auto [found, is_new] = prepared->functions.try_emplace(&k);
            if (is_new) make(k, &found->second);
            found->second.Run(k, in, out, 56 * 56);
          }};
}

Measurement Add(const char* name, float first_scale, float second_scale) {
  AddConstants c;
  MakeAddConstants({first_scale, -7}, {second_scale, 20}, {0.13f, 3}, Activation::kRelu, false, &c);
  AddLine line;
  const bool on_line = FitAddLine(c, &line);
  return {name, 56, 56, 96, [=](const ElementwiseKernels& k, const int8_t* first, const int8_t* second, int8_t* out) {
            if (on_line && k.add_on_line != nullptr) return k.add_on_line(line, first, second, out, 56 * 56 * 96);
            k.add(c, first, second, out, 56 * 56 * 96);
          }};
}

Measurement Mul() {
  MulConstants c;
  MakeMulConstants({0.11f, -7}, {0.043f, 20}, {0.63f, 3}, Activation::kNone, &c);
  return {"MUL", 56, 56, 96, [c](const ElementwiseKernels& k, const int8_t* first, const int8_t* second, int8_t* out) {
            k.mul(c, first, second, out, 56 * 56 * 96);
          }};
}

Measurement LookUp() {
  std::vector<int8_t> table(kCodes);
  LeakyReluTable(0.1f, {0.043f, -7}, {0.037f, -90}, table.data());
  return {"table", 56, 56, 96, [table](const ElementwiseKernels& k, const int8_t* in, const int8_t*, int8_t* out) {
            k.look_up(table.data(), in, out, 56 * 56 * 96);
          }};
}

Measurement Mean() {
  MeanConstants c;
  MakeMeanConstants({0.043f, -7}, {0.037f, -90}, 7 * 7, &c);
  return {"MEAN 7x7x1024", 7, 7, 1024,
          [c](const ElementwiseKernels& k, const int8_t* in, const int8_t*, int8_t* out) { k.mean(c, in, 1024, out); }};
}

// Of the inputs a quarter is read: as many elements as there are inputs are written.
Measurement Resize() {
  constexpr int kOutputs = 56, kChannels = 96;
  std::vector<Interpolation> places;
  for (int i = 0; i < kOutputs; ++i) places.push_back(InterpolationOf({kOutputs / 2, kOutputs, false, true}, i));
  return {"RESIZE_BILINEAR to 56x56x96*", kOutputs, kOutputs, kChannels,
          [places](const ElementwiseKernels& k, const int8_t* in, const int8_t*, int8_t* out) {
            const ptrdiff_t pitch = kOutputs / 2 * kChannels;
            for (int y = 0; y < kOutputs; ++y) {
              const Interpolation& place = places[static_cast<size_t>(y)];
              k.resize_bilinear({in + place.lower * pitch, in + place.upper * pitch, place.fraction, kOutputs / 2, places.data(),
                                 kOutputs, kChannels},
                                out + y * 2 * pitch);
            }
          }};
}

int Main() {
  std::vector<Measurement> measurements = {
      LookUp(),
      Add("ADD", 0.1103f, 0.0473f),
      Add("ADD of which no line is exact", 0.11f, 0.043f),
      Mul(),
      Prelu("PRELU", 96, 0.037f),
      Prelu("PRELU, equal scales", 96, 0.043f),
      Prelu("PRELU, 33 channels", 33, 0.037f),
      MaxPool("MAX_POOL 2x2/2", 56, 56, 96, 2, 2),
      MaxPool("MAX_POOL 3x3/2", 56, 56, 96, 3, 2),
      MaxPool("MAX_POOL 2x2/2, 3 channels", 112, 112, 3, 2, 2),
      MaxPool("MAX_POOL 2x2/2, 8 channels", 112, 112, 8, 2, 2),
      MaxPool("MAX_POOL 2x2/2, 16 channels", 112, 112, 16, 2, 2),
      MaxPool("MAX_POOL 5x5/1, 13x13x512", 13, 13, 512, 5, 1),
      AveragePool("AVERAGE_POOL 2x2/2", 56, 56, 96, 2, 2),
      AveragePool("AVERAGE_POOL 2x2/2, 8 channels", 112, 112, 8, 2, 2),
      AveragePool("AVERAGE_POOL 7x7x1024", 7, 7, 1024, 7, 1),
      Mean(),
      Resize(),
  };
  std::vector<Isa> isas(std::begin(kIsas), std::end(kIsas));
  isas.push_back(Isa::kAvx512Vbmi);
  std::vector<ElementwiseKernels> tables;
  std::printf("%-32s", "ns per input element");
  for (Isa isa : isas) {
    if (!CpuSupports(isa) || (FindElementwise(isa).isa != isa && isa != Isa::kAvx512Vbmi)) continue;
    tables.push_back(FindElementwise(isa));
    std::printf("%26s", isa == Isa::kAvx512Vbmi ? "avx512_vbmi" : IsaName(isa));
  }
  std::mt19937 engine(1);
  std::uniform_int_distribution<int> codes(-128, 127);
  std::vector<int8_t> first(56 * 56 * 96), second(first.size()), output(first.size());
  for (size_t i = 0; i < first.size(); ++i) {
    first[i] = static_cast<int8_t>(codes(engine));
    second[i] = static_cast<int8_t>(codes(engine));
  }
  for (int round = 0; round < kRounds; ++round) {
    for (Measurement& measurement : measurements) {
      for (size_t table = 0; table < tables.size(); ++table) {
        if (tables[table].isa == Isa::kScalar && round >= kScalarRounds) continue;
        const double start = Milliseconds();
        measurement.run(tables[table], first.data(), second.data(), output.data());
        const double each = (Milliseconds() - start) * 1e6 / static_cast<double>(measurement.size());
        measurement.least[table] = std::min(measurement.least[table], each);
      }
    }
  }
  for (const Measurement& measurement : measurements) {
    std::printf("\n%-32s", measurement.name.c_str());
    for (size_t table = 0; table < tables.size(); ++table) std::printf("%26.3f", measurement.least[table]);
  }
  std::printf("\n* per output element\n");
  return 0;
}

}  // namespace
}  // namespace tflite_eq

int main() { return tflite_eq::Main(); }
