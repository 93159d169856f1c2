#include "delegate/stripes.h"

#include <string.h>

#include "delegate/clock.h"
#include "delegate/kernels/buffer.h"

namespace tflite_eq {
namespace {

size_t RoundUp(size_t bytes) { return (bytes + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment; }

// Where an image would begin of which row `row` is at `at`. Not a pointer into anything there is: a number until a row is added.
int8_t* ImageOf(char* at, int row, size_t row_bytes) {
  return reinterpret_cast<int8_t*>(reinterpret_cast<uintptr_t>(at) - static_cast<size_t>(row) * row_bytes);
}

}  // namespace

// What stripes have to do, one after the other.
class Stripes::Walk {
 public:
  // Rows that a step writes.
  struct Task {
    Rows before;    // that are held of earlier stripes
    Rows held;      // that are to be held in the end: some of these, and
    Rows computed;  // none where nothing new is looked at
  };

  explicit Walk(const Stripes& stripes) : stripes_(stripes) {}

  void Next(Rows wanted) {
    for (int i = stripes_.count_ - 1; i >= 0; --i) {
      Task& task = tasks_[i];
      task.before = task.held;
      task.computed = {};
      if (wanted.empty()) continue;
      // Beginnings and ends never go back from one stripe to the next, so that what is held of the wanted is their beginning.
      task.held = wanted;
      task.computed = {task.before.end > wanted.begin ? task.before.end : wanted.begin, wanted.end};
      wanted = stripes_.links_[i].work.Under(task.computed);
    }
  }
  const Task& operator[](int i) const { return tasks_[i]; }

 private:
  const Stripes& stripes_;
  Task tasks_[kMostSteps];
};

// What a worker needs for stripes of so many rows.
size_t Stripes::Layout(Link* links, int count, int rows, size_t scratch_bytes) {
  size_t bytes = RoundUp(scratch_bytes);
  int64_t most = rows;
  for (int i = count - 1; i > 0; --i) {
    const RowWork& work = links[i].work;
    most = (most - 1) * work.stride + work.reach;
    if (most > work.input_rows) most = work.input_rows;
    links[i - 1].offset = bytes;
    // Kernels read whole vectors, of which a part may lie behind the last row.
    bytes += RoundUp(static_cast<size_t>(most) * work.input_row_bytes + Buffer::kAlignment);
  }
  return bytes;
}

// The most for which what lies in between takes no more; one where none does.
int Stripes::MostRows(Link* links, int count, size_t target) {
  int low = 1, high = links[count - 1].work.output_rows;
  while (low < high) {
    const int middle = high - (high - low) / 2;
    if (Layout(links, count, middle, 0) <= target) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

bool Stripes::Pay(Link* links, int count, const StripeLimits& limits) {
  const int rows = links[count - 1].work.output_rows;
  const int fewest = rows < limits.fewest_rows ? rows : limits.fewest_rows;
  return count <= kMostSteps && MostRows(links, count, limits.target) >= fewest;
}

Units Stripes::Divide(Link* links, int count, size_t scratch_bytes, int workers, const StripeLimits& limits) {
  links_ = links;
  count_ = count;
  const RowWork& last = links[count - 1].work;
  const int most = MostRows(links, count, limits.target);
  // As many rows in each stripe.
  bands_ = workers == 1 ? 1 : workers < last.output_rows ? workers : last.output_rows;
  const int band = (last.output_rows - 1) / bands_ + 1;
  const int stripes = (band - 1) / most + 1;
  rows_ = (band - 1) / stripes + 1;
  return {last.images * bands_, Layout(links, count, rows_, scratch_bytes)};
}

void Stripes::Run(const int8_t* input, int8_t* output, int unit, void* scratch, double* milliseconds) const {
  const RowWork& first = links_[0].work;
  const RowWork& last = links_[count_ - 1].work;
  const auto image = static_cast<size_t>(unit / bands_);
  const int band = unit % bands_;
  input += image * static_cast<size_t>(first.input_rows) * first.input_row_bytes;
  output += image * static_cast<size_t>(last.output_rows) * last.output_row_bytes;
  const int end = static_cast<int>(int64_t{last.output_rows} * (band + 1) / bands_);
  Walk walk(*this);
  for (Rows stripe = {0, static_cast<int>(int64_t{last.output_rows} * band / bands_)}; stripe.end < end;) {
    stripe = {stripe.end, end - stripe.end > rows_ ? stripe.end + rows_ : end};
    walk.Next(stripe);
    const int8_t* from = input;
    for (int i = 0; i < count_; ++i) {
      const RowWork& work = links_[i].work;
      const Walk::Task& task = walk[i];
      int8_t* to = output;
      if (i + 1 < count_) {
        char* const rows = static_cast<char*>(scratch) + links_[i].offset;
        if (task.before.end > task.held.begin && task.before.begin < task.held.begin) {
          memmove(rows, rows + static_cast<size_t>(task.held.begin - task.before.begin) * work.output_row_bytes,
                  static_cast<size_t>(task.before.end - task.held.begin) * work.output_row_bytes);
        }
        to = ImageOf(rows, task.held.begin, work.output_row_bytes);
      }
      const double start = milliseconds != nullptr ? Milliseconds() : 0;
      if (!task.computed.empty()) work.run(work.of, from, task.computed, to, scratch);
      if (milliseconds != nullptr) milliseconds[i] += Milliseconds() - start;
      from = to;
    }
  }
}

}  // namespace tflite_eq
