// Cutting the output into units of whole rows, for kernels that work along rows.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ROW_UNITS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ROW_UNITS_H_

#include "delegate/kernels/conv_kernel.h"

namespace tflite_eq {

struct RowRange {
  int image;
  int begin;
  int end;
};

// Units of at most `most` rows, of nearly equal size, at least one for each worker where there are rows enough.
static inline WorkPlan PlanRows(const ConvShape& shape, int workers, int most) {
  WorkPlan plan;
  const int rows = shape.output_height;
  if (rows <= 0 || shape.batch <= 0) return plan;
  if (most < 1) most = 1;
  int units = (rows + most - 1) / most;
  const int wanted = (workers + shape.batch - 1) / shape.batch;
  if (units < wanted) units = wanted < rows ? wanted : rows;
  plan.unit_size = (rows + units - 1) / units;
  plan.units = shape.batch * ((rows + plan.unit_size - 1) / plan.unit_size);
  return plan;
}

static inline RowRange UnitRows(const ConvShape& shape, const WorkPlan& plan, int unit) {
  const int units = plan.units / shape.batch;
  const int begin = unit % units * plan.unit_size;
  const int end = begin + plan.unit_size < shape.output_height ? begin + plan.unit_size : shape.output_height;
  return {unit / units, begin, end};
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ROW_UNITS_H_
