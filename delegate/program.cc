#include "delegate/program.h"

#include "delegate/clock.h"
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

// Has a pool that takes maxima of what a table gives take them of what the table reads, so that fewer codes are looked up. The value
// between the two is another one from then on.
void Program::PutMaximaFirst() {
  for (int i = 0; i < steps_.size(); ++i) {
    for (int at = i; steps_[at].op->is_maximum();) {
      Step& pool = steps_[at];
      Value& between = values_[pool.inputs[0]];
      if (between.producer == kNone || between.outside || readers_[pool.inputs[0]] != 1) break;
      Step& table = steps_[between.producer];
      if (!table.op->never_falls()) break;
      at = between.producer;
      pool.op.Swap(&table.op);
      const int node = pool.node_index;
      pool.node_index = table.node_index;
      table.node_index = node;
      between.tensor = values_[table.inputs[0]].tensor;  // for its quantization
    }
  }
}

bool Program::FindGroups() {
  if (!fuse_) return true;
  const int count = steps_.size();
  Array<FusibleStep> fusible;
  Array<bool> kept;
  if (!fusible.Allocate(count) || !kept.Allocate(values_.size())) return false;
  for (int i = 0; i < count; ++i) {
    const Step& step = steps_[i];
    fusible[i] = {step.inputs.begin(), step.inputs.size(), step.output, step.op->channelwise()};
  }
  for (int v = 0; v < values_.size(); ++v) kept[v] = values_[v].outside;
  if (!fusions_.Find(fusible, kept)) return false;
  int groups = 0;
  for (int i = 0; i < count; ++i) groups += fusions_.last_of(i) == i;
  if (!groups_.Allocate(groups)) return false;
  for (int i = count - 1; i >= 0; --i) {
    const int last = fusions_.last_of(i);
    if (last == kNone) continue;
    if (last == i) {
      --groups;
      steps_[i].is_last = true;
      steps_[i].group = groups;
      groups_[groups].source = fusions_.source_of(i);
    }
    steps_[i].group = steps_[last].group;
  }
  return true;
}

// Those of which a function can be made; the steps of the others run one by one.
void Program::MakeGroups(TfLiteContext* context, const Environment& environment, int workers) {
  ChannelwiseGroup::Member members[Fusions::kMostSteps];
  int places[Fusions::kMostSteps][2];
  for (int last = 0; last < steps_.size(); ++last) {
    if (!steps_[last].is_last) continue;
    Group& group = groups_[steps_[last].group];
    int count = 0;
    int outputs[Fusions::kMostSteps];
    for (int i = 0; i <= last; ++i) {
      const Step& step = steps_[i];
      if (step.group != steps_[last].group) continue;
      for (int k = 0; k < step.inputs.size() && k < 2; ++k) {
        places[count][k] = ChannelwiseGroup::kSource;
        for (int m = 0; m < count; ++m) {
          if (outputs[m] == step.inputs[k]) places[count][k] = m;
        }
      }
      members[count] = {&*step.op, places[count]};
      outputs[count++] = step.output;
    }
    const int kink = GraphView(context).tensor(values_[group.source].tensor).zero_point();
    if (group.function.Make(members, count, fusions_.channels_of(last), kink, environment, workers)) continue;
    for (Step& step : steps_) {
      if (step.group == steps_[last].group && &step != &steps_[last]) step.group = kNone;
    }
    steps_[last].group = kNone;
    steps_[last].is_last = false;
  }
}

// At the present sizes: where a source has one channel, constants may make more of it.
void Program::ChooseGroups() {
  for (Group& group : groups_) group.runs = group.function.Takes(values_[group.source].shape);
}

// By value; as if everything were read more than once where nothing is to be left out: what is verified are whole tensors, one by one.
bool Program::CountReaders() {
  if (!readers_.Allocate(values_.size())) return false;
  for (int& count : readers_) count = fuse_ && !verify_ ? 0 : 2;
  for (const Step& step : steps_) {
    for (int value : step.inputs) ++readers_[value];
  }
  return true;
}

// Finds the values that are written where a CONCATENATION of channels would copy them to.
void Program::JoinChannels() {
  for (const Step& step : steps_) {
    if (!step.op->joins_channels()) continue;
    for (int index : step.inputs) {
      Value& value = values_[index];
      if (value.producer == kNone || value.outside || readers_[index] != 1) continue;
      const Step& writer = steps_[value.producer];
      if (writer.group == kNone && writer.op->places_output()) value.joined = step.output;
    }
  }
}

// Finds steps that need not be run for the only one that reads what they write.
void Program::FindPaddings() {
  for (Step& step : steps_) {
    if (step.inputs.size() != 1 || step.group != kNone) continue;
    const Value& padded = values_[step.inputs[0]];
    if (padded.producer == kNone || padded.outside || readers_[step.inputs[0]] != 1) continue;
    const Edges& pads = steps_[padded.producer].op->pads();
    const bool none = pads.top + int64_t{pads.bottom} + pads.left + pads.right == 0;
    if (!none && step.op->TakesEdges(pads)) step.padding = padded.producer;
  }
}

// Where there is an image to add edges to. Once the shape of that is known.
void Program::LeavePaddingOut(Step* step) {
  Step& padding = steps_[step->padding];
  padding.is_left_out = Bytes(values_[padding.inputs[0]].shape) > 0;
  step->inputs[0] = padding.is_left_out ? padding.inputs[0] : padding.output;
  step->op->LeaveOut(padding.is_left_out ? padding.op->pads() : Edges());
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
  ReadInputShapes(context, &reason);
  for (Step& step : steps_) {
    ResizeStep(&step, &reason);
    if (step.inputs.size() > 0) step.op->SetInputCodes(values_[step.inputs[0]].codes);
    values_[step.output].codes = CodesOf(step);
    if (step.op->Prepare(environment, workers, &reason)) continue;
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

const RowWork& Program::RowWorkOf(const Step& step) const {
  return IsFused(step) ? groups_[step.group].function.row_work() : step.op->row_work();
}

// The value that a step reads of which it computes images: none of several.
int Program::SourceOf(const Step& step) const {
  if (IsFused(step)) return groups_[step.group].source;
  return step.inputs.size() == 1 ? step.inputs[0] : kNone;
}

// Whether no others read it, but steps that are run in this one's place.
bool Program::IsOnlyReader(const Step& step, int value) const {
  int reads = 1;
  if (IsFused(step)) {
    reads = 0;
    for (const Step& member : steps_) {
      if (member.group != step.group) continue;
      for (int input : member.inputs) reads += input == value;
    }
  }
  return readers_[value] == reads;
}

// Whether what one writes and the next reads need not be there as a whole. That pays where it is more than a stripe's.
bool Program::GoesInStripes(const Step& writer, const Step& reader) const {
  const RowWork& above = RowWorkOf(writer);
  const RowWork& below = RowWorkOf(reader);
  const int source = SourceOf(reader);
  if (above.run == nullptr || below.run == nullptr || source != writer.output || SourceOf(writer) == kNone) return false;
  const Value& value = values_[source];
  return !value.outside && value.joined == kNone && IsOnlyReader(reader, source) && above.images == below.images &&
         above.output_rows == below.input_rows && above.output_row_bytes == below.input_row_bytes && Bytes(value.shape) >= stripe_limits_.least;
}

// Steps that run one after the other, as others between them might write over what the first reads.
void Program::FindChains() {
  for (Step& step : steps_) step.chain = kNone;
  if (!fuse_ || verify_) return;
  int chains = 0, links = 0, before = kNone;
  for (int i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    if (step.units.count == 0) continue;
    const int writer = before;
    before = i;
    if (writer == kNone || !GoesInStripes(steps_[writer], step)) continue;
    int& of_writer = steps_[writer].chain;
    const bool begins = of_writer == kNone;
    Chain& chain = chains_[begins ? chains : of_writer];
    if (begins) {
      chain.first = links;
      chain.count = 1;
      links_[links].work = RowWorkOf(steps_[writer]);
      link_steps_[links] = writer;
    }
    links_[chain.first + chain.count].work = RowWorkOf(step);
    link_steps_[chain.first + chain.count] = i;
    if (!Stripes::Pay(&links_[chain.first], chain.count + 1, stripe_limits_)) continue;
    if (begins) of_writer = chains++;
    step.chain = of_writer;
    links = chain.first + ++chain.count;
  }
  for (int c = 0; c < chains; ++c) {
    Chain& chain = chains_[c];
    size_t scratch = 0;
    for (int k = 0; k < chain.count; ++k) {
      chain.last = link_steps_[chain.first + k];
      Step& step = steps_[chain.last];
      if (step.units.scratch_bytes > scratch) scratch = step.units.scratch_bytes;
      step.units = Units();
    }
    steps_[chain.last].units = chain.stripes.Divide(&links_[chain.first], chain.count, scratch, workers_, stripe_limits_);
    const Value& source = values_[SourceOf(steps_[link_steps_[chain.first]])];
    if (IsInside(source) && memory_[source.storage].last < chain.last) memory_[source.storage].last = chain.last;
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
