// One convolution: its certificates, its plan on any CPU, and its result by any kernel this machine runs.
#include <string.h>

#include "delegate/array.h"
#include "delegate/kernels/conv_kernel.h"
#include "delegate/kernels/geometry.h"
#include "delegate/kernels/plan.h"
#include "delegate/kernels/prepared_conv.h"
#include "delegate/options.h"
#include "delegate/python/names.h"
#include "delegate/worker_pool.h"

namespace tflite_eq {
namespace {

bool Require(bool condition, const char* message, Reason* reason) {
  if (!condition) reason->Set("%s", message);
  return condition;
}

const char* FormName(Winograd1dForm form) {
  switch (form) {
    case Winograd1dForm::kHalveSums:
      return "halve_sums";
    case Winograd1dForm::kHalveWeights:
      return "halve_weights";
    case Winograd1dForm::kTwoTaps:
      return "two_taps";
    case Winograd1dForm::kNone:
      break;
  }
  return "none";
}

bool IsCode(int32_t value) { return value >= -128 && value <= 127; }

bool AllWithin(const int32_t* values, int count, int32_t low, int32_t high) {
  for (int i = 0; i < count; ++i) {
    if (values[i] < low || values[i] > high) return false;
  }
  return true;
}

template <typename T>
bool Copy(const T* values, size_t count, Array<T>* copied) {
  if (count > INT32_MAX || !copied->Allocate(static_cast<int>(count))) return false;
  memcpy(copied->begin(), values, count * sizeof(T));
  return true;
}

// False with a reason. Fills in all but what points at weights and scales.
bool Describe(const EqConvolution& d, ConvProblem* problem, Reason* reason) {
  ConvShape& s = problem->shape;
  s.output_channels = d.filter_shape[0];
  s.filter_height = d.filter_shape[1];
  s.filter_width = d.filter_shape[2];
  s.input_channels = d.filter_shape[3];
  s.batch = d.input_size[0];
  s.input_height = d.input_size[1];
  s.input_width = d.input_size[2];
  s.stride_height = d.stride[0];
  s.stride_width = d.stride[1];
  s.dilation_height = d.dilation[0];
  s.dilation_width = d.dilation[1];
  const bool same = strcmp(d.padding, "same") == 0;
  if (!Require(s.batch > 0 && s.input_height > 0 && s.input_width > 0, "input_size must be positive", reason) ||
      !Require(s.stride_height > 0 && s.stride_width > 0, "stride must be positive", reason) ||
      !Require(s.dilation_height > 0 && s.dilation_width > 0, "dilation must be positive", reason) ||
      !Require(same || strcmp(d.padding, "valid") == 0, "padding must be same or valid", reason) ||
      !ResolvePadding(same ? Padding::kSame : Padding::kValid, &s, reason) ||
      !Require(s.output_height > 0 && s.output_width > 0, "the input is smaller than the filter", reason)) {
    return false;
  }
  ConvQuantization& q = problem->quantization;
  q.input_zero_point = d.input_zero_point;
  q.output_zero_point = d.output_zero_point;
  q.activation_min = d.activation_range[0];
  q.activation_max = d.activation_range[1];
  return Require(AllWithin(d.multiplier, s.output_channels, 0, INT32_MAX), "multiplier must not be negative", reason) &&
         Require(AllWithin(d.shift, s.output_channels, -31, 30), "shift must be in [-31, 30]", reason) &&
         Require(IsCode(q.input_zero_point) && IsCode(q.output_zero_point), "zero points must be in [-128, 127]", reason) &&
         Require(IsCode(q.activation_min) && IsCode(q.activation_max) && q.activation_min <= q.activation_max,
                 "activation_range must be two ascending codes", reason);
}

}  // namespace

class Convolution {
 public:
  int32_t Make(const EqConvolution& d, Reason* reason) {
    if (!Describe(d, &problem_, reason)) return kRefused;
    const size_t outputs = static_cast<size_t>(d.filter_shape[0]);
    const size_t filter = outputs * static_cast<size_t>(problem_.shape.filter_size());
    if (!Copy(d.filter, filter, &filter_) || (d.bias != nullptr && !Copy(d.bias, outputs, &bias_)) ||
        !Copy(d.multiplier, outputs, &multiplier_) || !Copy(d.shift, outputs, &shift_)) {
      return kOutOfMemory;
    }
    problem_.quantization.multiplier = multiplier_.begin();
    problem_.quantization.shift = shift_.begin();
    problem_.weights = {filter_.begin(), d.bias != nullptr ? bias_.begin() : nullptr};
    return kDone;
  }

  const ConvProblem& problem() const { return problem_; }
  const int8_t* filter_of(int channel) const {
    return filter_.begin() + static_cast<ptrdiff_t>(channel) * problem_.shape.filter_size();
  }

 private:
  ConvProblem problem_;
  Array<int8_t> filter_;
  Array<int32_t> bias_;
  Array<int32_t> multiplier_;
  Array<int32_t> shift_;
};

}  // namespace tflite_eq

using namespace tflite_eq;

int32_t EqConvolutionCreate(const EqConvolution* description, Convolution** made, Reason* reason) {
  Convolution* convolution = NewObject<Convolution>();
  if (convolution == nullptr) return kOutOfMemory;
  const int32_t status = convolution->Make(*description, reason);
  if (status == kDone) {
    *made = convolution;
  } else {
    DeleteObject(convolution);
  }
  return status;
}

void EqConvolutionDelete(Convolution* convolution) { DeleteObject(convolution); }

void EqConvolutionOutputShape(const Convolution* convolution, int32_t shape[4]) {
  const ConvShape& s = convolution->problem().shape;
  shape[0] = s.batch;
  shape[1] = s.output_height;
  shape[2] = s.output_width;
  shape[3] = s.output_channels;
}

int32_t EqConvolutionRun(const Convolution* convolution, const int8_t* input, const char* kernel, const char* isa, int32_t threads,
                         int8_t* output, Reason* reason) {
  Algorithm algorithm;
  Isa instructions;
  if (threads < 1 || threads > kMostThreads) {
    reason->Set("threads must be in [1, %d]", kMostThreads);
    return kRefused;
  }
  if (!ParseAlgorithm(kernel, &algorithm, reason) || !ParseIsa(isa, &instructions, reason)) return kRefused;
  WorkerPool pool;
  pool.Start(threads);
  PreparedConv conv;
  if (!conv.Prepare(convolution->problem(), algorithm, instructions, pool.workers(), reason)) return kRefused;
  Buffer scratch;
  if (!scratch.Allocate(conv.scratch_bytes())) return kOutOfMemory;
  conv.Run(input, output, scratch.as<void>(), &pool);
  return kDone;
}

int32_t EqConvolutionCertify(const Convolution* convolution, const char* kernel, const char* isa, int32_t* exact, Reason* reason) {
  Algorithm algorithm;
  Isa instructions;
  if (!ParseAlgorithm(kernel, &algorithm, reason) || !ParseIsa(isa, &instructions, reason)) return kRefused;
  const Plan plan = ForceKernel(convolution->problem(), algorithm, instructions);
  *exact = plan.claim;
  *reason = plan.reason;
  return kDone;
}

int32_t EqConvolutionPlan(const Convolution* convolution, const EqCpu* cpu, EqPlan* plan, Reason* reason) {
  CpuProfile profile;
  if (!ParseCpu(*cpu, &profile, reason)) return kRefused;
  const Plan found = ChooseKernel(convolution->problem(), profile);
  *plan = {found.claim, AlgorithmName(found.algorithm), IsaName(found.isa), found.reason};
  return kDone;
}

void EqConvolutionRanges(const Convolution* convolution, int64_t (*ranges)[2]) {
  const ConvProblem& problem = convolution->problem();
  for (int channel = 0; channel < problem.shape.output_channels; ++channel) {
    const AccumulatorRange range = ChannelRange(problem, channel);
    ranges[channel][0] = range.min;
    ranges[channel][1] = range.max;
  }
}

int32_t EqConvolutionForms(const Convolution* convolution, const char** forms, Reason* reason) {
  const ConvShape& s = convolution->problem().shape;
  if (!Require(s.is_3x3_stride_1(), "not a 3x3 convolution with stride 1 and dilation 1", reason)) return kRefused;
  for (int channel = 0; channel < s.output_channels; ++channel) {
    forms[channel] = FormName(ClassifyWinograd1d(convolution->filter_of(channel), s.input_channels));
  }
  return kDone;
}
