#include "delegate/ops/conv_2d.h"

#include <limits.h>

#include "delegate/kernels/reference.h"
#include "delegate/ops/tensor_checks.h"

namespace tflite_eq {

bool Conv2d::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  const TensorView input = graph.tensor(node.inputs.at(0, kNoTensor));
  const TensorView filter = graph.tensor(node.inputs.at(1, kNoTensor));
  const TensorView output = graph.tensor(node.outputs.at(0, kNoTensor));
  const auto* parameters = ReadParameters<TfLiteConvParams>(node, reason);
  if (parameters == nullptr || !HasTensors(graph, node, 2, 3, reason)) return false;
  return HasInt8Type(input, "input", reason) && HasInt8Type(filter, "filter", reason) &&
         HasInt8Type(output, "output", reason) && ReadGeometry(input, filter, output, *parameters, reason) &&
         ReadTensors(graph, node, {}, parameters->activation, reason);
}

bool Conv2d::ReadGeometry(TensorView input, TensorView filter, TensorView output, const TfLiteConvParams& parameters,
                          Reason* reason) {
  // Of the output's shape only the rank counts: the runtime asks for the rest once it knows the input's.
  if (!HasFourDimensions(input, "input", 0, reason) || !HasFourDimensions(filter, "filter", 1, reason) ||
      !HasFourDimensions(output, "output", INT_MIN, reason)) {
    return false;
  }
  ConvShape& s = problem_.shape;
  const int* taps = filter.shape().begin();
  s.output_channels = taps[0];
  s.filter_height = taps[1];
  s.filter_width = taps[2];
  s.input_channels = taps[3];
  const int channels = input.shape().at(3, 0);
  if (s.input_channels != channels) {
    reason->Set("grouped convolution: filter has %d input channels, input %d", s.input_channels, channels);
    return false;
  }
  s.stride_height = parameters.stride_height;
  s.stride_width = parameters.stride_width;
  s.dilation_height = parameters.dilation_height_factor;
  s.dilation_width = parameters.dilation_width_factor;
  // What is read of weights counts on sizes that are within bounds, whatever the input's.
  Shape shape;
  return ReadPadding(parameters.padding, reason) && ReadShape(filter, "filter", &shape, reason);
}

bool Conv2d::Resize(const Shape* inputs, Shape* output, Reason* reason) {
  ConvShape& s = problem_.shape;
  const Shape& input = inputs[0];
  if (input.rank != 4 || input.dims[3] != s.input_channels) {
    reason->Set("input is not of shape [n, h, w, %d]", s.input_channels);
    return false;
  }
  s.batch = input.dims[0];
  s.input_height = input.dims[1] + edges_.top + edges_.bottom;
  s.input_width = input.dims[2] + edges_.left + edges_.right;
  if (!ResolvePadding(padding_, &s, reason)) return false;
  s.input_height = input.dims[1];
  s.input_width = input.dims[2];
  s.pad_top += edges_.top;
  s.pad_left += edges_.left;
  *output = {4, {s.batch, s.output_height, s.output_width, s.output_channels}};
  return true;
}

// A batch of 0 stands for one that is not known yet: the layer is judged by one image.
ConvProblem Conv2d::Judged() const {
  ConvProblem judged = problem_;
  if (judged.shape.batch == 0) judged.shape.batch = 1;
  return judged;
}

Plan Conv2d::Choose(const Environment& environment, bool insist) const {
  const DelegateOptions& options = environment.options;
  const CpuProfile allowed = AllowedCpu(environment);
  if (!options.any_kernel) return ForceBestKernel(problem_, options.kernel, allowed.isa);
  const ConvProblem judged = Judged();
  if (insist) return InsistOnKernel(judged, allowed);
  if (!IsEmpty(judged.shape)) return ChooseKernel(judged, allowed);
  Plan plan;
  plan.reason.Set("an input of %dx%d gives nothing to compute", judged.shape.input_height, judged.shape.input_width);
  return plan;
}

Worth Conv2d::Judge(const Environment& environment, bool insist) const {
  const ConvShape& s = problem_.shape;
  // Legal, but a model that is made for it was not meant so.
  if (s.input_height > 0 && s.input_width > 0 && (s.output_height < 1 || s.output_width < 1)) {
    Worth worth;
    worth.reason.Set("a %dx%d input is smaller than the filter", s.input_height, s.input_width);
    return worth;
  }
  Plan plan = Choose(environment, insist);
  if (!plan.claim && environment.options.any_kernel) {
    const Plan between = ChooseKernelBetween(Judged(), AllowedCpu(environment));
    if (between.claim) return {true, between.saved_multiplications, 0, plan.reason, /*only_between=*/true};
  }
  return {plan.claim, plan.saved_multiplications, 0, plan.reason};
}

bool Conv2d::Prepare(const Environment& environment, int workers, Reason* reason) {
  Plan plan = Choose(environment, /*insist=*/false);
  if (!plan.claim && environment.options.any_kernel) plan = ChooseKernelBetween(Judged(), AllowedCpu(environment));
  if (!plan.claim) plan = Choose(environment, /*insist=*/true);
  *reason = plan.reason;
  problem_.quantization.input_min = input_codes_.least;
  problem_.quantization.input_max = input_codes_.greatest;
  if (!plan.claim || !conv_.Prepare(problem_, plan.algorithm, plan.isa, workers, reason)) return false;
  places_output_ = conv_.kernel().places_outputs;
  // As far as filters reach, so that each output still sees some of the image.
  const ConvShape& s = problem_.shape;
  const int rows = (s.filter_height - 1) * s.dilation_height, columns = (s.filter_width - 1) * s.dilation_width;
  if (padding_ == Padding::kValid) most_edges_ = {rows, rows, columns, columns};
  return true;
}

Units Conv2d::Divide() {
  // Without anything to compute the kernel is not asked at all.
  if (IsEmpty(problem_.shape)) return {};
  conv_.Reshape(problem_.shape);
  conv_.PlaceOutputs(output_stride_);
  SetRowWork();
  return {conv_.units(), conv_.worker_scratch_bytes()};
}

// Where kernels gather rows for a stride at a time, they read up to the next that is not looked at.
void Conv2d::SetRowWork() {
  const ConvShape& s = problem_.shape;
  row_work_.run = nullptr;
  if (conv_.kernel().run_rows == nullptr) return;
  row_work_.run = [](const void* of, const int8_t* input, Rows rows, int8_t* output, void* scratch) {
    static_cast<const Conv2d*>(of)->conv_.RunRows(rows.begin, rows.end, input, output, scratch);
  };
  row_work_.of = this;
  row_work_.stride = s.stride_height;
  row_work_.pad = s.pad_top;
  row_work_.reach = (int64_t{s.filter_height} - 1) * s.dilation_height + s.stride_height;
  row_work_.input_rows = s.input_height;
  row_work_.output_rows = s.output_height;
  row_work_.images = s.batch;
  row_work_.input_row_bytes = static_cast<size_t>(s.input_width) * static_cast<size_t>(s.input_channels);
  row_work_.output_row_bytes = static_cast<size_t>(s.output_width) * static_cast<size_t>(output_stride_ > 0 ? output_stride_ : s.output_channels);
}

void Conv2d::Run(const Codes& codes, int unit, void* scratch) const { conv_.RunUnit(unit, codes.inputs[0], codes.output, scratch); }

void Conv2d::Reference(const Codes& codes) const { ReferenceConv(problem_, codes.inputs[0], codes.output); }

Description Conv2d::Describe() const {
  const ConvShape& s = problem_.shape;
  Description description;
  description.kernel = AlgorithmName(conv_.kernel().algorithm);
  description.isa = conv_.kernel().isa;
  description.packed_bytes = conv_.memory_bytes();
  description.filter_height = s.filter_height;
  description.filter_width = s.filter_width;
  description.stride_height = s.stride_height;
  description.stride_width = s.stride_width;
  return description;
}

}  // namespace tflite_eq
