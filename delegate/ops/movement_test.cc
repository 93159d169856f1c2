// What an operator that moves codes runs against what its view says, in any number of units.
#include "delegate/ops/movement.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

// The one that the operator is to have.
StridedView given;

constexpr Movement::Kind kGiven = {SimpleOperator::kSlice, 0, false, {}, nullptr,
                                   [](const Movement::Arguments&, const Shape&, StridedView* view, Shape* output, Reason*) {
                                     *view = given;
                                     *output = given.shape;
                                     return true;
                                   }};

// Slices, steps either way, dimensions that are split, dropped and reordered.
StridedView RandomView(std::mt19937* random, const Shape& shape) {
  const auto uniform = [random](int low, int high) { return low + static_cast<int>((*random)() % static_cast<unsigned>(high - low + 1)); };
  StridedView view = StridedView::Whole(shape);
  for (int change = uniform(0, 4); change > 0; --change) {
    const int d = uniform(0, view.shape.rank - 1), size = view.shape.dims[d];
    switch (uniform(0, 3)) {
      case 0: {
        if (size == 0) break;
        const int step = uniform(0, 1) == 0 ? 1 : uniform(1, 3);
        const int begin = uniform(0, size - 1);
        const bool back = uniform(0, 3) == 0;
        const int most = (back ? begin : size - 1 - begin) / step + 1;
        view.Slice(d, begin, uniform(0, 5) == 0 ? uniform(0, most) : most, back ? -step : step);
        break;
      }
      case 1:
        if (size % 2 == 0 && size > 0 && view.shape.rank < Shape::kMostDimensions) view.Split(d, 2);
        break;
      case 2:
        if (size == 1 && view.shape.rank > 1) view.Drop(d);
        break;
      default: {
        int order[Shape::kMostDimensions];
        std::iota(order, order + view.shape.rank, 0);
        std::shuffle(order, order + view.shape.rank, *random);
        view.Reorder(order);
      }
    }
  }
  return view;
}

TEST(Movement, RunsWhatItsViewSays) {
  std::mt19937 random(3);
  const DelegateOptions options;
  const Environment environment = {options, CpuProfile()};
  int divided = 0;
  for (int i = 0; i < 1500; ++i) {
    Shape shape;
    shape.rank = 1 + static_cast<int>(random() % 5);
    const bool large = i % 10 == 0;
    for (int d = 0; d < shape.rank; ++d) {
      shape.dims[d] = random() % 40 == 0 ? 0 : 1 + static_cast<int>(random() % (large ? 60 / static_cast<unsigned>(shape.rank) : 7));
    }
    if (large) shape.dims[random() % static_cast<unsigned>(shape.rank)] = 900;
    if (shape.elements() > 1 << 20) continue;
    given = RandomView(&random, shape);
    Movement op(&kGiven);
    Reason reason;
    Shape output;
    const int workers = 1 + i % 3;
    ASSERT_TRUE(op.Resize(&shape, &output, &reason) && op.Prepare(environment, workers, &reason)) << reason.text;
    std::vector<int8_t> input(static_cast<size_t>(shape.elements()));
    for (int8_t& code : input) code = static_cast<int8_t>(random());
    std::vector<int8_t> expected(static_cast<size_t>(output.elements()), 1), found(expected.size(), 2);
    const int8_t* inputs[] = {input.data()};
    op.Reference({inputs, expected.data()});
    const Units units = op.Divide();
    divided += units.count > 1;
    // From the last to the first: each by itself.
    for (int unit = units.count - 1; unit >= 0; --unit) op.Run({inputs, found.data()}, unit, nullptr);
    ASSERT_EQ(found, expected) << i;
  }
  EXPECT_GE(divided, 20);
}

TEST(Movement, ViewsOfNothingMergeWhateverTheirOtherDimensions) {
  StridedView view = StridedView::Whole({4, {2147483647, 31, 0, 7}});
  view.Merge();
  EXPECT_EQ(view.shape.rank, 1);
  EXPECT_EQ(view.shape.elements(), 0);
}

}  // namespace
}  // namespace tflite_eq
