// What a program tells of itself, and how it is verified.
#include "delegate/clock.h"
#include "delegate/log.h"
#include "delegate/program.h"
#include "delegate/shape_text.h"

namespace tflite_eq {

// Step by step, each compared before the next reads what it wrote.
TfLiteStatus Program::RunVerified(TfLiteContext* context, WorkerPool* pool) {
  struct Unit {
    const Program* program;
    const Step* step;
  };
  for (int i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    if (IsFused(step) && !step.is_last && Bytes(values_[step.output].shape) > 0) step.op->Reference(step.codes);
    if (shares_.units(i) == 0) continue;
    Unit unit = {this, &step};
    const double start = Milliseconds();
    pool->Run(
        [](void* opaque, int index, int worker) {
          const Unit& at = *static_cast<const Unit*>(opaque);
          const Program& program = *at.program;
          char* scratch = program.workspace_->scratch() + worker * program.worker_scratch_;
          program.RunUnit(*at.step, index, scratch, nullptr);
        },
        &unit, step.units.count);
    if (profile_) {
      step.milliseconds += Milliseconds() - start;
      ++step.runs;
    }
    if (Verify(context, step) != kTfLiteOk) return kTfLiteError;
  }
  return kTfLiteOk;
}

TfLiteStatus Program::Verify(TfLiteContext* context, const Step& step) {
  int8_t* expected = expected_.as<int8_t>();
  step.op->Reference({step.codes.inputs, expected});
  const Shape& shape = values_[step.output].shape;
  for (size_t i = 0; i < Bytes(shape); ++i) {
    if (step.codes.output[i] == expected[i]) continue;
    Shape position = shape;
    size_t left = i;
    for (int k = shape.rank - 1; k >= 0; --k) {
      position.dims[k] = static_cast<int>(left % static_cast<size_t>(shape.dims[k]));
      left /= static_cast<size_t>(shape.dims[k]);
    }
    context->ReportError(context, "tflite_eq: verify: node %d, %s %s: code %d instead of %d at %s", step.node_index,
                         step.op.kind().name, step.op->Describe().kernel, step.codes.output[i], expected[i],
                         ShapeText(position).text.text);
    return kTfLiteError;
  }
  return kTfLiteOk;
}

size_t Program::packed_bytes() const {
  size_t bytes = 0;
  for (const Step& step : steps_) bytes += step.op->Describe().packed_bytes;
  return bytes;
}

size_t Program::memory_bytes() const { return packed_bytes() + size_.scratch + size_.tensors + expected_.size(); }

// What runs in place of it, too.
Description Program::Describe(const Step& step) const {
  Description description = step.op->Describe();
  if (IsFused(step) && step.is_last) {
    const Description function = groups_[step.group].function.Describe();
    description.kernel = function.kernel;
    description.isa = function.isa;
    description.packed_bytes += function.packed_bytes;
  } else if (IsFused(step) || IsInPlace(step) || step.is_left_out) {
    description.kernel = "fused";
  }
  if (reference_in_place_) {
    description.kernel = AlgorithmName(Algorithm::kReference);
    description.isa = Isa::kScalar;
  }
  return description;
}

void Program::PrintProfile() const {
  for (const Step& step : steps_) {
    const Description description = Describe(step);
    Reason stripes;
    if (step.chain != kNone) stripes.Set("  in stripes of %d rows", chains_[step.chain].stripes.rows());
    Log(Severity::kInfo, "node %3d  %-18s %-24s %dx%d  %-12s %-11s %8.4f ms x %ld%s", step.node_index, step.op.kind().name,
        ShapeText(values_[step.output].shape).text.text, description.filter_height, description.filter_width, description.kernel,
        IsaName(description.isa), step.runs > 0 ? step.milliseconds / static_cast<double>(step.runs) : 0.0, step.runs, stripes.text);
  }
}

void Program::Report(const TfLiteEqObserver& observer) const {
  for (const Step& step : steps_) {
    const Description description = Describe(step);
    // Images; what has another rank is one of a single column or pixel.
    const auto size = [](const Shape& shape, int from_last, int absent) {
      return shape.rank > from_last ? shape.dims[shape.rank - 1 - from_last] : absent;
    };
    const Shape none;
    const Shape& input = step.inputs.size() > 0 ? values_[step.inputs[0]].shape : none;
    TfLiteEqNodeProfile profile = {};
    profile.node = step.node_index;
    profile.op = step.op.kind().name;
    profile.batch = size(input, 3, 1);
    profile.input_height = size(input, 2, 1);
    profile.input_width = size(input, 1, 1);
    profile.input_channels = size(input, 0, 1);
    profile.output_channels = size(values_[step.output].shape, 0, 1);
    profile.filter_height = description.filter_height;
    profile.filter_width = description.filter_width;
    profile.stride_height = description.stride_height;
    profile.stride_width = description.stride_width;
    profile.kernel = description.kernel;
    profile.isa = IsaName(description.isa);
    profile.packed_bytes = static_cast<int64_t>(description.packed_bytes);
    profile.runs = step.runs;
    profile.milliseconds = step.milliseconds;
    profile.stripe_rows = step.chain != kNone ? chains_[step.chain].stripes.rows() : 0;
    if (observer.node_finished != nullptr) observer.node_finished(observer.user_data, &profile);
  }
  if (observer.partition_finished == nullptr) return;
  const TfLiteEqPartitionProfile profile = {steps_.size(), prepare_milliseconds_, static_cast<int64_t>(packed_bytes()),
                                            static_cast<int64_t>(size_.scratch), static_cast<int64_t>(size_.tensors)};
  observer.partition_finished(observer.user_data, &profile);
}

}  // namespace tflite_eq
