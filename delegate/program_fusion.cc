// Which of a program's steps are run as one, in another order, in stripes, in other places, or not at all.
#include "delegate/program.h"
#include "delegate/shape_text.h"

namespace tflite_eq {

// Has a pool that takes maxima of what a table gives take them of what the table reads, so that fewer codes are looked up. The value
// between the two is another one from then on, and the code of its edges need not be the least.
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
      table.op->TakeNoEdges();
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
  const bool has_rows = above.images > 0 && above.output_rows > 0 && below.output_rows > 0;
  return has_rows && !value.outside && value.joined == kNone && IsOnlyReader(reader, source) && above.images == below.images &&
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

}  // namespace tflite_eq
