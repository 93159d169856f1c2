#include "delegate/program.h"

#include "delegate/clock.h"
#include "delegate/file_pages.h"
#include "delegate/graph/index_map.h"
#include "delegate/ops/tensor_checks.h"
#include "delegate/quoted.h"
#include "delegate/shape_text.h"

namespace tflite_eq {
namespace {

// Whether a tensor of the runtime is what a step was prepared for, and has memory for it.
bool Holds(TfLiteContext* context, int node, const char* role, int tensor, const Shape& shape) {
  const TensorView view = GraphView(context).tensor(tensor);
  const size_t bytes = Bytes(shape);
  if (!view.exists() || !view.HasShape(shape)) {
    context->ReportError(context,
                         "tflite_eq: node %d: its %s is no longer of shape %s, for which it was prepared: allocate "
                         "tensors after resizing",
                         node, role, ShapeText(shape).text.text);
    return false;
  }
  if (view.bytes() < bytes || (view.data() == nullptr && bytes > 0)) {
    context->ReportError(context, "tflite_eq: node %d: its %s \"%s\" has %zu bytes, not %zu", node, role, Quoted(view.name()).text,
                         view.data() != nullptr ? view.bytes() : 0, bytes);
    return false;
  }
  return true;
}

bool OutOfMemory(TfLiteContext* context, int nodes) {
  context->ReportError(context, "tflite_eq: out of memory for %d nodes", nodes);
  return false;
}

}  // namespace

bool Program::Init(TfLiteContext* context, const TfLiteDelegateParams& params, const Environment& environment, int workers,
                   Workspace* workspace) {
  const double start = Milliseconds();
  verify_ = environment.options.verify;
  profile_ = environment.options.profile;
  reference_in_place_ = environment.options.reference_in_place;
  fuse_ = environment.options.fuse && !reference_in_place_;
  workers_ = workers;
  workspace_ = workspace;
  stripe_limits_ = environment.options.stripes;
  const PartitionView view(params);
  if (!ReadSteps(context, view) || !Connect(context, view) || !PrepareSteps(context, environment, workers)) return false;
  MakeGroups(context, environment, workers);
  JoinChannels();
  FindPaddings();
  const int count = steps_.size();
  if (!ShareMemory() || !chains_.Allocate(count / 2) || !links_.Allocate(count) || !link_steps_.Allocate(count)) {
    return OutOfMemory(context, count);
  }
  prepare_milliseconds_ = Milliseconds() - start;
  return true;
}

bool Program::ReadSteps(TfLiteContext* context, const PartitionView& view) {
  const GraphView graph(context);
  Array<NodeView> nodes;
  if (!nodes.Allocate(view.nodes.size())) return OutOfMemory(context, view.nodes.size());
  // A step for each output of a node; one for a node without any, which no operator is read from.
  const auto outputs = [](const NodeView& node) { return node.outputs.size() > 1 ? node.outputs.size() : 1; };
  int count = 0;
  for (int i = 0; i < nodes.size(); ++i) {
    if (!graph.node(view.nodes.begin()[i], &nodes[i])) nodes[i] = {};
    if (__builtin_add_overflow(count, outputs(nodes[i]), &count)) return OutOfMemory(context, nodes.size());
  }
  if (!steps_.Allocate(count) || !shares_.Allocate(count, workers_)) return OutOfMemory(context, nodes.size());
  int made = 0;
  for (int i = 0; i < nodes.size(); ++i) {
    NodeView node = nodes[i];
    const int index = view.nodes.begin()[i];
    for (node.output = 0; node.output < outputs(node); ++node.output) {
      Step& step = steps_[made++];
      step.node_index = index;
      Reason reason;
      if (step.op.Read(graph, node, &reason)) continue;
      context->ReportError(context, "tflite_eq: node %d was claimed but cannot be read: %s", index, reason.text);
      return false;
    }
  }
  return true;
}

// Finds the values, who writes and who reads them. Selection claims nodes of models in order only, and the runtime hands them over in
// order: what is refused here does not happen, but it would cost more than a message.
bool Program::Connect(TfLiteContext* context, const PartitionView& view) {
  const int count = steps_.size();
  int most = count;
  for (Step& step : steps_) {
    const int inputs = step.op->inputs().size();
    if (__builtin_add_overflow(most, inputs, &most)) return OutOfMemory(context, count);
  }
  IndexMap value_of;
  if (!value_of.Reserve(most) || !values_.Allocate(most)) return OutOfMemory(context, count);
  int values = 0;
  for (int i = 0; i < count; ++i) {
    Step& step = steps_[i];
    const Array<int>& tensors = step.op->inputs();
    if (!step.inputs.Allocate(tensors.size()) || !step.addresses.Allocate(tensors.size())) return OutOfMemory(context, count);
    for (int k = 0; k < tensors.size(); ++k) {
      int value = value_of.Get(tensors[k]);
      if (value == IndexMap::kAbsent) {
        value = values++;
        values_[value].tensor = tensors[k];
        values_[value].outside = true;
        value_of.Set(tensors[k], value);
      }
      step.inputs[k] = value;
    }
    const int before = value_of.Get(step.op->output());
    if (before != IndexMap::kAbsent) {
      context->ReportError(context, values_[before].producer == kNone ? "tflite_eq: node %d writes what a node that comes before reads"
                                                                      : "tflite_eq: node %d writes a tensor that is already in use",
                           step.node_index);
      return false;
    }
    step.output = values++;
    values_[step.output].tensor = step.op->output();
    values_[step.output].producer = i;
    value_of.Set(step.op->output(), step.output);
  }
  for (int tensor : view.outputs) {
    const int value = value_of.Get(tensor);
    if (value == IndexMap::kAbsent || values_[value].producer == kNone) {
      context->ReportError(context, "tflite_eq: no claimed node writes tensor %d", tensor);
      return false;
    }
    values_[value].outside = true;
  }
  if (!CountReaders()) return OutOfMemory(context, count);
  PutMaximaFirst();
  return FindGroups() || OutOfMemory(context, count);
}

// Whether it lies in memory of the program.
bool Program::IsInside(const Value& value) const {
  return value.producer != kNone && !value.outside && (value.joined == kNone || !values_[value.joined].outside);
}

// Whether what it would write is not there as a whole: it is run with others, in the place of one that comes later.
bool Program::WritesNothing(const Step& step) const {
  if (IsFused(step) && !step.is_last) return !verify_;
  return step.chain != kNone && &step != &steps_[chains_[step.chain].last];
}

// Whether all that the step would copy is written there.
bool Program::IsInPlace(const Step& step) const {
  if (step.inputs.size() == 0) return false;
  for (int index : step.inputs) {
    if (values_[index].joined != step.output) return false;
  }
  return true;
}

// Decides which values inside lie in the same memory because one is written over the other or is the other, and how long what they lie
// in lives.
bool Program::ShareMemory() {
  const int count = steps_.size();
  // For every value inside, the first of those it shares memory with; and the last step that reads any of them.
  Array<int> root, last;
  if (!root.Allocate(values_.size()) || !last.Allocate(values_.size())) return false;
  for (int v = 0; v < values_.size(); ++v) {
    root[v] = v;
    last[v] = values_[v].producer;
  }
  const auto find = [&root](int value) {
    while (root[value] != value) value = root[value];
    return value;
  };
  const auto shares = [this](const Step& step, Sharing kind) {
    return step.op->sharing() == kind && step.inputs.size() > 0 && !values_[step.output].outside && !values_[step.inputs[0]].outside;
  };
  // What is joined lies in its parts' memory from the first of these on.
  for (const Step& step : steps_) {
    int first = kNone;
    for (int value : step.inputs) {
      if (values_[value].joined == step.output && (first == kNone || value < first)) first = value;
    }
    for (int value : step.inputs) {
      if (values_[value].joined == step.output) root[value] = first;
    }
    if (first != kNone) root[step.output] = first;
    if (shares(step, Sharing::kView)) root[step.output] = root[step.inputs[0]];
  }
  for (int i = 0; i < count; ++i) {
    for (int value : steps_[i].inputs) last[root[value]] = i;
    if (steps_[i].padding != kNone) last[root[steps_[steps_[i].padding].inputs[0]]] = i;
    if (steps_[i].is_last) last[root[groups_[steps_[i].group].source]] = i;
    int& end = last[root[steps_[i].output]];
    if (end < i) end = i;
  }
  // Verifying compares with what the reference makes of the input: it has to be there still.
  for (int i = 0; i < count && !verify_; ++i) {
    const Step& step = steps_[i];
    if (!shares(step, Sharing::kInPlace)) continue;
    const int over = find(step.inputs[0]);
    if (last[over] != i) continue;
    bool twice = false;
    for (int k = 1; k < step.inputs.size(); ++k) twice = twice || find(step.inputs[k]) == over;
    if (twice) continue;
    // All that shares the output's memory moves along.
    const int moved = find(step.output);
    last[over] = last[moved];
    root[moved] = over;
  }
  int storages = 0;
  for (int v = 0; v < values_.size(); ++v) {
    if (!IsInside(values_[v])) continue;
    const int to = find(v);  // which comes before the others
    values_[v].storage = to == v ? storages++ : values_[to].storage;
  }
  if (!memory_.Allocate(storages, count) || !last_uses_.Allocate(storages)) return false;
  for (int v = 0; v < values_.size(); ++v) {
    if (values_[v].storage == kNone || root[v] != v) continue;
    memory_[values_[v].storage].first = values_[v].producer;
    last_uses_[values_[v].storage] = last[v];
  }
  return true;
}

// The shapes that the group's inputs have.
bool Program::ReadInputShapes(TfLiteContext* context, Reason* reason) {
  for (Step& step : steps_) {
    for (int index : step.inputs) {
      Value& value = values_[index];
      if (value.producer != kNone) continue;
      const TensorView tensor = GraphView(context).tensor(value.tensor);
      Reason why;
      why.Set("input is gone");
      if (tensor.exists() && ReadShape(tensor, "input", &value.shape, &why)) continue;
      value.shape = Shape();
      reason->Set("node %d: %.150s", step.node_index, why.text);
      return false;
    }
  }
  return true;
}

// For the sizes that the model declares. What it declares of a tensor that the runtime computes need not be true, and need not make
// sense: then a kernel is chosen without a size.
bool Program::PrepareSteps(TfLiteContext* context, const Environment& environment, int workers) {
  Reason reason;
  FilePages pages;
  ReadInputShapes(context, &reason);
  for (Step& step : steps_) {
    ResizeStep(&step, &reason);
    if (step.inputs.size() > 0) step.op->SetInputCodes(values_[step.inputs[0]].codes);
    values_[step.output].codes = CodesOf(step);
    if (step.op->Prepare(environment, workers, &reason)) {
      const Constants& packed = step.op->packed_constants();
      if (!verify_ && !reference_in_place_) pages.LetGo(packed.data, packed.bytes);
      continue;
    }
    context->ReportError(context, "tflite_eq: node %d was claimed but cannot be prepared: %s", step.node_index, reason.text);
    return false;
  }
  return true;
}

// What a step writes; of its inputs that is known already, if other steps write them.
CodeBounds Program::CodesOf(const Step& step) const {
  CodeBounds codes = step.op->codes();
  if (!step.op->stays_among_inputs()) return codes;
  CodeBounds inputs = {127, -128};
  for (int index : step.inputs) {
    const CodeBounds& input = values_[index].codes;
    if (input.least < inputs.least) inputs.least = input.least;
    if (input.greatest > inputs.greatest) inputs.greatest = input.greatest;
  }
  // Clamped to what it lets through, which may have none of these.
  const auto clamped = [&codes](int code) { return code < codes.least ? codes.least : code > codes.greatest ? codes.greatest : code; };
  return {clamped(inputs.least), clamped(inputs.greatest)};
}

bool Program::ResizeStep(Step* step, Reason* reason) {
  constexpr int kMostInputs = 16;
  Shape few[kMostInputs];
  Array<Shape> many;
  const int inputs = step->inputs.size();
  if (inputs > kMostInputs && !many.Allocate(inputs)) {
    reason->Set("node %d: out of memory for %d shapes", step->node_index, inputs);
    return false;
  }
  Shape* shapes = inputs > kMostInputs ? many.begin() : few;
  for (int k = 0; k < inputs; ++k) shapes[k] = values_[step->inputs[k]].shape;
  Reason why;
  if (step->op->Resize(shapes, &values_[step->output].shape, &why)) return true;
  values_[step->output].shape = Shape();
  reason->Set("node %d: %.150s", step->node_index, why.text);
  return false;
}

bool Program::ResizeOutput(TfLiteContext* context, const Value& value, int node) {
  const GraphView graph(context);
  const TensorView output = graph.tensor(value.tensor);
  const Shape& shape = value.shape;
  // A dynamic tensor may have the shape, and no memory yet.
  if (output.exists() && output.HasShape(shape) && output.bytes() == Bytes(shape) && !output.is_dynamic()) return true;
  if (graph.Resize(value.tensor, shape)) return true;
  context->ReportError(context, "tflite_eq: node %d: the output cannot be given the shape %s", node, ShapeText(shape).text.text);
  return false;
}

// Where values that are joined lie among the others' channels.
void Program::PlaceOutputs() {
  const auto channels = [](const Shape& shape) { return shape.rank > 0 ? shape.dims[shape.rank - 1] : 1; };
  for (const Step& step : steps_) {
    int channel = 0;
    for (int index : step.inputs) {
      Value& value = values_[index];
      if (value.joined == step.output) {
        value.channel = channel;
        steps_[value.producer].op->PlaceOutput(channels(values_[step.output].shape));
      }
      channel += channels(value.shape);
    }
  }
}

TfLiteStatus Program::Prepare(TfLiteContext* context) {
  prepared_ = false;
  size_t largest = 0;
  worker_scratch_ = 0;
  Reason reason;
  if (!ReadInputShapes(context, &reason)) {
    context->ReportError(context, "tflite_eq: %s", reason.text);
    return kTfLiteError;
  }
  for (int i = 0; i < memory_.size(); ++i) {
    memory_[i].bytes = 0;
    memory_[i].last = last_uses_[i];
  }
  for (Step& step : steps_) {
    if (step.padding != kNone) LeavePaddingOut(&step);
    if (ResizeStep(&step, &reason)) continue;
    context->ReportError(context, "tflite_eq: %s", reason.text);
    return kTfLiteError;
  }
  ChooseGroups();
  PlaceOutputs();
  for (Step& step : steps_) {
    const size_t bytes = Bytes(values_[step.output].shape);
    step.units = Units();
    if (step.is_left_out) continue;
    if (!IsFused(step)) {
      step.units = step.op->Divide();
    } else if (step.is_last) {
      step.units = groups_[step.group].function.Divide(values_[step.output].shape);
    }
    if (bytes == 0) step.units.count = 0;
    if (step.units.count > 0 && reference_in_place_) step.units = {1, 0};
    if (IsInPlace(step)) step.units = Units();
  }
  FindChains();
  for (Step& step : steps_) {
    const Value& value = values_[step.output];
    const size_t bytes = Bytes(value.shape);
    if (step.units.scratch_bytes > worker_scratch_) worker_scratch_ = step.units.scratch_bytes;
    if (bytes > largest) largest = bytes;
    if (step.is_left_out || WritesNothing(step)) continue;
    if (value.outside) {
      if (!ResizeOutput(context, value, step.node_index)) return kTfLiteError;
    } else if (IsInside(value) && bytes > memory_[value.storage].bytes) {
      memory_[value.storage].bytes = bytes;
    }
  }
  memory_.Place();
  size_.tensors = memory_.bytes();
  bool allocated = !__builtin_mul_overflow(worker_scratch_, static_cast<size_t>(workers_), &size_.scratch) && workspace_->Grow(size_);
  if (allocated && verify_) allocated = expected_.size() >= largest || expected_.Allocate(largest);
  if (!allocated) {
    context->ReportError(context, "tflite_eq: out of memory: %zu bytes of scratch, %zu of tensors", worker_scratch_, memory_.bytes());
    return kTfLiteError;
  }
  prepared_ = true;
  return kTfLiteOk;
}

bool Program::HasItsTensors(TfLiteContext* context) const {
  if (!prepared_) {
    context->ReportError(context, "tflite_eq: %d nodes are to run that were not prepared: allocate tensors first", steps_.size());
    return false;
  }
  // Another program may have failed to make it larger.
  if (!workspace_->Holds(size_)) return OutOfMemory(context, steps_.size());
  for (const Step& step : steps_) {
    for (int index : step.inputs) {
      const Value& value = values_[index];
      if (value.producer == kNone && !Holds(context, step.node_index, "input", value.tensor, value.shape)) return false;
    }
    const Value& value = values_[step.output];
    if (value.outside && !Holds(context, step.node_index, "output", value.tensor, value.shape)) return false;
  }
  return true;
}

int8_t* Program::AddressOf(TfLiteContext* context, const Value& value) {
  if (value.joined != kNone) {
    int8_t* whole = AddressOf(context, values_[value.joined]);
    return whole != nullptr ? whole + value.channel : nullptr;  // none without values
  }
  if (value.outside) return static_cast<int8_t*>(GraphView(context).tensor(value.tensor).data());
  return workspace_->tensors() + memory_[value.storage].offset;
}

// Where the values of this invocation are: the runtime may have moved its own.
void Program::Locate(TfLiteContext* context) {
  const auto address = [&](const Value& value) { return AddressOf(context, value); };
  for (int i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    for (int k = 0; k < step.inputs.size(); ++k) step.addresses[k] = address(values_[step.inputs[k]]);
    step.codes = {step.addresses.begin(), address(values_[step.output])};
    if (step.is_last) step.source = address(values_[groups_[step.group].source]);
    // A view inside the group is there already.
    const bool nothing_to_do = step.op->sharing() == Sharing::kView && step.addresses[0] == step.codes.output;
    shares_.Begin(i, nothing_to_do ? 0 : step.units.count);
  }
}

void Program::RunUnit(const Step& step, int unit, void* scratch, double* milliseconds) const {
  if (step.chain != kNone) {
    const Chain& chain = chains_[step.chain];
    const Step& first = steps_[link_steps_[chain.first]];
    return chain.stripes.Run(IsFused(first) ? first.source : first.addresses[0], step.codes.output, unit, scratch, milliseconds);
  }
  if (IsFused(step)) return groups_[step.group].function.Run(step.source, step.codes.output, unit);
  if (reference_in_place_) return step.op->Reference(step.codes);
  step.op->Run(step.codes, unit, scratch);
}

void Program::Work(int worker) {
  char* scratch = workspace_->scratch() + worker * worker_scratch_;
  for (int i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    const bool profiled = profile_ && worker == 0;
    const double start = profiled ? Milliseconds() : 0;
    double parts[Stripes::kMostSteps] = {};  // of what is run in stripes
    int ran = 0;
    for (int unit; (unit = shares_.Take(i, worker)) != WorkShares::kNone; ++ran) {
      RunUnit(step, unit, scratch, profiled ? parts : nullptr);
    }
    shares_.Finish(i, ran);
    if (profiled && step.units.count > 0) AddTime(&step, Milliseconds() - start, parts);
  }
}

// The last of those in stripes waits for others.
void Program::AddTime(Step* step, double milliseconds, const double* parts) {
  const int others = step->chain != kNone ? chains_[step->chain].count - 1 : 0;
  for (int k = 0; k < others; ++k) {
    Step& other = steps_[link_steps_[chains_[step->chain].first + k]];
    other.milliseconds += parts[k];
    ++other.runs;
    milliseconds -= parts[k];
  }
  step->milliseconds += milliseconds;
  ++step->runs;
}

TfLiteStatus Program::Invoke(TfLiteContext* context, WorkerPool* pool) {
  if (!HasItsTensors(context)) return kTfLiteError;
  Locate(context);
  if (verify_) return RunVerified(context, pool);
  if (workers_ == 1) {
    Work(0);
    return kTfLiteOk;
  }
  const WorkerPool::AwakeScope awake(pool);
  pool->Run([](void* self, int, int worker) { static_cast<Program*>(self)->Work(worker); }, this, workers_);
  return kTfLiteOk;
}

}  // namespace tflite_eq
