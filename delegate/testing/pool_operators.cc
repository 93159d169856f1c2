// MAX_POOL_2D and AVERAGE_POOL_2D.
#include "delegate/testing/operator_helpers.h"
#include "delegate/testing/operators.h"

namespace tflite_eq {
namespace {

constexpr float kScaleTolerance = 1e-6f;  // TFLite's

bool ResolveWindows(const TfLiteNode* node, const TfLiteTensor& input, Window* rows, Window* columns) {
  const TestNode& p = ParametersOf(*node);
  return ResolveWindow(p.geometry.padding, p.pool_height, p.geometry.stride_height, 1, input.dims->data[1], rows) &&
         ResolveWindow(p.geometry.padding, p.pool_width, p.geometry.stride_width, 1, input.dims->data[2], columns);
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  TfLiteTensor* output = OutputAt(context, node);
  if (node->builtin_data == nullptr || !HasCounts(node, 1, 1)) return Refuse(context, "pool without parameters or tensors");
  if (!IsInt8(input) || !IsInt8(output)) return Refuse(context, "pool of other types");
  if (!HasRank(input, 4) || !IsWhole(*input)) return Refuse(context, "pool of another rank");
  if (!(std::abs(input->params.scale - output->params.scale) <= kScaleTolerance) ||
      input->params.zero_point != output->params.zero_point) {
    return Refuse(context, "pool that changes the scale");
  }
  Window rows, columns;
  CodeRange range;
  if (!ResolveWindows(node, *input, &rows, &columns)) return Refuse(context, "strides or padding");
  if (!ActivationCodes(ParametersOf(*node).geometry.activation, *output, &range)) return Refuse(context, "activation");
  const int* dims = input->dims->data;
  return ResizeTo(context, output, {dims[0], static_cast<int>(rows.output), static_cast<int>(columns.output), dims[3]});
}

// Of one channel's codes in a window. Padding does not count.
class Maximum {
 public:
  void Add(int8_t code) { value_ = code > value_ ? code : value_; }
  int Result() const { return value_; }

 private:
  int8_t value_ = -128;
};
class Average {
 public:
  void Add(int8_t code) {
    sum_ += code;
    ++count_;
  }
  int Result() const { return count_ == 0 ? 0 : (sum_ > 0 ? sum_ + count_ / 2 : sum_ - count_ / 2) / count_; }

 private:
  int sum_ = 0, count_ = 0;
};

template <typename Reduction>
TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* input = InputAt(context, node, 0);
  TfLiteTensor* output = OutputAt(context, node);
  if (ElementCount(*output) == 0) return kTfLiteOk;
  Window rows, columns;
  CodeRange range;
  ResolveWindows(node, *input, &rows, &columns);
  ActivationCodes(ParametersOf(*node).geometry.activation, *output, &range);
  const int64_t channels = input->dims->data[3];
  int8_t* to = output->data.int8;
  for (int64_t image = 0; image < output->dims->data[0]; ++image) {
    for (int64_t row = 0; row < rows.output; ++row) {
      for (int64_t column = 0; column < columns.output; ++column) {
        for (int64_t c = 0; c < channels; ++c) {
          Reduction reduction;
          const int64_t top = row * rows.stride - rows.pad, left = column * columns.stride - columns.pad;
          for (int64_t y = top < 0 ? 0 : top; y < top + rows.filter && y < rows.input; ++y) {
            for (int64_t x = left < 0 ? 0 : left; x < left + columns.filter && x < columns.input; ++x) {
              reduction.Add(input->data.int8[((image * rows.input + y) * columns.input + x) * channels + c]);
            }
          }
          *to++ = range.Clamp(reduction.Result());
        }
      }
    }
  }
  return kTfLiteOk;
}

}  // namespace

TfLiteRegistration MaxPool2dRegistration() { return Registration(Prepare, Invoke<Maximum>); }
TfLiteRegistration AveragePool2dRegistration() { return Registration(Prepare, Invoke<Average>); }

}  // namespace tflite_eq
