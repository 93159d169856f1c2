#include "delegate/partition.h"

#include <time.h>

#include "delegate/graph/index_map.h"
#include "delegate/kernels/reference.h"
#include "delegate/log.h"
#include "delegate/quoted.h"

namespace tflite_eq {
namespace {

double Milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

// Both are at most kLargestSize: ResolvePadding has seen to it.
size_t InputBytes(const ConvShape& s) {
  return static_cast<size_t>(s.batch) * s.input_height * s.input_width * s.input_channels;
}

size_t OutputBytes(const ConvShape& s) {
  return static_cast<size_t>(s.batch) * s.output_height * s.output_width * s.output_channels;
}

// Whether a tensor of the runtime is what a step was prepared for, and has memory for it.
bool Holds(TfLiteContext* context, int node, const char* role, int tensor, const int (&shape)[4], size_t bytes) {
  const TensorView view = GraphView(context).tensor(tensor);
  if (!view.exists() || !view.HasShape(shape)) {
    context->ReportError(context,
                         "tflite_eq: node %d: its %s is no longer of shape [%d, %d, %d, %d], for which it was prepared: allocate "
                         "tensors after resizing",
                         node, role, shape[0], shape[1], shape[2], shape[3]);
    return false;
  }
  if (view.bytes() < bytes || (view.data() == nullptr && bytes > 0)) {
    context->ReportError(context, "tflite_eq: node %d: its %s \"%s\" has %zu bytes, not %zu", node, role, Quoted(view.name()).text,
                         view.data() != nullptr ? view.bytes() : 0, bytes);
    return false;
  }
  return true;
}

}  // namespace

bool Partition::Init(TfLiteContext* context, const TfLiteDelegateParams& params, const DelegateOptions& options,
                     const CpuProfile& cpu, int workers) {
  const double start = Milliseconds();
  verify_ = options.verify;
  profile_ = options.profile;
  const PartitionView view(params);
  if (!ReadSteps(context, view, options, cpu, workers) || !Connect(context, view)) return false;
  prepare_milliseconds_ = Milliseconds() - start;
  return true;
}

bool Partition::ReadSteps(TfLiteContext* context, const PartitionView& view, const DelegateOptions& options,
                          const CpuProfile& cpu, int workers) {
  if (!steps_.Allocate(view.nodes.size())) {
    context->ReportError(context, "tflite_eq: out of memory for %d nodes", view.nodes.size());
    return false;
  }
  const GraphView graph(context);
  for (int i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    step.node_index = view.nodes.begin()[i];
    NodeView node;
    Reason reason;
    reason.Set("the runtime does not have it");
    bool good = graph.node(step.node_index, &node) && step.node.Read(graph, node, &reason);
    if (good) {
      Plan plan = step.node.Choose(options, cpu);
      // Claimed although the policy would not: the option claim matched its name.
      if (!plan.claim && options.claim.given()) plan = step.node.Insist(options, cpu);
      reason = plan.reason;
      const Algorithm algorithm = options.reference_in_place ? Algorithm::kReference : plan.algorithm;
      const Isa isa = options.reference_in_place ? Isa::kScalar : plan.isa;
      good = plan.claim && step.conv.Prepare(step.node.problem(), algorithm, isa, workers, &reason);
    }
    if (!good) {
      context->ReportError(context, "tflite_eq: node %d was claimed but cannot be prepared: %s", step.node_index, reason.text);
      return false;
    }
  }
  return true;
}

// Finds the step behind every input. Selection claims nodes of models in order only, and the runtime hands them over in order: what
// is refused here does not happen, but it would cost more than a message.
bool Partition::Connect(TfLiteContext* context, const PartitionView& view) {
  const int count = steps_.size();
  IndexMap writer;
  Array<int> last_reader;
  if (!writer.Reserve(count) || !last_reader.Allocate(count)) {
    context->ReportError(context, "tflite_eq: out of memory for %d nodes", count);
    return false;
  }
  for (int i = 0; i < count; ++i) {
    Step& step = steps_[i];
    const ConvShape& shape = step.node.problem().shape;
    last_reader[i] = i;
    step.producer = writer.Get(step.node.input());
    if (step.producer != kOutside) {
      const Step& producer = steps_[step.producer];
      last_reader[step.producer] = i;
      if (producer.node.problem().shape.output_channels != shape.input_channels) {
        context->ReportError(context, "tflite_eq: node %d writes %d channels, of which node %d reads %d", producer.node_index,
                             producer.node.problem().shape.output_channels, step.node_index, shape.input_channels);
        return false;
      }
    }
    if (step.node.input() == step.node.output() || writer.Get(step.node.output()) != IndexMap::kAbsent) {
      context->ReportError(context, "tflite_eq: node %d writes a tensor that is already in use", step.node_index);
      return false;
    }
    writer.Set(step.node.output(), i);
  }
  for (const Step& step : steps_) {
    if (step.producer != kOutside || writer.Get(step.node.input()) == IndexMap::kAbsent) continue;
    context->ReportError(context, "tflite_eq: node %d comes before the one that writes its input", step.node_index);
    return false;
  }
  for (int tensor : view.outputs) {
    const int step = writer.Get(tensor);
    if (step == IndexMap::kAbsent) {
      context->ReportError(context, "tflite_eq: no claimed node writes tensor %d", tensor);
      return false;
    }
    last_reader[step] = kOutside;
  }
  if (AssignBuffers(last_reader)) return true;
  context->ReportError(context, "tflite_eq: out of memory for %d nodes", count);
  return false;
}

// Gives a buffer to each tensor inside the partition. A buffer is free again after the last reader of its tensor.
bool Partition::AssignBuffers(const Array<int>& last_reader) {
  const int count = steps_.size();
  Array<int> free_buffers;
  // The steps after which the same step's end frees a buffer, as lists: the first for each step, then the next of each.
  Array<int> first, next;
  if (!free_buffers.Allocate(count) || !first.Allocate(count) || !next.Allocate(count)) return false;
  for (int& i : first) i = kOutside;
  int free_count = 0;
  int buffers = 0;
  for (int i = 0; i < count; ++i) {
    const int last = last_reader[i];
    if (last != kOutside) {
      steps_[i].output_buffer = free_count > 0 ? free_buffers[--free_count] : buffers++;
      next[i] = first[last];
      first[last] = i;
    }
    for (int dead = first[i]; dead != kOutside; dead = next[dead]) free_buffers[free_count++] = steps_[dead].output_buffer;
  }
  return buffers_.Allocate(buffers) && buffer_bytes_.Allocate(buffers);
}

bool Partition::ResizeStep(TfLiteContext* context, Step* step) {
  Reason reason;
  int batch, height, width;
  if (step->producer != kOutside) {
    const ConvShape& s = steps_[step->producer].node.problem().shape;
    batch = s.batch;
    height = s.output_height;
    width = s.output_width;
  } else {
    const TensorView input = GraphView(context).tensor(step->node.input());
    const int channels = step->node.problem().shape.input_channels;
    if (!input.exists() || input.shape().size() != 4 || input.shape().at(3, 0) != channels) {
      context->ReportError(context, "tflite_eq: node %d: the input is no longer of shape [n, h, w, %d]", step->node_index,
                           channels);
      return false;
    }
    batch = input.shape().at(0, 0);
    height = input.shape().at(1, 0);
    width = input.shape().at(2, 0);
  }
  if (!step->node.Resize(batch, height, width, &reason)) {
    context->ReportError(context, "tflite_eq: node %d: %s", step->node_index, reason.text);
    return false;
  }
  // Without anything to compute the kernel is not asked at all.
  if (!IsEmpty(step->node.problem().shape)) step->conv.Reshape(step->node.problem().shape);
  return true;
}

bool Partition::ResizeOutput(TfLiteContext* context, const Step& step) {
  const ConvShape& s = step.node.problem().shape;
  const int shape[4] = {s.batch, s.output_height, s.output_width, s.output_channels};
  const GraphView graph(context);
  const TensorView output = graph.tensor(step.node.output());
  // A dynamic tensor may have the shape, and no memory yet.
  if (output.exists() && output.HasShape(shape) && output.bytes() == OutputBytes(s) && !output.is_dynamic()) return true;
  if (graph.Resize(step.node.output(), shape)) return true;
  context->ReportError(context, "tflite_eq: node %d: the output cannot be given the shape [%d, %d, %d, %d]", step.node_index,
                       shape[0], shape[1], shape[2], shape[3]);
  return false;
}

TfLiteStatus Partition::Prepare(TfLiteContext* context) {
  prepared_ = false;
  size_t scratch = 0;
  size_t largest = 0;
  for (size_t& bytes : buffer_bytes_) bytes = 0;
  for (Step& step : steps_) {
    if (!ResizeStep(context, &step)) return kTfLiteError;
    const size_t bytes = OutputBytes(step.node.problem().shape);
    if (step.conv.scratch_bytes() > scratch) scratch = step.conv.scratch_bytes();
    if (bytes > largest) largest = bytes;
    if (step.output_buffer == kOutside) {
      if (!ResizeOutput(context, step)) return kTfLiteError;
    } else if (bytes > buffer_bytes_[step.output_buffer]) {
      buffer_bytes_[step.output_buffer] = bytes;
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
  prepared_ = true;
  return kTfLiteOk;
}

bool Partition::HasItsTensors(TfLiteContext* context) const {
  if (!prepared_) {
    context->ReportError(context, "tflite_eq: %d nodes are to run that were not prepared: allocate tensors first", steps_.size());
    return false;
  }
  for (const Step& step : steps_) {
    const ConvShape& s = step.node.problem().shape;
    if (step.producer == kOutside &&
        !Holds(context, step.node_index, "input", step.node.input(),
               {s.batch, s.input_height, s.input_width, s.input_channels}, InputBytes(s))) {
      return false;
    }
    if (step.output_buffer == kOutside &&
        !Holds(context, step.node_index, "output", step.node.output(),
               {s.batch, s.output_height, s.output_width, s.output_channels}, OutputBytes(s))) {
      return false;
    }
  }
  return true;
}

TfLiteStatus Partition::Invoke(TfLiteContext* context, WorkerPool* pool) {
  if (!HasItsTensors(context)) return kTfLiteError;
  const GraphView graph(context);
  const WorkerPool::AwakeScope awake(pool);
  for (Step& step : steps_) {
    // There is no memory behind a tensor without values.
    if (IsEmpty(step.node.problem().shape)) continue;
    const int input_buffer = step.producer != kOutside ? steps_[step.producer].output_buffer : kOutside;
    const int8_t* input = input_buffer != kOutside ? buffers_[input_buffer].as<int8_t>()
                                                   : static_cast<const int8_t*>(graph.tensor(step.node.input()).data());
    int8_t* output = step.output_buffer != kOutside ? buffers_[step.output_buffer].as<int8_t>()
                                                    : static_cast<int8_t*>(graph.tensor(step.node.output()).data());
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
