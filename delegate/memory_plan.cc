#include "delegate/memory_plan.h"

#include <string.h>

#include "delegate/kernels/buffer.h"

namespace tflite_eq {
namespace {

size_t Rounded(size_t bytes) { return (bytes + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment; }

}  // namespace

// Keeps the gaps in order and merges neighbours.
void MemoryPlan::Give(size_t offset, size_t bytes) {
  if (bytes == 0) return;
  int at = 0;
  while (at < gap_count_ && gaps_[at].offset < offset) ++at;
  const bool joins_before = at > 0 && gaps_[at - 1].offset + gaps_[at - 1].bytes == offset;
  const bool joins_after = at < gap_count_ && offset + bytes == gaps_[at].offset;
  if (joins_before && joins_after) {
    gaps_[at - 1].bytes += bytes + gaps_[at].bytes;
    memmove(&gaps_[at], &gaps_[at] + 1, sizeof(Gap) * static_cast<size_t>(gap_count_ - at - 1));
    --gap_count_;
  } else if (joins_before) {
    gaps_[at - 1].bytes += bytes;
  } else if (joins_after) {
    gaps_[at].offset = offset;
    gaps_[at].bytes += bytes;
  } else {
    memmove(&gaps_[at] + 1, &gaps_[at], sizeof(Gap) * static_cast<size_t>(gap_count_ - at));
    gaps_[at] = {offset, bytes};
    ++gap_count_;
  }
}

size_t MemoryPlan::Take(size_t bytes) {
  int best = -1;
  for (int i = 0; i < gap_count_; ++i) {
    if (gaps_[i].bytes >= bytes && (best < 0 || gaps_[i].bytes < gaps_[best].bytes)) best = i;
  }
  if (best < 0) {
    // The end grows, from a gap that reaches it if there is one.
    const bool reaches = gap_count_ > 0 && gaps_[gap_count_ - 1].offset + gaps_[gap_count_ - 1].bytes == bytes_;
    const size_t offset = reaches ? gaps_[gap_count_ - 1].offset : bytes_;
    if (reaches) --gap_count_;
    bytes_ = offset + bytes;
    return offset;
  }
  const size_t offset = gaps_[best].offset;
  gaps_[best].offset += bytes;
  gaps_[best].bytes -= bytes;
  if (gaps_[best].bytes == 0) {
    memmove(&gaps_[best], &gaps_[best] + 1, sizeof(Gap) * static_cast<size_t>(gap_count_ - best - 1));
    --gap_count_;
  }
  return offset;
}

void MemoryPlan::Place() {
  constexpr int kNone = -1;
  gap_count_ = 0;
  bytes_ = 0;
  for (int& end : ends_) end = kNone;
  int step = 0;
  for (int i = 0; i < storages_.size(); ++i) {
    Storage& storage = storages_[i];
    for (; step < storage.first; ++step) {
      for (int dead = ends_[step]; dead != kNone; dead = next_[dead]) Give(storages_[dead].offset, Rounded(storages_[dead].bytes));
    }
    const size_t bytes = Rounded(storage.bytes);
    storage.offset = bytes > 0 ? Take(bytes) : 0;
    next_[i] = ends_[storage.last];
    ends_[storage.last] = i;
  }
}

}  // namespace tflite_eq
