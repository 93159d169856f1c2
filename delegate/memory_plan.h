// Where values that live for a part of a program lie in one block of memory: those whose lives do not overlap share addresses.
#ifndef TFLITE_EQ_DELEGATE_MEMORY_PLAN_H_
#define TFLITE_EQ_DELEGATE_MEMORY_PLAN_H_

#include <stddef.h>

#include "delegate/array.h"

namespace tflite_eq {

class MemoryPlan {
 public:
  // Something to be stored from one step of a program, which writes it, to the last that reads it, both included.
  struct Storage {
    int first = 0;
    int last = 0;
    size_t bytes = 0;
    size_t offset = 0;  // set by Place; a multiple of Buffer::kAlignment
  };

  // For a program of so many steps; storages are to come in the order in which they begin. False when memory runs out.
  bool Allocate(int storages, int steps) {
    return storages_.Allocate(storages) && next_.Allocate(storages) && ends_.Allocate(steps) && gaps_.Allocate(storages + 1);
  }
  int size() const { return storages_.size(); }
  Storage& operator[](int i) { return storages_[i]; }
  const Storage& operator[](int i) const { return storages_[i]; }

  // Gives every storage its place: the smallest gap that holds it, step by step. May be called again with other sizes; allocates
  // nothing.
  void Place();
  // What all of them take together. At most the sum of their sizes.
  size_t bytes() const { return bytes_; }

 private:
  struct Gap {
    size_t offset = 0;
    size_t bytes = 0;
  };
  void Give(size_t offset, size_t bytes);
  size_t Take(size_t bytes);

  Array<Storage> storages_;
  // Storages by the step they end with, as lists: the first of each step, then the next of each.
  Array<int> ends_, next_;
  Array<Gap> gaps_;  // by offset, none next to another
  int gap_count_ = 0;
  size_t bytes_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_MEMORY_PLAN_H_
