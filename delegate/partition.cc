#include "delegate/partition.h"

#include <string.h>
#include <time.h>

#include "delegate/kernels/reference.h"
#include "delegate/log.h"

namespace tflite_eq {
namespace {

double Milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

size_t OutputBytes(const ConvShape& s) {
  return static_cast<size_t>(s.batch) * s.output_height * s.output_width * s.output_channels;
}

// The runtime frees shapes with free().
TfLiteIntArray* MakeShape(const ConvShape& s) {
  auto* shape = static_cast<TfLiteIntArray*>(malloc(sizeof(TfLiteIntArray) + 4 * sizeof(int)));
  if (shape == nullptr) return nullptr;
  shape->size = 4;
  shape->data[0] = s.batch;
  shape->data[1] = s.output_height;
  shape->data[2] = s.output_width;
  shape->data[3] = s.output_channels;
  return shape;
}

bool HasShape(const TfLiteTensor& tensor, const ConvShape& s) {
  const TfLiteIntArray* dims = tensor.dims;
  return dims != nullptr && dims->size == 4 && dims->data[0] == s.batch && dims->data[1] == s.output_height &&
         dims->data[2] == s.output_width && dims->data[3] == s.output_channels;
}

}  // namespace

bool Partition::IsPartitionOutput(int tensor) const {
  for (int output : outputs_) {
    if (output == tensor) return true;
  }
  return false;
}

bool Partition::Init(TfLiteContext* context, const TfLiteDelegateParams& params, const DelegateOptions& options,
                     const CpuProfile& cpu, int workers) {
  const double start = Milliseconds();
  verify_ = options.verify;
  profile_ = options.profile;
  const int count = params.nodes_to_replace->size;
  if (!steps_.Allocate(count) || !outputs_.Allocate(params.output_tensors->size)) {
    context->ReportError(context, "tflite_eq: out of memory");
    return false;
  }
  for (int i = 0; i < outputs_.size(); ++i) outputs_[i] = params.output_tensors->data[i];
  for (int i = 0; i < count; ++i) {
    Step& step = steps_[i];
    step.node_index = params.nodes_to_replace->data[i];
    TfLiteNode* node;
    TfLiteRegistration* registration;
    Reason reason;
    bool good = context->GetNodeAndRegistration(context, step.node_index, &node, &registration) == kTfLiteOk &&
                step.node.Read(*context, *node, &reason);
    if (good) {
      const Plan plan = step.node.Choose(options, cpu);
      reason = plan.reason;
      const Algorithm algorithm = options.reference_in_place ? Algorithm::kReference : plan.algorithm;
      const Isa isa = options.reference_in_place ? Isa::kScalar : plan.isa;
      good = plan.claim && step.conv.Prepare(step.node.problem(), algorithm, isa, workers, &reason);
    }
    if (!good) {
      context->ReportError(context, "tflite_eq: node %d was claimed but cannot be prepared: %s", step.node_index,
                           reason.text);
      return false;
    }
  }
  // Buffers for tensors inside the partition. A buffer is free again once the last reader of its tensor has run.
  Array<int> free_after;
  if (!buffers_.Allocate(count) || !buffer_bytes_.Allocate(count) || !free_after.Allocate(count)) {
    context->ReportError(context, "tflite_eq: out of memory");
    return false;
  }
  for (int i = 0; i < count; ++i) free_after[i] = -1;
  for (int i = 0; i < count; ++i) {
    const int tensor = steps_[i].node.output();
    if (IsPartitionOutput(tensor)) continue;
    int last_reader = i;
    for (int j = i + 1; j < count; ++j) {
      if (steps_[j].node.input() == tensor) last_reader = j;
    }
    int buffer = 0;
    while (free_after[buffer] >= i) ++buffer;  // there are as many buffers as steps: one is free
    free_after[buffer] = last_reader;
    steps_[i].output_buffer = buffer;
    for (int j = i + 1; j <= last_reader; ++j) {
      if (steps_[j].node.input() == tensor) steps_[j].input_buffer = buffer;
    }
  }
  prepare_milliseconds_ = Milliseconds() - start;
  return true;
}

bool Partition::ResizeStep(TfLiteContext* context, Step* step) {
  Reason reason;
  int batch, height, width;
  if (step->input_buffer < 0) {
    const TfLiteIntArray* dims = context->tensors[step->node.input()].dims;
    if (dims == nullptr || dims->size != 4 || dims->data[3] != step->node.problem().shape.input_channels) {
      context->ReportError(context, "tflite_eq: node %d: the input is no longer of shape [n, h, w, %d]", step->node_index,
                           step->node.problem().shape.input_channels);
      return false;
    }
    batch = dims->data[0];
    height = dims->data[1];
    width = dims->data[2];
  } else {
    // The step that wrote the tensor came earlier and knows its shape.
    const Step* writer = nullptr;
    for (const Step& other : steps_) {
      if (other.node.output() == step->node.input()) writer = &other;
    }
    const ConvShape& s = writer->node.problem().shape;
    batch = s.batch;
    height = s.output_height;
    width = s.output_width;
  }
  if (!step->node.Resize(batch, height, width, &reason)) {
    context->ReportError(context, "tflite_eq: node %d: %s", step->node_index, reason.text);
    return false;
  }
  step->conv.Reshape(step->node.problem().shape);
  return true;
}

TfLiteStatus Partition::Prepare(TfLiteContext* context) {
  size_t scratch = 0;
  size_t largest = 0;
  for (size_t& bytes : buffer_bytes_) bytes = 0;
  for (Step& step : steps_) {
    if (!ResizeStep(context, &step)) return kTfLiteError;
    const ConvShape& shape = step.node.problem().shape;
    const size_t bytes = OutputBytes(shape);
    if (step.conv.scratch_bytes() > scratch) scratch = step.conv.scratch_bytes();
    if (bytes > largest) largest = bytes;
    if (step.output_buffer >= 0) {
      size_t& needed = buffer_bytes_[step.output_buffer];
      if (bytes > needed) needed = bytes;
      continue;
    }
    TfLiteTensor* output = &context->tensors[step.node.output()];
    if (!HasShape(*output, shape)) {
      TfLiteIntArray* dims = MakeShape(shape);
      if (dims == nullptr || context->ResizeTensor(context, output, dims) != kTfLiteOk) return kTfLiteError;
    }
  }
  bool allocated = scratch_.size() >= scratch || scratch_.Allocate(scratch);
  for (int i = 0; i < buffers_.size() && allocated; ++i) {
    allocated = buffers_[i].size() >= buffer_bytes_[i] || buffers_[i].Allocate(buffer_bytes_[i]);
  }
  if (allocated && verify_) allocated = expected_.size() >= largest || expected_.Allocate(largest);
  if (!allocated) {
    context->ReportError(context, "tflite_eq: out of memory: %zu bytes of scratch", scratch);
    return kTfLiteError;
  }
  return kTfLiteOk;
}

TfLiteStatus Partition::Invoke(TfLiteContext* context, WorkerPool* pool) {
  const WorkerPool::AwakeScope awake(pool);
  for (Step& step : steps_) {
    const int8_t* input = step.input_buffer >= 0 ? buffers_[step.input_buffer].as<int8_t>()
                                                 : context->tensors[step.node.input()].data.int8;
    int8_t* output = step.output_buffer >= 0 ? buffers_[step.output_buffer].as<int8_t>()
                                             : context->tensors[step.node.output()].data.int8;
    if (input == nullptr || output == nullptr) {
      context->ReportError(context, "tflite_eq: node %d has no data for its %s", step.node_index,
                           input == nullptr ? "input" : "output");
      return kTfLiteError;
    }
    const double start = profile_ ? Milliseconds() : 0;
    step.conv.Run(input, output, scratch_.as<void>(), pool);
    if (profile_) {
      step.milliseconds += Milliseconds() - start;
      ++step.runs;
    }
    if (verify_ && Verify(context, step, input, output) != kTfLiteOk) return kTfLiteError;
  }
  return kTfLiteOk;
}

TfLiteStatus Partition::Verify(TfLiteContext* context, const Step& step, const int8_t* input, const int8_t* output) {
  const ConvProblem& problem = step.node.problem();
  const ConvShape& s = problem.shape;
  int8_t* expected = expected_.as<int8_t>();
  ReferenceConv(problem, input, expected);
  for (size_t i = 0; i < OutputBytes(s); ++i) {
    if (output[i] == expected[i]) continue;
    const size_t pixel = i / s.output_channels;
    context->ReportError(context,
                         "tflite_eq: verify: node %d, %s: code %d instead of %d at batch %d, row %d, column %d, channel %d",
                         step.node_index, AlgorithmName(step.conv.kernel().algorithm), output[i], expected[i],
                         static_cast<int>(pixel / s.output_width / s.output_height),
                         static_cast<int>(pixel / s.output_width % s.output_height),
                         static_cast<int>(pixel % s.output_width), static_cast<int>(i % s.output_channels));
    return kTfLiteError;
  }
  return kTfLiteOk;
}

size_t Partition::packed_bytes() const {
  size_t bytes = 0;
  for (const Step& step : steps_) bytes += step.conv.memory_bytes();
  return bytes;
}

size_t Partition::tensor_bytes() const {
  size_t bytes = 0;
  for (const Buffer& buffer : buffers_) bytes += buffer.size();
  return bytes;
}

size_t Partition::memory_bytes() const {
  return packed_bytes() + scratch_.size() + tensor_bytes() + expected_.size();
}

void Partition::PrintProfile() const {
  for (const Step& step : steps_) {
    const ConvShape& s = step.node.problem().shape;
    Log(Severity::kInfo, "node %3d  %4dx%-4d %4d->%-4d %dx%d  %-12s %-11s %8.4f ms x %ld", step.node_index, s.input_height,
        s.input_width, s.input_channels, s.output_channels, s.filter_height, s.filter_width,
        AlgorithmName(step.conv.kernel().algorithm), IsaName(step.conv.kernel().isa),
        step.runs > 0 ? step.milliseconds / static_cast<double>(step.runs) : 0.0, step.runs);
  }
}

void Partition::Report(const TfLiteEqObserver& observer) const {
  for (const Step& step : steps_) {
    const ConvShape& s = step.node.problem().shape;
    TfLiteEqNodeProfile profile = {};
    profile.node = step.node_index;
    profile.batch = s.batch;
    profile.input_height = s.input_height;
    profile.input_width = s.input_width;
    profile.input_channels = s.input_channels;
    profile.output_channels = s.output_channels;
    profile.filter_height = s.filter_height;
    profile.filter_width = s.filter_width;
    profile.stride_height = s.stride_height;
    profile.stride_width = s.stride_width;
    profile.kernel = AlgorithmName(step.conv.kernel().algorithm);
    profile.isa = IsaName(step.conv.kernel().isa);
    profile.packed_bytes = static_cast<int64_t>(step.conv.memory_bytes());
    profile.runs = step.runs;
    profile.milliseconds = step.milliseconds;
    if (observer.node_finished != nullptr) observer.node_finished(observer.user_data, &profile);
  }
  if (observer.partition_finished == nullptr) return;
  const TfLiteEqPartitionProfile profile = {steps_.size(), prepare_milliseconds_, static_cast<int64_t>(packed_bytes()),
                                            static_cast<int64_t>(scratch_.size()), static_cast<int64_t>(tensor_bytes())};
  observer.partition_finished(observer.user_data, &profile);
}

}  // namespace tflite_eq
