// Nanoseconds per input element of operators without weights, for every table of kernels that this CPU runs: the least of many short
// runs, in which all take turns.
//
// bazel run //delegate/benchmark:elementwise_speed
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

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

struct NamedKernels {
  std::string name;
  ElementwiseKernels kernels;
};

std::vector<NamedKernels> AllKernels() {
  std::vector<NamedKernels> all;
  for (Isa isa : kIsas) {
    const ElementwiseKernels kernels = FindElementwise(isa);
    if (kernels.isa == isa && CpuSupports(isa)) all.push_back({IsaName(isa), kernels});
  }
  if (CpuSupports(Isa::kAvx512Vbmi)) all.push_back({"avx512_vbmi", FindElementwise(Isa::kAvx512Vbmi)});
  return all;
}

// The tensors of one measurement, 56x56 pixels unless it is said otherwise.
struct Tensors {
  std::vector<int8_t> first, second, output;
  std::vector<int16_t> slopes;
  int channels;

  Tensors(int height, int width, int depth) : channels(depth) {
    std::mt19937 engine(1);
    std::uniform_int_distribution<int> codes(-128, 127);
    first.resize(static_cast<size_t>(height) * width * depth);
    for (int8_t& code : first) code = static_cast<int8_t>(codes(engine));
    second = first;
    std::shuffle(second.begin(), second.end(), engine);
    output.resize(first.size());
    for (int i = 0; i < depth; ++i) slopes.push_back(static_cast<int16_t>(codes(engine)));
  }
};

struct Measurement {
  std::string name;
  Tensors* tensors;
  std::function<void(const ElementwiseKernels&, Tensors*)> run;
};

PoolShape Pool(int height, int width, int channels, int filter, int stride) {
  PoolShape shape;
  shape.rows = {height, (height - filter) / stride + 1, filter, stride, 0};
  shape.columns = {width, (width - filter) / stride + 1, filter, stride, 0};
  shape.channels = channels;
  return shape;
}

Measurement MaxPool(Tensors* tensors, const char* name, const PoolShape& shape) {
  return {name, tensors, [shape](const ElementwiseKernels& k, Tensors* t) {
            k.max_pool(shape, t->first.data(), 0, shape.rows.output, t->output.data());
          }};
}

Measurement AveragePool(Tensors* tensors, const char* name, const PoolShape& shape) {
  return {name, tensors, [shape](const ElementwiseKernels& k, Tensors* t) {
            k.average_pool(shape, t->first.data(), 0, shape.rows.output, t->output.data());
          }};
}

Measurement Prelu(Tensors* tensors, const char* name, float output_scale) {
  PreluConstants c;
  MakePreluConstants({0.043f, -7}, 0.003f, {output_scale, -90}, &c);
  // As the operator does it, prepared once for each table of kernels: these are few and stay where they are.
  const auto tables = std::make_shared<std::vector<int8_t>>(tensors->slopes.size() * kCodes);
  int8_t codes[kCodes];
  for (int i = 0; i < kCodes; ++i) codes[i] = static_cast<int8_t>(i - 128);
  for (size_t i = 0; i < tensors->slopes.size(); ++i) {
    ReferencePrelu(c, &tensors->slopes[i], codes, tables->data() + i * kCodes, kCodes, 1);
  }
  const auto functions = std::make_shared<std::map<const ElementwiseKernels*, ChannelFunction>>();
  return {name, tensors, [=](const ElementwiseKernels& k, Tensors* t) {
            const size_t pixels = t->first.size() / t->slopes.size();
            if (k.prelu != nullptr) return k.prelu(c, t->slopes.data(), t->first.data(), t->output.data(), pixels, t->channels);
            if (functions->count(&k) == 0) {
              Buffer copy;
              if (!copy.Allocate(tables->size())) std::abort();
              std::copy(tables->begin(), tables->end(), copy.as<int8_t>());
              (*functions)[&k].Make(&copy, t->channels, c.input_zero_point, k);
            }
            (*functions)[&k].Run(k, t->first.data(), t->output.data(), pixels);
          }};
}

Measurement Add(Tensors* tensors, const char* name, float first_scale, float second_scale) {
  AddConstants c;
  MakeAddConstants({first_scale, -7}, {second_scale, 20}, {0.13f, 3}, Activation::kRelu, false, &c);
  AddLine line;
  const bool on_line = FitAddLine(c, &line);
  return {name, tensors, [=](const ElementwiseKernels& k, Tensors* t) {
            if (on_line && k.add_on_line != nullptr) {
              return k.add_on_line(line, t->first.data(), t->second.data(), t->output.data(), t->first.size());
            }
            k.add(c, t->first.data(), t->second.data(), t->output.data(), t->first.size());
          }};
}

Measurement Mul(Tensors* tensors) {
  MulConstants c;
  MakeMulConstants({0.11f, -7}, {0.043f, 20}, {0.63f, 3}, Activation::kNone, &c);
  return {"MUL", tensors, [c](const ElementwiseKernels& k, Tensors* t) {
            k.mul(c, t->first.data(), t->second.data(), t->output.data(), t->first.size());
          }};
}

Measurement LookUp(Tensors* tensors) {
  std::vector<int8_t> table(kCodes);
  LeakyReluTable(0.1f, {0.043f, -7}, {0.037f, -90}, table.data());
  return {"table", tensors, [table](const ElementwiseKernels& k, Tensors* t) {
            k.look_up(table.data(), t->first.data(), t->output.data(), t->first.size());
          }};
}

Measurement Mean(Tensors* tensors) {
  MeanConstants c;
  MakeMeanConstants({0.043f, -7}, {0.037f, -90}, static_cast<int64_t>(tensors->first.size()) / tensors->channels, &c);
  return {"MEAN 7x7x1024", tensors, [c](const ElementwiseKernels& k, Tensors* t) {
            k.mean(c, t->first.data(), t->channels, t->output.data());
          }};
}

// A square of inputs, of which a quarter's are read: twice as many rows and columns are as many elements as the tensors have.
Measurement Resize(Tensors* tensors, int outputs) {
  const ResizeAxis axis = {outputs / 2, outputs, false, true};
  std::vector<Interpolation> places;
  for (int i = 0; i < outputs; ++i) places.push_back(InterpolationOf(axis, i));
  return {"RESIZE_BILINEAR to 56x56x96*", tensors, [places, outputs](const ElementwiseKernels& k, Tensors* t) {
            const ptrdiff_t pitch = static_cast<ptrdiff_t>(outputs) / 2 * t->channels;
            for (int y = 0; y < outputs; ++y) {
              const Interpolation& place = places[static_cast<size_t>(y)];
              k.resize_bilinear({t->first.data() + place.lower * pitch, t->first.data() + place.upper * pitch, place.fraction,
                                 outputs / 2, places.data(), outputs, t->channels},
                                t->output.data() + y * 2 * pitch);
            }
          }};
}

int Main() {
  Tensors usual(56, 56, 96), odd(56, 56, 33), three(112, 112, 3), eight(112, 112, 8), sixteen(112, 112, 16), wide(7, 7, 1024),
      spp(13, 13, 512);
  const std::vector<Measurement> measurements = {
      LookUp(&usual),
      Add(&usual, "ADD", 0.1103f, 0.0473f),
      Add(&usual, "ADD of which no line is exact", 0.11f, 0.043f),
      Mul(&usual),
      Prelu(&usual, "PRELU", 0.037f),
      Prelu(&usual, "PRELU, equal scales", 0.043f),
      Prelu(&odd, "PRELU, 33 channels", 0.037f),
      MaxPool(&usual, "MAX_POOL 2x2/2", Pool(56, 56, 96, 2, 2)),
      MaxPool(&usual, "MAX_POOL 3x3/2", Pool(56, 56, 96, 3, 2)),
      MaxPool(&three, "MAX_POOL 2x2/2, 3 channels", Pool(112, 112, 3, 2, 2)),
      MaxPool(&eight, "MAX_POOL 2x2/2, 8 channels", Pool(112, 112, 8, 2, 2)),
      MaxPool(&sixteen, "MAX_POOL 2x2/2, 16 channels", Pool(112, 112, 16, 2, 2)),
      MaxPool(&spp, "MAX_POOL 5x5/1, 13x13x512", Pool(13, 13, 512, 5, 1)),
      AveragePool(&usual, "AVERAGE_POOL 2x2/2", Pool(56, 56, 96, 2, 2)),
      AveragePool(&eight, "AVERAGE_POOL 2x2/2, 8 channels", Pool(112, 112, 8, 2, 2)),
      AveragePool(&wide, "AVERAGE_POOL 7x7x1024", Pool(7, 7, 1024, 7, 1)),
      Mean(&wide),
      Resize(&usual, 56),
  };
  const std::vector<NamedKernels> all = AllKernels();
  std::vector<std::vector<double>> least(measurements.size(), std::vector<double>(all.size(), 1e30));
  for (int round = 0; round < kRounds; ++round) {
    for (size_t m = 0; m < measurements.size(); ++m) {
      for (size_t k = 0; k < all.size(); ++k) {
        if (all[k].kernels.isa == Isa::kScalar && round >= 10) continue;  // slow, and only to compare with
        const auto start = std::chrono::steady_clock::now();
        measurements[m].run(all[k].kernels, measurements[m].tensors);
        const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
        const double each = elapsed.count() / static_cast<double>(measurements[m].tensors->first.size());
        least[m][k] = std::min(least[m][k], each);
      }
    }
  }
  std::printf("%-32s", "ns per input element");
  for (const NamedKernels& named : all) std::printf("%26s", named.name.c_str());
  std::printf("\n");
  for (size_t m = 0; m < measurements.size(); ++m) {
    std::printf("%-32s", measurements[m].name.c_str());
    for (double each : least[m]) std::printf("%26.3f", each);
    std::printf("\n");
  }
  std::printf("* per output element\n");
  return 0;
}

}  // namespace
}  // namespace tflite_eq

int main() { return tflite_eq::Main(); }
