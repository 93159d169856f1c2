// Steps of a program that follow each other, run stripe by stripe: a few rows of the last one's output at a time, and before them what
// the others have to write for these. What lies in between is never held as a whole: each worker has the rows of it that are still
// looked at, in its scratch.
//
//   input    . . . . . . . . .            depthwise 3x3 -> 1x1, two rows at a time
//                \ | | /
//   between       o o                     in scratch
//                 | |
//   output   x x  o o  . . .
//
// Work is divided into bands of output rows, each with rows in between of its own: those that two bands look at are computed twice.
#ifndef TFLITE_EQ_DELEGATE_STRIPES_H_
#define TFLITE_EQ_DELEGATE_STRIPES_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/ops/operator.h"
#include "delegate/options.h"

namespace tflite_eq {

class Stripes {
 public:
  static constexpr int kMostSteps = 8;

  // A step, and where in scratch lie the rows that it writes, but for the last's.
  struct Link {
    RowWork work;
    size_t offset = 0;
  };

  // Whether stripes have as many rows as the limits ask for, or all.
  static bool Pay(Link* links, int count, const StripeLimits& limits);

  // For steps of which each writes what the next reads, images that are not empty. The links stay the caller's, as long as this runs.
  // `scratch_bytes`: the most that one of them needs.
  Units Divide(Link* links, int count, size_t scratch_bytes, int workers, const StripeLimits& limits);

  // A band of an image. Adds to `milliseconds`, if it is not null, what each of the steps takes.
  void Run(const int8_t* input, int8_t* output, int unit, void* scratch, double* milliseconds) const;

  int rows() const { return rows_; }

 private:
  class Walk;
  static size_t Layout(Link* links, int count, int rows, size_t scratch_bytes);
  static int MostRows(Link* links, int count, size_t target);

  Link* links_ = nullptr;
  int count_ = 0;
  int rows_ = 1;   // of the last step, in a stripe
  int bands_ = 1;  // of an image
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_STRIPES_H_
