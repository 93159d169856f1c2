#include "delegate/kernels/plan_estimates.h"

#include <stdint.h>

namespace tflite_eq {
namespace {

// Setting up a layer: 0.2 microseconds on Zen 4, and taken for as many multiplications elsewhere.
constexpr double kFixed = 5e4;
// The least that counts as clearly faster. Estimates of measured layers are off by less.
constexpr double kLeastSavedShare = 0.08;
// Second-level caches are each core's own. What does not fit comes over paths that all cores share: threads divide the work on it,
// but not the time to fetch it.
constexpr double kOwnCache = 2 << 20;
// Kernels work on 32 channels at a time, both ways.
constexpr int kChannelBlock = 32;

double RoundUp(int value, int multiple) { return static_cast<double>((value + multiple - 1) / multiple) * multiple; }

// Bytes of an 8-bit 3x3 filter, as XNNPACK packs it.
double PlainWeightBytes(const ConvShape& s) { return 9.0 * s.input_channels * s.output_channels; }

constexpr int kVector = 16;  // output channels that AVX-512 kernels compute at a time, XNNPACK's too

double PeerTimeOnAmx(const ConvShape& s, const CpuCosts::Matrix& costs) {
  constexpr int kRows = 16;
  constexpr int kGroup = 4;
  const int64_t pixels = static_cast<int64_t>(s.output_height) * s.output_width;
  const double rows = static_cast<double>(s.batch) * static_cast<double>((pixels + kRows - 1) / kRows * kRows);
  const double taps = static_cast<double>(s.filter_height) * s.filter_width;
  const double filters = RoundUp(s.output_channels, kVector);
  const double products = taps * RoundUp(s.input_channels, kGroup) * filters;
  const double weights = static_cast<double>(s.filter_size()) * s.output_channels;
  return rows * (costs.row + costs.tap * taps + costs.output * filters + costs.product * products) + costs.weight * weights + costs.layer;
}

// XNNPACK's time where its vectors take `vectors`. Nobody can tell whether the runtime is an older one, which does not use AMX: what is
// won from one that does must not be lost there, or by a few per cent at most.
double PeerTime(const ConvShape& s, const CpuProfile& cpu, double vectors) {
  const CpuCosts::Matrix& amx = CostsOf(cpu).amx;
  if (cpu.peer != Peer::kAmx || amx.row <= 0) return vectors;
  constexpr double kMost = 1.15;
  const double matrices = PeerTimeOnAmx(s, amx);
  return matrices < kMost * vectors ? matrices : kMost * vectors;
}

// What XNNPACK's vectors take for values that are written counts where there are few products for them.
double PeerTimeForOutputs(const ConvShape& s, const CpuProfile& cpu) {
  return CostsOf(cpu).direct.peer * s.batch * s.output_height * s.output_width * s.output_channels;
}

Estimate Finish(const ConvShape& s, const CpuProfile& cpu, double work, double bytes) {
  const double more = bytes - PlainWeightBytes(s);
  const bool shared = bytes > kOwnCache;
  const double fetch = (more > 0 ? more : 0) * CostsOf(cpu).byte * (shared ? cpu.threads : 1);
  // Of what would fit, other layers leave a part in place.
  const double anew = shared ? fetch : fetch / 2;
  return {work + kFixed, fetch, more, PeerTime(s, cpu, XnnpackMultiplications(s)), work + kFixed + anew};
}

// How a form of the 2-D kernels takes what it computes: padded to whole blocks.
struct Winograd2dBlocks {
  int outputs;  // of a tile, in each dimension
  int tiles = 1;
  int inputs = kChannelBlock;      // input channels that are transformed together
  int multiplied = kChannelBlock;  // input channels that are multiplied together
  int filters = kChannelBlock;
  int scratch = 512 << 10;         // bytes that transformed codes and sums take at most
  int sums = kChannelBlock;        // for each position of a tile, in scratch
};

Estimate EstimateWinograd2d(const ConvShape& s, const CpuProfile& cpu, const CpuCosts::Kernel& costs, const Winograd2dBlocks& blocks) {
  const double inputs = RoundUp(s.input_channels, blocks.inputs);
  const double multiplied = RoundUp(s.input_channels, blocks.multiplied);
  const double filters = RoundUp(s.output_channels, blocks.filters);
  const int outputs = blocks.outputs;
  const double image = RoundUp(s.output_height, outputs) * RoundUp(s.output_width, outputs) / (outputs * outputs);
  const double tiles = RoundUp(static_cast<int>(image), blocks.tiles);
  const double positions = (outputs + 2) * (outputs + 2);
  const double tile_bytes = positions * (sizeof(int16_t) * inputs + sizeof(int32_t) * blocks.sums);
  const double scratch = tiles * tile_bytes < blocks.scratch ? tiles * tile_bytes : blocks.scratch;
  const double work = s.batch * tiles * (costs.multiply * multiplied * filters + costs.transform * (inputs + filters));
  return Finish(s, cpu, work, positions * sizeof(int16_t) * multiplied * filters + scratch);
}

}  // namespace

double XnnpackMultiplications(const ConvShape& s) {
  constexpr int kChannelGroup = 8;
  const double channels = s.input_channels < kChannelGroup ? kChannelGroup : s.input_channels;
  return static_cast<double>(s.batch) * s.output_height * s.output_width * s.output_channels * s.filter_height *
         s.filter_width * channels;
}

Estimate EstimateDirectVnni(const ConvShape& s, const CpuProfile& cpu) {
  const CpuCosts::Direct& costs = CostsOf(cpu).direct;
  if (costs.multiply <= 0) return {};
  const double pixels = static_cast<double>(s.batch) * s.output_height * s.output_width;
  // Vectors that are not paired wait for their operands, with one unit most where there is no pair at all: 128->16 of 1x1 and 32->16 of
  // 3x3 take 1.2 and 1.3 times as long for a product.
  const double unpaired_costs = cpu.two_vnni_units ? 1.5 : s.output_channels <= kVector ? 1.2 : 1.08;
  const double filters = RoundUp(s.output_channels, kVector);
  const bool unpaired = RoundUp(s.output_channels, kVector) < RoundUp(s.output_channels, kChannelBlock);
  const double alone = unpaired ? kVector : 0;
  // Groups of four channels, or of the values of a whole filter row where these are few (filter_taps.h).
  constexpr int kGroup = 4;
  constexpr int kLongestFolded = 192;
  const int row = s.filter_width * s.input_channels;
  const bool folded = s.filter_width > 1 && s.dilation_width == 1 && row <= kLongestFolded;
  const double taps = s.filter_height * (folded ? RoundUp(row, kGroup) : s.filter_width * RoundUp(s.input_channels, kGroup));
  const double outputs = pixels * s.output_channels;
  const double inputs = static_cast<double>(s.batch) * s.input_height * s.input_width * s.input_channels;
  double work = costs.multiply * pixels * taps * (filters + (unpaired_costs - 1) * alone) + costs.output * outputs + costs.input * inputs;
  // What is bound by fetching weights: XNNPACK's are in the order it reads them, and its loop does nothing else.
  constexpr double kFewPixels = 8;
  if (pixels < kFewPixels) work *= 1.18;
  ConvShape padded = s;
  padded.output_channels = static_cast<int>(filters);
  const double peer = PeerTime(s, cpu, XnnpackMultiplications(padded) + PeerTimeForOutputs(s, cpu));
  return {work + kFixed, 0, 0, peer, work + kFixed};
}

Estimate EstimateWinogradF43(const ConvShape& s, const CpuProfile& cpu) {
  // winograd_f43_few_channels_avx512.h
  if (Includes(cpu.isa, Isa::kAvx512Vnni) && s.input_channels <= kChannelBlock) {
    Estimate estimate = EstimateWinograd2d(s, cpu, CostsOf(cpu).f43_few_channels,
                                           {/*outputs=*/4, /*tiles=*/4, /*inputs=*/kChannelBlock, /*multiplied=*/2,
                                            /*filters=*/16, /*scratch=*/128 << 10, /*sums=*/0});
    estimate.peer = PeerTime(s, cpu, XnnpackMultiplications(s) + PeerTimeForOutputs(s, cpu));
    return estimate;
  }
  if (Includes(cpu.isa, Isa::kNeon) && !Includes(cpu.isa, Isa::kNeonDotprod)) {  // half as many channels at a time
    constexpr int kBlock = kChannelBlock / 2;
    Estimate estimate = EstimateWinograd2d(s, cpu, CostsOf(cpu).f43, {/*outputs=*/4, /*tiles=*/1, kBlock, kBlock, kBlock});
    estimate.peer += PeerTimeForOutputs(s, cpu);
    return estimate;
  }
  return EstimateWinograd2d(s, cpu, CostsOf(cpu).f43, {/*outputs=*/4});
}

Estimate EstimateWinogradF23(const ConvShape& s, const CpuProfile& cpu) {
  return EstimateWinograd2d(s, cpu, CostsOf(cpu).f23, {/*outputs=*/2});
}

Estimate EstimateWinograd1d(const ConvShape& s, const CpuProfile& cpu, bool two_taps) {
  const CpuCosts::Kernel& costs = two_taps ? CostsOf(cpu).two_taps : CostsOf(cpu).triplets;
  // AVX-512 takes input channels by fours.
  const double inputs = RoundUp(s.input_channels, Includes(cpu.isa, Isa::kAvx512Vnni) ? 4 : kChannelBlock);
  const double filters = RoundUp(s.output_channels, kChannelBlock);
  // Outputs come in pairs; the last of an odd number takes three of a pair's four products.
  const double columns = s.output_width + 0.5 * (s.output_width % 2);
  const double pixels = s.batch * static_cast<double>(s.output_height) * columns;
  const double work = pixels * (costs.multiply * inputs * filters + costs.transform * (inputs + filters));
  const double taps = two_taps ? 15 : 12;  // of three rows
  Estimate estimate = Finish(s, cpu, work, taps * inputs * filters);
  estimate.peer = PeerTime(s, cpu, XnnpackMultiplications(s) + PeerTimeForOutputs(s, cpu));
  return estimate;
}

namespace {

// What the NEON direct kernels take to read weights that no cache holds: once for as many output rows as their planes hold.
double WeightPasses(const ConvShape& s, const CpuProfile& cpu, double depth, double filters) {
  constexpr double kHeld = 384 << 10;  // of a second-level cache of 512 KiB
  const double planes = s.filter_height > 1 ? 128 << 10 : 18 << 10;  // direct_neon.h, where weights are that many
  const double bytes = depth * filters;
  if (bytes <= kHeld) return 0;
  const double rows = planes / (depth * s.output_width);
  const int whole = rows < 1 ? 1 : rows < s.output_height ? static_cast<int>(rows) : s.output_height;
  return s.batch * static_cast<double>((s.output_height + whole - 1) / whole) * bytes * CostsOf(cpu).byte;
}

}  // namespace

Estimate EstimateDirect(const ConvShape& s, const CpuProfile& cpu, bool seven_bits) {
  const CpuCosts::Direct& costs = seven_bits ? CostsOf(cpu).direct_int7 : CostsOf(cpu).direct;
  const bool x86 = Includes(cpu.isa, Isa::kAvx2);
  const int row = s.filter_width * s.input_channels;
  // What is gathered for an output: all of it side by side, or vectors of channels, in which few channels share one with their row, or
  // with all rows.
  const bool folded = s.filter_width > 1 && s.dilation_width == 1 && row <= 2 * kVector;
  const bool whole = folded && RoundUp(s.filter_height * row, kVector) < s.filter_height * RoundUp(row, kVector);
  const double depth = x86 || whole ? RoundUp(s.filter_size(), x86 && !seven_bits ? 2 : kVector)
                       : folded     ? s.filter_height * RoundUp(row, kVector)
                                    : s.filter_height * s.filter_width * RoundUp(s.input_channels, kVector);
  // A copied row takes more than twice as long as vectors of channels that lie side by side.
  const double input = folded && !whole && !x86 ? 2.5 * costs.input : costs.input;
  const double pixels = static_cast<double>(s.batch) * s.output_height * s.output_width;
  const double filters = RoundUp(s.output_channels, x86 ? kVector : 4);
  // On NEON every filter row begins a loop of its own.
  constexpr double kRowOfOutput = .2;
  const double output = x86 || whole ? costs.output : costs.output * (1 + kRowOfOutput * (s.filter_height - 1));
  const double passes = x86 ? 0 : WeightPasses(s, cpu, depth, filters);
  const double work = pixels * (costs.multiply * depth * filters + output * filters + input * depth) + passes;
  const double peer = costs.multiply > 0 ? XnnpackMultiplications(s) + costs.peer * pixels * s.output_channels : 0;
  return {work, 0, 0, peer, work};
}

Estimate EstimateDepthwise(const ConvShape& s, const CpuProfile& cpu) {
  const CpuCosts::Depthwise& costs = CostsOf(cpu).depthwise;
  // Vectors of channels, and pairs of columns.
  constexpr int kChannels = 16;
  const double rows = static_cast<double>(s.batch) * s.output_height;
  const double outputs = rows * RoundUp(s.output_width, 2) * RoundUp(s.output_channels, kChannels);
  const double taps = static_cast<double>(s.filter_height) * s.filter_width;
  // Input rows that are passed over are not prepared; where columns are, those that are seen are prepared for each tap anew.
  const double strided_rows = s.stride_height < s.filter_height ? s.stride_height : s.filter_height;
  const bool contiguous = s.dilation_width == 1 && s.stride_width <= 2;
  const double inputs = outputs * strided_rows * (contiguous ? s.stride_width : s.filter_width);
  const double work = outputs * (costs.output + costs.tap * taps) + inputs * costs.input;
  const double peer = costs.peer * rows * s.output_width * s.output_channels * taps;
  return {work + kFixed, 0, 0, peer, work + kFixed};
}

bool Pays(const Estimate& estimate, const char* kernel, Reason* reason) {
  if (estimate.work > (1 - kLeastSavedShare) * estimate.peer) {
    const double share = 100 * (1 - estimate.work / estimate.peer);
    reason->Set("%s would take %.0f %% %s time", kernel, share < 0 ? -share : share, share < 0 ? "more" : "less");
    return false;
  }
  if (estimate.work + estimate.fetch > estimate.peer) {
    reason->Set("%s saves less than fetching its %.1f MB from memory can take", kernel, estimate.bytes / 1048576);
    return false;
  }
  return true;
}

}  // namespace tflite_eq
