#include "delegate/ops/transpose_conv.h"

#include <string.h>

#include "delegate/kernels/plan_estimates.h"
#include "delegate/ops/reference/transpose_conv.h"
#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {
namespace {

// The first version of the operator whose parameters name an activation.
constexpr int kFirstWithActivation = 4;

// Of either stride; there is a convolution for every pair of phases.
constexpr int kMostStride = 8;

size_t RoundUp(size_t bytes) { return (bytes + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment; }

}  // namespace

TransposedPhase PhaseOf(int output, int filter, int stride, int pad, int phase) {
  TransposedPhase result;
  // Output y sees input (y + pad - tap) / stride, of taps that are equal to y + pad modulo the stride: these are the phase.
  result.first = ((phase - pad) % stride + stride) % stride;
  result.count = output > result.first ? (output - result.first - 1) / stride + 1 : 0;
  result.first_tap = phase;
  // The input that the first of them sees with the first tap. What lies in front of the convolution's window is never skipped: rather the
  // window grows by taps of 0.
  const int seen = (result.first + pad - phase) / stride;
  const int taps = filter > phase ? (filter - phase - 1) / stride + 1 : 0;
  result.taps = taps > seen ? taps : seen + 1;
  result.pad = result.taps - 1 - seen;
  return result;
}

bool TransposeConv::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  const auto* parameters = ReadParameters<TfLiteTransposeConvParams>(node, reason);
  ConstantInts sizes;
  if (parameters == nullptr || !HasTensors(graph, node, 3, 4, reason) || !ReadInts(graph, node, 0, "output shape", &sizes, reason)) {
    return false;
  }
  const TensorView filter = graph.tensor(node.inputs.at(1, kNoTensor));
  Shape taps;
  if (!HasInt8Type(filter, "filter", reason) || !HasFourDimensions(filter, "filter", 1, reason) ||
      !ReadShape(filter, "filter", &taps, reason)) {
    return false;
  }
  ConvShape& s = problem_.shape;
  s.output_channels = taps.dims[0];
  s.filter_height = taps.dims[1];
  s.filter_width = taps.dims[2];
  s.input_channels = taps.dims[3];
  s.stride_height = parameters->stride_height;
  s.stride_width = parameters->stride_width;
  if (s.stride_height < 1 || s.stride_width < 1 || s.stride_height > kMostStride || s.stride_width > kMostStride) {
    reason->Set("strides of %dx%d are not from 1 to %d", s.stride_height, s.stride_width, kMostStride);
    return false;
  }
  if (sizes.count != 4 || sizes[0] < 0 || sizes[1] < 0 || sizes[2] < 0 || sizes[3] != s.output_channels) {
    reason->Set("output shape is not one of four dimensions, the last of them %d", s.output_channels);
    return false;
  }
  s.batch = sizes[0];
  s.output_height = sizes[1];
  s.output_width = sizes[2];
  const int32_t activation = node.version < kFirstWithActivation ? int32_t{kTfLiteActNone} : parameters->activation;
  return ReadPadding(parameters->padding, reason) && ResolveTransposedPadding(reason) &&
         ReadTensors(graph, node, {/*input=*/2, /*filter=*/1, /*bias=*/3}, activation, reason);
}

// Padding is that of the convolution which makes the input's size of the output's.
bool TransposeConv::ResolveTransposedPadding(Reason* reason) {
  ConvShape& s = problem_.shape;
  ConvShape forward = s;
  forward.input_height = s.output_height;
  forward.input_width = s.output_width;
  forward.input_channels = s.output_channels;
  forward.output_channels = s.input_channels;
  if (!ResolvePadding(padding_, &forward, reason)) return false;
  s.pad_top = forward.pad_top;
  s.pad_left = forward.pad_left;
  return true;
}

bool TransposeConv::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  ConvShape& s = problem_.shape;
  const Shape& input = inputs[0];
  if (input.rank != 4 || input.dims[0] != s.batch || input.dims[3] != s.input_channels) {
    reason->Set("input is not of shape [%d, h, w, %d]", s.batch, s.input_channels);
    return false;
  }
  s.input_height = input.dims[1];
  s.input_width = input.dims[2];
  *output = {4, {s.batch, s.output_height, s.output_width, s.output_channels}};
  has_input_ = s.input_height > 0 && s.input_width > 0;
  // Kernels count the rows and columns between the first and the last in 32 bits; the output's and the filter's are within bounds.
  const int64_t rows = int64_t{s.input_height} + s.output_height + s.filter_height;
  const int64_t columns = int64_t{s.input_width} + s.output_width + s.filter_width;
  if (output->IsValid() && rows + kMostStride <= kLargestSize && columns + kMostStride <= kLargestSize) return true;
  reason->Set("the output or its windows are too large");
  return false;
}

TransposedPhase TransposeConv::RowsOf(int phase) const {
  const ConvShape& s = problem_.shape;
  return PhaseOf(s.output_height, s.filter_height, s.stride_height, s.pad_top, phase / s.stride_width);
}

TransposedPhase TransposeConv::ColumnsOf(int phase) const {
  const ConvShape& s = problem_.shape;
  return PhaseOf(s.output_width, s.filter_width, s.stride_width, s.pad_left, phase % s.stride_width);
}

ConvShape TransposeConv::ShapeOf(const TransposedPhase& rows, const TransposedPhase& columns) const {
  ConvShape s = problem_.shape;
  // Several are run image by image, for what they write lies between what others write.
  if (!is_one_convolution()) s.batch = 1;
  s.stride_height = s.stride_width = 1;
  s.output_height = rows.count;
  s.output_width = columns.count;
  s.filter_height = rows.taps;
  s.filter_width = columns.taps;
  s.pad_top = rows.pad;
  s.pad_left = columns.pad;
  return s;
}

Plan TransposeConv::Choose(const Environment& environment) const {
  const DelegateOptions& options = environment.options;
  const Algorithm algorithm = options.any_kernel ? Algorithm::kDirect : options.kernel;
  if (algorithm == Algorithm::kDirect || algorithm == Algorithm::kReference) {
    return ForceBestKernel(problem_, algorithm, AllowedCpu(environment).isa);
  }
  Plan plan;
  plan.reason.Set("transposed convolutions run on the direct kernel, not on %s", AlgorithmName(algorithm));
  return plan;
}

Worth TransposeConv::Judge(const Environment& environment, bool insist) const {
  const Plan plan = Choose(environment);
  Worth worth;
  worth.possible = plan.claim;
  worth.reason = plan.reason;
  if (!plan.claim || !environment.options.any_kernel || insist) return worth;
  const ConvShape& s = problem_.shape;
  CpuProfile cpu = AllowedCpu(environment);
  worth.possible = false;
  // On AMX XNNPACK takes about 100 ns for each output pixel, eleven times what it takes for one of a convolution, beside what its vectors
  // take (delegate/README.md). Nor does this kernel lose where a runtime does not use AMX: it was 1.7 times as fast as those vectors.
  constexpr double kRows = 11;
  const double amx_pixel = cpu.peer == Peer::kAmx ? kRows * CostsOf(cpu).amx.row : 0;
  if (amx_pixel > 0) cpu.peer = Peer::kSameInstructions;
  if (cpu.peer != Peer::kSameInstructions) {
    worth.reason.Set("not measured against XNNPACK with %s", PeerInstructions(cpu));
    return worth;
  }
  // XNNPACK's time is taken to be that of the convolutions: as one operator it takes longer (stock_prices.py has twice the time for a
  // multiplication), so that this says too little rather than too much.
  double own = 0;
  for (int phase = 0; phase < phase_count(); ++phase) {
    const ConvShape part = ShapeOf(RowsOf(phase), ColumnsOf(phase));
    const Estimate estimate = Includes(cpu.isa, Isa::kAvx512Vnni) ? EstimateDirectVnni(part, cpu) : EstimateDirect(part, cpu, false);
    if (estimate.peer <= 0) {
      worth.reason.Set("the direct kernel was not measured on such a CPU (%s)", IsaName(cpu.isa));
      return worth;
    }
    worth.runtime += estimate.peer;
    own += estimate.expected;
  }
  worth.possible = true;
  worth.runtime += amx_pixel * s.batch * s.output_height * s.output_width;
  // What else is written between, and then moved to its place.
  const double moved = is_one_convolution() ? 0 : static_cast<double>(s.output_height) * s.output_width * s.output_channels;
  own += CostsOf(cpu).of(SimpleOperator::kCopy).own * moved;
  worth.saved_multiplications = worth.runtime - own;
  worth.reason.Set("%s on %s: one convolution for each phase", AlgorithmName(plan.algorithm), IsaName(plan.isa));
  // Measured by itself with two VNNI units.
  worth.only_between = !cpu.two_vnni_units || !Includes(cpu.isa, Isa::kAvx512Vnni);
  return worth;
}

bool TransposeConv::PreparePhase(const Plan& plan, int workers, Phase* phase, Reason* reason) const {
  ConvProblem problem = problem_;
  problem.shape = ShapeOf(phase->rows, phase->columns);
  const ConvShape& s = problem.shape;
  const int64_t weights = int64_t{s.output_channels} * s.filter_height * s.filter_width * s.input_channels;
  Array<int8_t> filter;
  if (weights > kLargestSize || !filter.Allocate(static_cast<int>(weights))) {
    reason->Set("out of memory");
    return false;
  }
  int8_t* to = filter.begin();
  const auto channels = static_cast<size_t>(s.input_channels);
  for (int k = 0; k < s.output_channels; ++k) {
    const int8_t* from = problem_.weights.filter + static_cast<size_t>(k) * static_cast<size_t>(problem_.shape.filter_size());
    for (int ky = s.filter_height - 1; ky >= 0; --ky) {
      const int y = phase->rows.first_tap + ky * problem_.shape.stride_height;
      for (int kx = s.filter_width - 1; kx >= 0; --kx, to += channels) {
        const int x = phase->columns.first_tap + kx * problem_.shape.stride_width;
        if (y >= problem_.shape.filter_height || x >= problem_.shape.filter_width) continue;
        memcpy(to, from + (static_cast<size_t>(y) * problem_.shape.filter_width + x) * channels, channels);
      }
    }
  }
  problem.weights.filter = filter.begin();
  return phase->conv.Prepare(problem, plan.algorithm, plan.isa, workers, reason);
}

bool TransposeConv::Prepare(const Environment& environment, int workers, Reason* reason) {
  const Plan plan = Choose(environment);
  *reason = plan.reason;
  if (!plan.claim) return false;
  if (!phases_.Allocate(phase_count())) {
    reason->Set("out of memory");
    return false;
  }
  for (int i = 0; i < phases_.size(); ++i) {
    phases_[i].rows = RowsOf(i);
    phases_[i].columns = ColumnsOf(i);
    if (!phases_[i].is_empty() && !PreparePhase(plan, workers, &phases_[i], reason)) return false;
  }
  return true;
}

// The output's size is the node's, and so are phases: only the input changes.
Units TransposeConv::Divide() {
  if (IsEmpty(problem_.shape)) return {};
  if (!has_input_) return {1, 0};
  Units units;
  image_bytes_ = 0;
  for (Phase& phase : phases_) {
    if (phase.is_empty()) continue;
    const ConvShape shape = ShapeOf(phase.rows, phase.columns);
    phase.conv.Reshape(shape);
    const size_t scratch = phase.conv.worker_scratch_bytes();
    if (scratch > units.scratch_bytes) units.scratch_bytes = scratch;
    const size_t bytes = RoundUp(static_cast<size_t>(shape.output_height) * static_cast<size_t>(shape.output_width) *
                                 static_cast<size_t>(shape.output_channels));
    if (bytes > image_bytes_) image_bytes_ = bytes;
  }
  if (is_one_convolution()) return {phases_[0].conv.units(), units.scratch_bytes};
  units.count = problem_.shape.batch * phases_.size();
  units.scratch_bytes += image_bytes_;
  return units;
}

void TransposeConv::Run(const Codes& codes, int unit, void* scratch) const {
  const ConvShape& s = problem_.shape;
  if (!has_input_) return Reference(codes);
  if (is_one_convolution()) return phases_[0].conv.RunUnit(unit, codes.inputs[0], codes.output, scratch);
  const auto image = static_cast<size_t>(unit / phases_.size());
  const Phase& phase = phases_[unit % phases_.size()];
  const size_t input = static_cast<size_t>(s.input_height) * static_cast<size_t>(s.input_width) * static_cast<size_t>(s.input_channels);
  const size_t output =
      static_cast<size_t>(s.output_height) * static_cast<size_t>(s.output_width) * static_cast<size_t>(s.output_channels);
  if (!phase.is_empty()) RunPhase(phase, codes.inputs[0] + image * input, codes.output + image * output, static_cast<char*>(scratch));
}

void TransposeConv::RunPhase(const Phase& phase, const int8_t* input, int8_t* output, char* scratch) const {
  const ConvShape& s = problem_.shape;
  const auto* from = reinterpret_cast<const int8_t*>(scratch);
  for (int unit = 0; unit < phase.conv.units(); ++unit) {
    phase.conv.RunUnit(unit, input, reinterpret_cast<int8_t*>(scratch), scratch + image_bytes_);
  }
  const auto channels = static_cast<size_t>(s.output_channels);
  for (int row = 0; row < phase.rows.count; ++row) {
    const int y = phase.rows.first + row * s.stride_height;
    int8_t* to = output + (static_cast<size_t>(y) * s.output_width + phase.columns.first) * channels;
    for (int column = 0; column < phase.columns.count; ++column) {
      memcpy(to, from, channels);
      to += channels * static_cast<size_t>(s.stride_width);
      from += channels;
    }
  }
}

void TransposeConv::Reference(const Codes& codes) const { ReferenceTransposeConv(problem_, codes.inputs[0], codes.output); }

Description TransposeConv::Describe() const {
  const ConvShape& s = problem_.shape;
  Description description;
  for (const Phase& phase : phases_) {
    if (phase.is_empty()) continue;
    description.kernel = AlgorithmName(phase.conv.kernel().algorithm);
    description.isa = phase.conv.kernel().isa;
    description.packed_bytes += phase.conv.memory_bytes();
  }
  description.filter_height = s.filter_height;
  description.filter_width = s.filter_width;
  description.stride_height = s.stride_height;
  description.stride_width = s.stride_width;
  return description;
}

}  // namespace tflite_eq
