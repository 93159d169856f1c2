// The algebra on its own, with every intermediate value checked against its type: the one-dimensional identities over all
// extreme codes and weights; the two-dimensional ones over all corners of the code range or of the weight range on one side, and a
// basis on the other. Both sides are linear, so a basis stands for everything, as long as no transformed value leaves its type:
// that is looked at where each is largest.
#include <vector>

#include "delegate/kernels/winograd_1d_weights.h"
#include "delegate/kernels/winograd_2d_weights.h"
#include "gtest/gtest.h"

namespace tflite_eq {
namespace {

constexpr bool FitsInt8(int v) { return v >= -128 && v <= 127; }

const std::vector<int>& WindowCodes() {
  static const std::vector<int> codes = {-64, -63, -1, 0, 1, 62, 63};
  return codes;
}

TEST(Winograd1d, HalvingIdentitiesOverAllExtremes) {
  const std::vector<int> weights = {-128, -127, -126, -64, -43, -42, -1, 0, 1, 2, 42, 43, 63, 64, 126, 127};
  for (int w0 : weights) {
    for (int w1 : weights) {
      for (int w2 : weights) {
        int8_t filter[9] = {static_cast<int8_t>(w0), static_cast<int8_t>(w1), static_cast<int8_t>(w2)};
        const Winograd1dForm form = ClassifyWinograd1d(filter, 1);
        if (form != Winograd1dForm::kHalveSums && form != Winograd1dForm::kHalveWeights) continue;
        int8_t u[4];
        TransformWinograd1dTaps(form, w0, w1, w2, u);
        const int halving = form == Winograd1dForm::kHalveSums ? 2 : 1;
        for (int d0 : WindowCodes()) {
          for (int d1 : WindowCodes()) {
            for (int d2 : WindowCodes()) {
              for (int d3 : WindowCodes()) {
                const int v[4] = {d0 - d2, d1 + d2, d2 - d1, d3 - d1};
                for (int value : v) ASSERT_TRUE(FitsInt8(value));
                const int m1 = v[1] * u[1];
                const int m2 = v[2] * u[2];
                ASSERT_EQ((m1 + m2) % halving, 0);
                ASSERT_EQ((m1 - m2) % halving, 0);
                ASSERT_EQ(v[0] * u[0] + (m1 + m2) / halving, d0 * w0 + d1 * w1 + d2 * w2);
                ASSERT_EQ(v[3] * u[3] + (m1 - m2) / halving, d1 * w0 + d2 * w1 + d3 * w2);
              }
            }
          }
        }
      }
    }
  }
}

TEST(Winograd1d, TwoTapIdentityOverAllExtremes) {
  for (int w0 = -63; w0 <= 63; w0 += 21) {
    for (int w1 = -63; w1 <= 63; w1 += 21) {
      for (int w2 = -63; w2 <= 63; w2 += 21) {
        int8_t u[4];
        TransformWinograd1dTaps(Winograd1dForm::kTwoTaps, w0, w1, w2, u);
        for (int d0 : WindowCodes()) {
          for (int d1 : WindowCodes()) {
            for (int d2 : WindowCodes()) {
              for (int d3 : WindowCodes()) {
                ASSERT_TRUE(FitsInt8(d0 - d1) && FitsInt8(d2 - d1));
                ASSERT_EQ((d0 - d1) * u[0] + d1 * u[1] + d2 * u[3], d0 * w0 + d1 * w1 + d2 * w2);
                ASSERT_EQ((d2 - d1) * u[2] + d1 * u[1] + d3 * u[3], d1 * w0 + d2 * w1 + d3 * w2);
              }
            }
          }
        }
      }
    }
  }
}

TEST(Winograd1d, EveryCodeInTheWindowFitsAndItsNeighboursDoNot) {
  for (int a = -64; a <= 63; ++a) {
    for (int b = -64; b <= 63; ++b) {
      ASSERT_TRUE(FitsInt8(a - b));
      ASSERT_TRUE(FitsInt8(a + b));
    }
  }
  EXPECT_FALSE(FitsInt8(64 + 64));
  EXPECT_FALSE(FitsInt8(-65 - 64));
}

// One dimension of the input and output transforms as matrices, apart from the kernels' factored forms.
constexpr int kB43[6][6] = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
                            {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
constexpr int kA43[4][6] = {{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 4}};
constexpr int kB23[6][6] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}};
constexpr int kA23[4][6] = {{1, 1, 1, 0}, {0, 1, -1, 1}};

// A^T [U . (B^T x B)] A for one channel, modulo 2^32, from a tile of codes and 3x3 weights. Fails when an int16 overflows.
void CheckTile(int m, const int (*bt)[6], const int (*at)[6], const std::vector<int>& x, const int8_t* w) {
  const int n = m + 2;
  int16_t u[36];
  TransformWinograd2dFilter(m, w, u);
  uint32_t products[6][6];
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      int v = 0;
      for (int k = 0; k < n; ++k) {
        for (int l = 0; l < n; ++l) v += bt[i][k] * x[k * n + l] * bt[j][l];
      }
      ASSERT_GE(v, -32768);
      ASSERT_LE(v, 32767);
      products[i][j] = static_cast<uint32_t>(v * u[i * n + j]);
    }
  }
  for (int row = 0; row < m; ++row) {
    for (int column = 0; column < m; ++column) {
      uint32_t y = 0;
      for (int i = 0; i < n; ++i) {
        for (int j = 0; j < n; ++j) y += static_cast<uint32_t>(at[row][i] * at[column][j]) * products[i][j];
      }
      const int32_t acc = m == 4 ? static_cast<int32_t>(y * 0x38E38E39u) >> 6 : static_cast<int32_t>(y) >> 2;
      int32_t expected = 0;
      for (int ky = 0; ky < 3; ++ky) {
        for (int kx = 0; kx < 3; ++kx) expected += x[(row + ky) * n + column + kx] * w[ky * 3 + kx];
      }
      ASSERT_EQ(acc, expected);
    }
  }
}

// The scaled filter transforms, likewise.
constexpr int kG43[6][3] = {{6, 0, 0}, {-4, -4, -4}, {-4, 4, -4}, {1, 2, 4}, {1, -2, 4}, {0, 0, 6}};
constexpr int kG23[6][3] = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}};

TEST(Winograd2d, TransformedWeightsFitInt16AtAllExtremes) {
  // All 3^9 filters of -128, 0 and 127: the largest magnitude of every transformed weight is among them.
  for (int code = 0; code < 19683; ++code) {
    int8_t w[9];
    for (int i = 0, rest = code; i < 9; ++i, rest /= 3) w[i] = static_cast<int8_t>(rest % 3 == 0 ? -128 : rest % 3 == 1 ? 0 : 127);
    for (int m : {2, 4}) {
      const auto g = m == 4 ? kG43 : kG23;
      int16_t u[36];
      TransformWinograd2dFilter(m, w, u);
      for (int i = 0; i < m + 2; ++i) {
        for (int j = 0; j < m + 2; ++j) {
          int exact = 0;
          for (int k = 0; k < 3; ++k) {
            for (int l = 0; l < 3; ++l) exact += g[i][k] * w[3 * k + l] * g[j][l];
          }
          ASSERT_EQ(u[i * (m + 2) + j], exact) << "F(" << m << ",3) position " << i << ", " << j;
        }
      }
    }
  }
}

// Bit `i` of `corner` chooses the end of the range.
int8_t Corner(uint32_t corner, int i) { return static_cast<int8_t>(corner >> i & 1 ? 127 : -128); }

TEST(Winograd2d, EveryCornerOfTheWeightsOnABasisOfTiles) {
  for (uint32_t corner = 0; corner < 512; ++corner) {
    int8_t w[9];
    for (int i = 0; i < 9; ++i) w[i] = Corner(corner, i);
    for (int m : {2, 4}) {
      std::vector<int> x((m + 2) * (m + 2), 0);
      for (int& code : x) {
        for (int value : {-128, 1, 127}) {
          code = value;
          CheckTile(m, m == 4 ? kB43 : kB23, m == 4 ? kA43 : kA23, x, w);
        }
        code = 0;
      }
    }
  }
}

TEST(Winograd2d, EveryCornerOfAF23TileOnABasisOfFilters) {
  for (uint32_t corner = 0; corner < 1u << 16; ++corner) {
    std::vector<int> x(16);
    for (int i = 0; i < 16; ++i) x[i] = Corner(corner, i);
    int8_t w[9] = {};
    for (int8_t& weight : w) {
      weight = -127;
      CheckTile(2, kB23, kA23, x, w);
      weight = 0;
    }
  }
}

TEST(Winograd2d, EveryPairOfRowsAtTheirCornersInAnF43Tile) {
  // 2^36 tiles are too many: all corners of two rows, or of two columns, the rest at either end.
  const int8_t w[9] = {127, -128, 127, 127, 127, -128, -128, -128, 127};
  for (int first = 0; first < 6; ++first) {
    for (int second = first + 1; second < 6; ++second) {
      for (uint32_t corner = 0; corner < 1u << 12; ++corner) {
        std::vector<int> rows(36, corner % 2 ? 127 : -128), columns = rows;
        for (int i = 0; i < 6; ++i) {
          rows[6 * first + i] = columns[6 * i + first] = Corner(corner, i);
          rows[6 * second + i] = columns[6 * i + second] = Corner(corner, 6 + i);
        }
        CheckTile(4, kB43, kA43, rows, w);
        CheckTile(4, kB43, kA43, columns, w);
      }
    }
  }
}

TEST(Winograd2d, RandomCornersOfCodesAndWeights) {
  uint32_t state = 1;
  const auto next = [&state] { return state = state * 1664525u + 1013904223u, state >> 16; };
  for (int round = 0; round < 3000; ++round) {
    int8_t w[9];
    for (int8_t& value : w) value = static_cast<int8_t>(next() % 2 ? 127 : -128);
    for (int m : {2, 4}) {
      std::vector<int> x((m + 2) * (m + 2));
      for (int& code : x) code = next() % 2 ? 127 : -128;
      CheckTile(m, m == 4 ? kB43 : kB23, m == 4 ? kA43 : kA23, x, w);
    }
  }
}

TEST(Winograd2d, WorstTileOfEveryPosition) {
  // Codes that drive each transformed value to its bound: the sign pattern of the outer product of two rows of B^T.
  for (int m : {2, 4}) {
    const auto bt = m == 4 ? kB43 : kB23;
    const int n = m + 2;
    const int8_t w[9] = {127, -127, 127, -127, 127, -127, 127, -127, 127};
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < n; ++j) {
        for (int sign : {-1, 1}) {
          std::vector<int> x(n * n);
          for (int k = 0; k < n; ++k) {
            for (int l = 0; l < n; ++l) x[k * n + l] = sign * bt[i][k] * bt[j][l] > 0 ? 127 : -128;
          }
          CheckTile(m, bt, m == 4 ? kA43 : kA23, x, w);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tflite_eq
