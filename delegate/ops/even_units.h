// Work on many values that can be cut anywhere, in units of nearly equal size.
#ifndef TFLITE_EQ_DELEGATE_OPS_EVEN_UNITS_H_
#define TFLITE_EQ_DELEGATE_OPS_EVEN_UNITS_H_

#include <stddef.h>
#include <stdint.h>

namespace tflite_eq {

class EvenUnits {
 public:
  EvenUnits() = default;
  // `items` of `bytes` each. What takes a microsecond or so is left in one piece: handing it to another thread takes as long.
  EvenUnits(int64_t items, int64_t bytes, int workers) : items_(items) {
    constexpr int64_t kLeastBytes = 16 << 10;
    const int64_t by_size = bytes > 0 ? (items * bytes + kLeastBytes - 1) / kLeastBytes : 1;
    int64_t most = workers > 1 ? int64_t{2} * workers : 1;
    if (most > by_size) most = by_size;
    if (most > items) most = items;
    count_ = items > 0 ? static_cast<int>(most < 1 ? 1 : most) : 0;
  }

  int count() const { return count_; }
  // Items [begin(unit), begin(unit + 1)).
  int64_t begin(int unit) const { return items_ / count_ * unit + items_ % count_ * unit / count_; }

 private:
  int64_t items_ = 0;
  int count_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_EVEN_UNITS_H_
