// An operator as work on rows of images: some output rows at a time, from the input rows under them (stripes.h).
#ifndef TFLITE_EQ_DELEGATE_OPS_ROW_WORK_H_
#define TFLITE_EQ_DELEGATE_OPS_ROW_WORK_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/graph/shape.h"

namespace tflite_eq {

// Rows of one image, the last excluded.
struct Rows {
  int begin = 0;
  int end = 0;
  bool empty() const { return begin >= end; }
};

struct RowWork {
  // Computes output rows of an image, some at least. `input` and `output` are where the first rows of the images would be: of the output
  // only the rows that are asked for need have memory, of the input those under them. Null where the operator cannot do that.
  using Function = void (*)(const void* of, const int8_t* input, Rows rows, int8_t* output, void* scratch);
  Function run = nullptr;
  const void* of = nullptr;

  // Output row y looks at input rows from y * stride - pad on, `reach` of them, as far as the image has them.
  int stride = 1;
  int pad = 0;
  int64_t reach = 1;
  int input_rows = 0;
  int output_rows = 0;
  int images = 0;
  size_t input_row_bytes = 0;
  size_t output_row_bytes = 0;

  // Of what computes each value from the one in the same place: rows are those of images, if there are such.
  void SetEach(const Shape& shape) {
    input_rows = output_rows = shape.rank == 4 ? shape.dims[1] : 0;
    images = shape.rank == 4 ? shape.dims[0] : 0;
    input_row_bytes = output_row_bytes = shape.rank == 4 ? static_cast<size_t>(shape.dims[2]) * static_cast<size_t>(shape.dims[3]) : 0;
  }

  // Input rows under some output rows; none for none. The more the output's ends grow, the more do its own.
  Rows Under(Rows rows) const {
    if (rows.empty()) return {};
    const int64_t begin = int64_t{rows.begin} * stride - pad;
    const int64_t end = int64_t{rows.end - 1} * stride - pad + reach;
    return {Inside(begin), Inside(end)};
  }

 private:
  int Inside(int64_t row) const { return row < 0 ? 0 : row < input_rows ? static_cast<int>(row) : input_rows; }
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_ROW_WORK_H_
