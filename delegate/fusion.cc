#include "delegate/fusion.h"

namespace tflite_eq {

// Steps in the order in which they were added, last first, and the tensors that they read and do not write.
struct Fusions::Group {
  static constexpr int kMostSources = 8;

  int steps[kMostSteps];
  int step_count = 0;
  int sources[kMostSources];
  int source_count = 0;
  int channels = 1;

  bool Read(int tensor) {
    for (int i = 0; i < source_count; ++i) {
      if (sources[i] == tensor) return true;
    }
    if (source_count == kMostSources) return false;
    sources[source_count++] = tensor;
    return true;
  }

  // False where that is more than a group holds.
  bool Add(int step, const FusibleStep& at) {
    if (step_count == kMostSteps) return false;
    steps[step_count++] = step;
    if (at.channelwise > 1) channels = at.channelwise;
    for (int i = 0; i < source_count; ++i) {
      if (sources[i] == at.output) sources[i] = sources[--source_count];
    }
    for (int k = 0; k < at.input_count; ++k) {
      if (!Read(at.inputs[k])) return false;
    }
    return true;
  }

  bool Goes(const FusibleStep& at) const { return at.channelwise == 1 || (at.channelwise > 1 && (channels == 1 || channels == at.channelwise)); }
};

bool Fusions::Find(const Array<FusibleStep>& steps, const Array<bool>& kept) {
  const int count = steps.size();
  if (!last_of_.Allocate(count) || !source_of_.Allocate(count) || !channels_of_.Allocate(count) || !producer_.Allocate(kept.size()) ||
      !readers_.Allocate(kept.size())) {
    return false;
  }
  for (int& producer : producer_) producer = kNone;
  for (int& readers : readers_) readers = 0;
  for (int i = 0; i < count; ++i) {
    last_of_[i] = source_of_[i] = kNone;
    producer_[steps[i].output] = i;
    for (int k = 0; k < steps[i].input_count; ++k) ++readers_[steps[i].inputs[k]];
  }
  for (int last = count - 1; last >= 0; --last) {
    if (last_of_[last] == kNone && steps[last].channelwise > 0) Grow(steps, kept, last);
  }
  return true;
}

// From the last step to those before, as long as one can be added; the group is what there was when it last had a single source.
void Fusions::Grow(const Array<FusibleStep>& steps, const Array<bool>& kept, int last) {
  Group group;
  bool fits = group.Add(last, steps[last]);
  int whole = 0, source = kNone, channels = 1;
  while (fits) {
    // What comes latest first: all that reads a tensor is in the group before what writes it.
    int next = kNone;
    for (int i = 0; i < group.source_count; ++i) {
      const int tensor = group.sources[i];
      const int producer = producer_[tensor];
      if (producer == kNone || producer <= next || kept[tensor] || last_of_[producer] != kNone || !group.Goes(steps[producer])) continue;
      int readers = 0;
      for (int s = 0; s < group.step_count; ++s) {
        const FusibleStep& step = steps[group.steps[s]];
        for (int k = 0; k < step.input_count; ++k) readers += step.inputs[k] == tensor;
      }
      if (readers == readers_[tensor]) next = producer;
    }
    if (next == kNone) break;
    fits = group.Add(next, steps[next]);
    if (fits && group.source_count == 1) {
      whole = group.step_count;
      source = group.sources[0];
      channels = group.channels;
    }
  }
  for (int i = 0; i < whole; ++i) last_of_[group.steps[i]] = last;
  source_of_[last] = source;
  channels_of_[last] = channels;
}

}  // namespace tflite_eq
