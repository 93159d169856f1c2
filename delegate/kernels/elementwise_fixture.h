// Every table of kernels without weights that this machine runs, against the specifications in ops/reference/.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_FIXTURE_H_
#define TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_FIXTURE_H_

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "delegate/kernels/cpu_features.h"
#include "delegate/kernels/elementwise_kernels.h"
#include "gtest/gtest.h"

namespace tflite_eq {

using Codes = std::vector<int8_t>;

struct NamedKernels {
  std::string name;
  ElementwiseKernels kernels;
};

inline void PrintTo(const NamedKernels& named, std::ostream* stream) { *stream << named.name; }

std::vector<NamedKernels> AllKernels();

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int Integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  float Scale(double low, double high) {
    return static_cast<float>(std::exp2(std::uniform_real_distribution<double>(low, high)(engine_)));
  }
  // Often at the ends.
  int Code() {
    const int kind = Integer(0, 7);
    return kind == 0 ? -128 : kind == 1 ? 127 : kind == 2 ? 0 : Integer(-128, 127);
  }
  Codes Fill(size_t count) {
    Codes codes(count);
    for (int8_t& code : codes) code = static_cast<int8_t>(Integer(-128, 127));
    return codes;
  }
  template <typename T>
  T Pick(std::initializer_list<T> choices) {
    return choices.begin()[Integer(0, static_cast<int>(choices.size()) - 1)];
  }

 private:
  std::mt19937 engine_;
};

// Memory that ends where the codes end, beginning at any address, and room before it that must not change.
class Placed {
 public:
  Placed(const Codes& codes, size_t offset) : bytes_(offset + codes.size(), kGuard), offset_(offset) {
    std::copy(codes.begin(), codes.end(), bytes_.begin() + static_cast<ptrdiff_t>(offset));
  }
  int8_t* data() { return bytes_.data() + offset_; }
  Codes codes() const { return {bytes_.begin() + static_cast<ptrdiff_t>(offset_), bytes_.end()}; }
  bool is_untouched_before() const {
    return std::all_of(bytes_.begin(), bytes_.begin() + static_cast<ptrdiff_t>(offset_), [](int8_t b) { return b == kGuard; });
  }

 private:
  static constexpr int8_t kGuard = 77;
  Codes bytes_;
  size_t offset_;
};

class Elementwise : public testing::TestWithParam<NamedKernels> {
 protected:
  const ElementwiseKernels& kernels() const { return GetParam().kernels; }
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_ELEMENTWISE_FIXTURE_H_
