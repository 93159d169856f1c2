// Times complete int8 -> int8 layers, one thread, in chains of five with distinct weights; kernels take turns, so that a slow
// spell of the machine hits them all alike. Prints milliseconds per layer, minimum and median.
//
//   kernel_benchmark [--rounds N] [--isa NAME] [--kernel NAME] [--shape SIZExINxOUT]...
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "delegate/benchmark/layer_chain.h"
#include "delegate/kernels/cpu_features.h"

namespace tflite_eq {
namespace {

struct Contender {
  std::string name;
  std::unique_ptr<LayerChain> chain;
  std::vector<double> milliseconds;
};

struct Arguments {
  int rounds = 60;
  const char* isa = nullptr;
  const char* kernel = nullptr;
  std::vector<LayerShape> shapes;
};

double RunOnce(LayerChain* chain) {
  SerialThreadPool pool;
  const auto start = std::chrono::steady_clock::now();
  chain->Run(&pool);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count() / LayerChain::kLayers;
}

void AddContender(const LayerShape& shape, Values values, const char* suffix, Algorithm algorithm, Isa isa,
                  const Arguments& arguments, std::vector<Contender>* contenders) {
  if (!CpuSupports(isa) || FindKernel(algorithm, isa) == nullptr) return;
  if (arguments.isa != nullptr && strcmp(arguments.isa, IsaName(isa)) != 0) return;
  if (arguments.kernel != nullptr && strcmp(arguments.kernel, AlgorithmName(algorithm)) != 0) return;
  Contender contender;
  contender.name = std::string(AlgorithmName(algorithm)) + "/" + IsaName(isa) + suffix;
  contender.chain = std::make_unique<LayerChain>();
  Reason reason;
  if (!contender.chain->Prepare(shape, values, algorithm, isa, 1, &reason)) {
    std::printf("  %-36s refused: %s\n", contender.name.c_str(), reason.text);
    return;
  }
  contenders->push_back(std::move(contender));
}

void BenchmarkShape(const LayerShape& shape, const Arguments& arguments) {
  std::printf("%dx%dx%d->%d\n", shape.size, shape.size, shape.input_channels, shape.output_channels);
  std::vector<Contender> contenders;
  for (Isa isa : {Isa::kAvx2, Isa::kAvx512Vnni}) {
    AddContender(shape, Values::kInt8, "", Algorithm::kDirect, isa, arguments, &contenders);
    AddContender(shape, Values::kInt8, "", Algorithm::kWinogradF43, isa, arguments, &contenders);
    AddContender(shape, Values::kInt8, "", Algorithm::kWinogradF23, isa, arguments, &contenders);
    AddContender(shape, Values::kEvenTriplets, "", Algorithm::kWinograd1d, isa, arguments, &contenders);
    AddContender(shape, Values::kPlainInt7, " two taps", Algorithm::kWinograd1d, isa, arguments, &contenders);
  }
  for (int round = 0; round <= arguments.rounds; ++round) {
    for (Contender& contender : contenders) {
      const double elapsed = RunOnce(contender.chain.get());
      if (round > 0) contender.milliseconds.push_back(elapsed);  // the first round warms up
    }
  }
  for (Contender& contender : contenders) {
    std::sort(contender.milliseconds.begin(), contender.milliseconds.end());
    std::printf("  %-36s min %.4f  median %.4f ms  %6.2f MB\n", contender.name.c_str(), contender.milliseconds.front(),
                contender.milliseconds[contender.milliseconds.size() / 2],
                contender.chain->memory_bytes() / 1e6 / LayerChain::kLayers);
  }
}

bool Parse(int argc, char** argv, Arguments* arguments) {
  for (int i = 1; i < argc; i += 2) {
    const std::string flag = argv[i];
    if (i + 1 == argc) return false;
    const char* value = argv[i + 1];
    LayerShape shape;
    if (flag == "--rounds") {
      arguments->rounds = std::atoi(value);
      if (arguments->rounds < 1) return false;
    } else if (flag == "--isa") {
      arguments->isa = value;
    } else if (flag == "--kernel") {
      arguments->kernel = value;
    } else if (flag == "--shape" &&
               std::sscanf(value, "%dx%dx%d", &shape.size, &shape.input_channels, &shape.output_channels) == 3) {
      arguments->shapes.push_back(shape);
    } else {
      return false;
    }
  }
  if (arguments->shapes.empty()) {
    arguments->shapes = {{56, 64, 64}, {28, 128, 128}, {14, 256, 256}, {7, 512, 512}, {112, 32, 64}};
  }
  return true;
}

}  // namespace
}  // namespace tflite_eq

int main(int argc, char** argv) {
  tflite_eq::Arguments arguments;
  if (!tflite_eq::Parse(argc, argv, &arguments)) {
    std::fprintf(stderr, "usage: %s [--rounds N] [--isa NAME] [--kernel NAME] [--shape SIZExINxOUT]...\n", argv[0]);
    return 2;
  }
  for (const tflite_eq::LayerShape& shape : arguments.shapes) tflite_eq::BenchmarkShape(shape, arguments);
  return 0;
}
