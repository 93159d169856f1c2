// The reference behind the kernel interface, so that it can be asked for by name. It packs nothing but a copy of the weights.
#include <string.h>

#include "delegate/kernels/geometry.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/reference.h"

namespace tflite_eq {
namespace {

// Packed: the fused multipliers, shifts and bias, then the filter.
struct Layout {
  explicit Layout(const ConvShape& shape)
      : channels(static_cast<size_t>(shape.output_channels)), filter(channels * shape.filter_size()) {}
  size_t bytes() const { return sizeof(ConvQuantization) + 3 * channels * sizeof(int32_t) + filter; }
  int32_t* multiplier(void* packed) const {
    return reinterpret_cast<int32_t*>(static_cast<char*>(packed) + sizeof(ConvQuantization));
  }
  int32_t* shift(void* packed) const { return multiplier(packed) + channels; }
  int32_t* bias(void* packed) const { return multiplier(packed) + 2 * channels; }
  int8_t* weights(void* packed) const { return reinterpret_cast<int8_t*>(multiplier(packed) + 3 * channels); }

  size_t channels;
  size_t filter;
};

bool Certify(const ConvProblem&, Reason*) { return true; }

size_t PackedBytes(const ConvProblem& problem) { return Layout(problem.shape).bytes(); }

void Pack(const ConvProblem& problem, void* packed) {
  const Layout layout(problem.shape);
  memcpy(packed, &problem.quantization, sizeof(ConvQuantization));
  if (layout.channels == 0) return;
  memcpy(layout.multiplier(packed), problem.quantization.multiplier, layout.channels * sizeof(int32_t));
  memcpy(layout.shift(packed), problem.quantization.shift, layout.channels * sizeof(int32_t));
  if (problem.weights.bias != nullptr) {
    memcpy(layout.bias(packed), problem.weights.bias, layout.channels * sizeof(int32_t));
  }
  if (layout.filter > 0) memcpy(layout.weights(packed), problem.weights.filter, layout.filter);
}

WorkPlan Plan(const ConvShape& shape, int) {
  WorkPlan plan;
  if (IsEmpty(shape)) return plan;
  plan.unit_size = 1;
  plan.units = shape.batch * shape.output_height;
  return plan;
}

void Run(const KernelContext& context, const WorkPlan&, int unit, const int8_t* input, int8_t* output, void*) {
  const Layout layout(context.shape);
  void* packed = const_cast<void*>(context.packed);
  ConvProblem problem;
  problem.shape = context.shape;
  memcpy(&problem.quantization, packed, sizeof(ConvQuantization));
  problem.quantization.multiplier = layout.multiplier(packed);
  problem.quantization.shift = layout.shift(packed);
  problem.weights = {layout.weights(packed), layout.bias(packed)};
  const int row = unit % context.shape.output_height;
  ReferenceConvRows(problem, input, unit / context.shape.output_height, row, row + 1, output);
}

}  // namespace

const ConvKernel kReference = {Algorithm::kReference, Isa::kScalar, /*needs_fallback=*/false, /*uses_lines=*/false, Certify,
                               PackedBytes, Pack, Plan, Run, /*run_rows=*/nullptr};

}  // namespace tflite_eq
