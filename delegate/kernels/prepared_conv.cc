#include "delegate/kernels/prepared_conv.h"

#include <stdlib.h>

#include <new>

#include "delegate/kernels/cpu_features.h"
#include "delegate/kernels/geometry.h"

namespace tflite_eq {
namespace {

size_t RoundUp(size_t bytes) { return (bytes + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment; }

// Whether no input holds codes that a kernel which needs a fallback would leave to it: all are in one window of 128 codes, the padding,
// too.
bool IsAlwaysInWindow(const ConvQuantization& q) {
  const int32_t least = q.input_zero_point < q.input_min ? q.input_zero_point : q.input_min;
  const int32_t greatest = q.input_zero_point > q.input_max ? q.input_zero_point : q.input_max;
  return (least >= 0 && greatest <= 127) || (least >= -64 && greatest <= 63);
}

struct RunState {
  const PreparedConv* conv;
  const int8_t* input;
  int8_t* output;
  char* scratch;
};

void RunTask(void* opaque, int unit, int worker) {
  const RunState& state = *static_cast<const RunState*>(opaque);
  state.conv->RunUnit(unit, state.input, state.output, state.scratch + worker * state.conv->worker_scratch_bytes());
}

}  // namespace

PreparedConv::~PreparedConv() {
  if (fallback_ != nullptr) {
    fallback_->~PreparedConv();
    free(fallback_);
  }
}

bool PreparedConv::Prepare(const ConvProblem& problem, Algorithm algorithm, Isa isa, int workers, Reason* reason) {
  kernel_ = FindKernel(algorithm, isa);
  if (kernel_ == nullptr) {
    reason->Set("there is no %s kernel for %s", AlgorithmName(algorithm), IsaName(isa));
    return false;
  }
  if (!CpuSupports(isa)) {
    reason->Set("this CPU does not support %s", IsaName(isa));
    return false;
  }
  if (!kernel_->certify(problem, reason)) return false;

  const int channels = problem.shape.output_channels;
  Buffer ranges;
  Buffer magnitudes;
  Buffer late;
  if (!ranges.Allocate(sizeof(AccumulatorRange) * channels) || !magnitudes.Allocate(sizeof(int64_t) * channels) ||
      !late.Allocate(sizeof(int32_t) * channels)) {
    reason->Set("out of memory");
    return false;
  }
  const bool two_dimensional = algorithm == Algorithm::kWinogradF43 || algorithm == Algorithm::kWinogradF23;
  for (int c = 0; c < channels; ++c) {
    ranges.as<AccumulatorRange>()[c] = ChannelRange(problem, c);
    magnitudes.as<int64_t>()[c] = ranges.as<AccumulatorRange>()[c].magnitude();
    if (two_dimensional && problem.weights.bias != nullptr && BiasComesLate(problem, c)) {
      late.as<int32_t>()[c] = problem.weights.bias[c];
    }
  }
  const size_t packed_bytes = kernel_->packed_bytes(problem);
  if (!requantization_.Prepare(problem.quantization, channels, magnitudes.as<int64_t>(), late.as<int32_t>()) || !packed_.Allocate(packed_bytes)) {
    reason->Set("out of memory: %zu bytes for weights", packed_bytes);
    return false;
  }
  kernel_->pack(problem, packed_.as<void>());
  if constexpr (kKernelsUseLines) {
    if (kernel_->uses_lines && !lines_.Prepare(problem.quantization, channels, ranges.as<AccumulatorRange>())) {
      reason->Set("out of memory");
      return false;
    }
  }

  if (kernel_->needs_fallback && !IsAlwaysInWindow(problem.quantization) && fallback_ == nullptr) {
    void* memory = malloc(sizeof(PreparedConv));
    if (memory == nullptr) {
      reason->Set("out of memory");
      return false;
    }
    fallback_ = new (memory) PreparedConv;
  }
  if (fallback_ != nullptr && !fallback_->Prepare(problem, Algorithm::kDirect, isa, workers, reason)) return false;

  context_.shape = problem.shape;
  context_.input_zero_point = problem.quantization.input_zero_point;
  context_.requantization = &requantization_;
  context_.packed = packed_.as<void>();
  context_.lines = kernel_->uses_lines ? &lines_ : nullptr;
  workers_ = workers;
  Replan();
  return true;
}

void PreparedConv::Reshape(const ConvShape& shape) {
  context_.shape = shape;
  if (fallback_ != nullptr) fallback_->Reshape(shape);
  Replan();
}

void PreparedConv::PlaceOutputs(int stride) {
  context_.output_stride = stride;
  if (fallback_ != nullptr) fallback_->PlaceOutputs(stride);
}

void PreparedConv::Replan() {
  // Without anything to compute there may be more images, rows or columns than a kernel can count.
  plan_ = IsEmpty(context_.shape) ? WorkPlan() : kernel_->plan(context_.shape, workers_);
  // Something, wherever there is work: without input channels kernels gather nothing, but still count from where they would.
  plan_.scratch_bytes = RoundUp(plan_.units > 0 && plan_.scratch_bytes == 0 ? 1 : plan_.scratch_bytes);
  if (fallback_ != nullptr) {
    context_.fallback_kernel = fallback_->kernel_;
    context_.fallback_context = &fallback_->context_;
    context_.fallback_rows = fallback_->plan_.unit_size;
    context_.own_scratch_bytes = plan_.scratch_bytes;
  }
}

size_t PreparedConv::worker_scratch_bytes() const {
  const size_t fallback = fallback_ != nullptr ? fallback_->worker_scratch_bytes() : 0;
  return plan_.scratch_bytes + fallback;
}

size_t PreparedConv::scratch_bytes() const { return worker_scratch_bytes() * workers_; }

size_t PreparedConv::memory_bytes() const {
  constexpr int kRequantizationArrays = 6;
  const size_t constants = kRequantizationArrays * sizeof(int32_t) * context_.shape.output_channels;
  return packed_.size() + constants + lines_.memory_bytes() + (fallback_ != nullptr ? fallback_->memory_bytes() : 0);
}

void PreparedConv::RunRows(int row_begin, int row_end, const int8_t* input, int8_t* output, void* scratch) const {
  // There are no images behind this one, into which kernels may read.
  KernelContext context = context_;
  context.shape.batch = 1;
  for (int row = row_begin, end; row < row_end; row = end) {
    end = plan_.unit_size < row_end - row ? row + plan_.unit_size : row_end;
    kernel_->run_rows(context, /*image=*/0, row, end, input, output, scratch);
  }
}

void PreparedConv::Run(const int8_t* input, int8_t* output, void* scratch, ThreadPool* pool) const {
  RunState state = {this, input, output, static_cast<char*>(scratch)};
  pool->Run(RunTask, &state, plan_.units);
}

}  // namespace tflite_eq
