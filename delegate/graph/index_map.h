// A map from indices of tensors or nodes to ints, for passes that must stay linear in the size of the model.
#ifndef TFLITE_EQ_DELEGATE_GRAPH_INDEX_MAP_H_
#define TFLITE_EQ_DELEGATE_GRAPH_INDEX_MAP_H_

#include <limits.h>
#include <stdint.h>

#include "delegate/array.h"

namespace tflite_eq {

class IndexMap {
 public:
  static constexpr int kAbsent = -1;

  // Empties the map and makes room for `entries` keys. False when memory runs out.
  bool Reserve(int entries) {
    if (entries > INT_MAX / 4) return false;
    int slots = 2;
    shift_ = 31;
    while (slots < 2 * entries) {
      slots *= 2;
      --shift_;
    }
    return slots_.Allocate(slots);
  }

  // No more than `entries` different keys, none negative. Replaces what the key had.
  void Set(int key, int value) {
    Slot* slot = Find(key);
    slot->key = key;
    slot->value = value;
  }

  // kAbsent for keys that were not set.
  int Get(int key) const { return slots_.size() > 0 && key >= 0 ? const_cast<IndexMap*>(this)->Find(key)->value : kAbsent; }

 private:
  struct Slot {
    int key = kAbsent;
    int value = kAbsent;
  };

  // The key's slot or a free one: half of the slots are.
  Slot* Find(int key) {
    uint32_t i = static_cast<uint32_t>(key) * 2654435769u >> shift_;  // 2^32 over the golden ratio
    while (slots_[i].key != key && slots_[i].key != kAbsent) i = (i + 1) % static_cast<uint32_t>(slots_.size());
    return &slots_[i];
  }

  Array<Slot> slots_;
  int shift_ = 31;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_GRAPH_INDEX_MAP_H_
