// The one-dimensional int8 kernel without intrinsics. Transformed codes are stored as int8, as the vector kernels store them,
// so that a code outside the window would do the same damage here if it were let through.
#include <string.h>

#include "delegate/kernels/folded_bias.h"
#include "delegate/kernels/kernels.h"
#include "delegate/kernels/row_units.h"
#include "delegate/kernels/winograd_1d_weights.h"

namespace tflite_eq {
namespace {

constexpr int kTaps = 4;  // transformed taps of a triplet, in either form

// Packed: for each output channel its folded bias and form, then [channel][row][input channel][4] transformed taps.
struct Channel {
  int32_t bias;
  int32_t form;
};

bool Certify(const ConvProblem& problem, Reason* reason) {
  bool two_taps;
  return CertifyWinograd1d(problem, &two_taps, reason);
}

size_t PackedBytes(const ConvProblem& problem) {
  return problem.shape.output_channels * (sizeof(Channel) + size_t{3} * kTaps * problem.shape.input_channels);
}

void Pack(const ConvProblem& problem, void* packed) {
  const int channels = problem.shape.input_channels;
  Channel* heads = static_cast<Channel*>(packed);
  int8_t* u = reinterpret_cast<int8_t*>(heads + problem.shape.output_channels);
  bool two_taps;
  Reason ignored;
  CertifyWinograd1d(problem, &two_taps, &ignored);
  for (int k = 0; k < problem.shape.output_channels; ++k) {
    const int8_t* filter = problem.weights.filter + static_cast<size_t>(k) * problem.shape.filter_size();
    const Winograd1dForm form = two_taps ? Winograd1dForm::kTwoTaps : ClassifyWinograd1d(filter, channels);
    heads[k] = {FoldedBias(problem, k), static_cast<int32_t>(form)};
    for (int row = 0; row < 3; ++row) {
      const int8_t* w = filter + static_cast<size_t>(row) * 3 * channels;
      for (int c = 0; c < channels; ++c, u += kTaps) {
        TransformWinograd1dTaps(form, w[c], w[channels + c], w[2 * channels + c], u);
      }
    }
  }
}

WorkPlan Plan(const ConvShape& shape, int workers) {
  WorkPlan plan = PlanRows(shape, workers, /*most=*/4);
  if (plan.units > 0) plan.scratch_bytes = static_cast<size_t>(3) * 4 * shape.input_channels;
  return plan;
}

enum class Window { kSigned, kNonNegative, kNeither };  // [-64, 63], [0, 127]

// The 3 x 4 codes under a pair of outputs, [row][column][channel].
Window GatherPair(const KernelContext& context, const int8_t* image, int row, int column, int8_t* window) {
  const ConvShape& s = context.shape;
  unsigned outside = 0;
  bool negative = false;
  for (int ky = 0; ky < 3; ++ky) {
    for (int kx = 0; kx < 4; ++kx) {
      const int y = row - s.pad_top + ky;
      const int x = column - s.pad_left + kx;
      const bool padding = y < 0 || x < 0 || y >= s.input_height || x >= s.input_width;
      const int8_t* codes = image + (static_cast<ptrdiff_t>(y) * s.input_width + x) * s.input_channels;
      for (int c = 0; c < s.input_channels; ++c) {
        const int8_t code = padding ? static_cast<int8_t>(context.input_zero_point) : codes[c];
        outside |= static_cast<unsigned>(code + 64) & ~0x7fu;
        negative = negative || code < 0;
        *window++ = code;
      }
    }
  }
  return outside == 0 ? Window::kSigned : negative ? Window::kNeither : Window::kNonNegative;
}

// Both accumulators of a pair, without bias.
void Accumulate(const int8_t* window, bool non_negative, const int8_t* u, int channels, Winograd1dForm form,
                int32_t acc[2]) {
  int32_t m[5] = {};
  for (int ky = 0; ky < 3; ++ky) {
    for (int c = 0; c < channels; ++c, u += kTaps) {
      const int8_t* d = window + static_cast<size_t>(ky) * 4 * channels + c;
      const int d0 = d[0], d1 = d[channels], d2 = d[2 * channels], d3 = d[3 * channels];
      if (form == Winograd1dForm::kTwoTaps) {
        m[0] += static_cast<int8_t>(d0 - d1) * u[0];
        m[1] += d1 * u[1];
        m[2] += static_cast<int8_t>(d2 - d1) * u[2];
        m[3] += d2 * u[3];
        m[4] += d3 * u[3];
      } else {
        m[0] += static_cast<int8_t>(d0 - d2) * u[0];
        m[1] += (non_negative ? int{static_cast<uint8_t>(d1 + d2)} : int{static_cast<int8_t>(d1 + d2)}) * u[1];
        m[2] += static_cast<int8_t>(d2 - d1) * u[2];
        m[3] += static_cast<int8_t>(d3 - d1) * u[3];
      }
    }
  }
  if (form == Winograd1dForm::kTwoTaps) {
    acc[0] = m[0] + m[1] + m[3];
    acc[1] = m[2] + m[1] + m[4];
    return;
  }
  const int shift = form == Winograd1dForm::kHalveSums ? 1 : 0;
  acc[0] = m[0] + ((m[1] + m[2]) >> shift);
  acc[1] = m[3] + ((m[1] - m[2]) >> shift);
}

// False when a code outside the window was met; the rows are then incomplete.
bool RunRows(const KernelContext& context, const RowRange& rows, const int8_t* input, int8_t* output, int8_t* window) {
  const ConvShape& s = context.shape;
  const Channel* heads = static_cast<const Channel*>(context.packed);
  const int8_t* taps = reinterpret_cast<const int8_t*>(heads + s.output_channels);
  const int8_t* image = input + static_cast<size_t>(rows.image) * s.input_height * s.input_width * s.input_channels;
  for (int row = rows.begin; row < rows.end; ++row) {
    for (int column = 0; column < s.output_width; column += 2) {
      const Window codes = GatherPair(context, image, row, column, window);
      if (codes == Window::kNeither) return false;
      int8_t* out = output + ((static_cast<size_t>(rows.image) * s.output_height + row) * s.output_width + column) *
                                 s.output_channels;
      for (int k = 0; k < s.output_channels; ++k) {
        int32_t acc[2];
        Accumulate(window, codes == Window::kNonNegative, taps + static_cast<size_t>(k) * 3 * kTaps * s.input_channels,
                   s.input_channels, static_cast<Winograd1dForm>(heads[k].form), acc);
        for (int i = 0; i < 2 && column + i < s.output_width; ++i) {
          const uint32_t sum = static_cast<uint32_t>(acc[i]) + static_cast<uint32_t>(heads[k].bias);
          out[i * s.output_channels + k] = context.requantization->Requantize(static_cast<int32_t>(sum), k);
        }
      }
    }
  }
  return true;
}

void Run(const KernelContext& context, const WorkPlan& plan, int unit, const int8_t* input, int8_t* output,
         void* scratch) {
  const RowRange rows = UnitRows(context.shape, plan, unit);
  if (!RunRows(context, rows, input, output, static_cast<int8_t*>(scratch))) {
    RunFallback(context, rows.image, rows.begin, rows.end, input, output, scratch);
  }
}

}  // namespace

const ConvKernel kWinograd1dScalar = {Algorithm::kWinograd1d, Isa::kScalar, /*needs_fallback=*/true, /*uses_lines=*/false,
                                       Certify,
                                      PackedBytes, Pack, Plan, Run, /*run_rows=*/nullptr};

}  // namespace tflite_eq
