// The transformed taps of the one-dimensional kernels, shared by all instruction sets.
//
// Derivation (F(2,3) along the width; one row of a filter w0 w1 w2 over codes d0 ... d3 gives outputs y0, y1):
//
//   halving forms   V0 = d0-d2, V1 = d1+d2, V2 = d2-d1, V3 = d3-d1        U0 = w0, U1 = w0+w1+w2, U2 = w0-w1+w2, U3 = w2
//                   y0 = V0 U0 + (V1 U1 + V2 U2) / 2                      y1 = V3 U3 + (V1 U1 - V2 U2) / 2
//     V1 = V2 and U1 = U2 modulo 2, so V1 U1 +- V2 U2 is even and halving it is exact, also after summing over rows and
//     channels. kHalveWeights stores U1/2 and U2/2 instead and halves nothing.
//   two taps        y0 = (d0-d1) w0 + d1 (w0+w1) + d2 w2                  y1 = (d2-d1) w1 + d1 (w0+w1) + d3 w2
//
// Two windows of 128 codes keep every V in eight bits: [-64, 63], where differences lie in [-127, 127] and the sum in
// [-128, 126], and [0, 127], which activations behind a ReLU have, with the same differences and the sum in [0, 254], an
// unsigned byte. Kernels look at the codes, choose a window, and hand the rows that fit neither to the direct kernel.
#ifndef TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_1D_WEIGHTS_H_
#define TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_1D_WEIGHTS_H_

#include <stdint.h>

#include "delegate/kernels/certificate.h"

namespace tflite_eq {

// Pairs of output columns in a row; the last may lack its second.
static inline int Winograd1dPairs(const ConvShape& s) { return s.output_width / 2 + s.output_width % 2; }

// Taps of one row and input channel: {U0, U1, U2, U3} for the halving forms, {w0, w0+w1, w1, w2} for kTwoTaps.
static inline void TransformWinograd1dTaps(Winograd1dForm form, int w0, int w1, int w2, int8_t u[4]) {
  if (form == Winograd1dForm::kTwoTaps) {
    u[0] = static_cast<int8_t>(w0);
    u[1] = static_cast<int8_t>(w0 + w1);
    u[2] = static_cast<int8_t>(w1);
    u[3] = static_cast<int8_t>(w2);
    return;
  }
  const int divisor = form == Winograd1dForm::kHalveWeights ? 2 : 1;
  u[0] = static_cast<int8_t>(w0);
  u[1] = static_cast<int8_t>((w0 + w1 + w2) / divisor);
  u[2] = static_cast<int8_t>((w0 - w1 + w2) / divisor);
  u[3] = static_cast<int8_t>(w2);
}

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_KERNELS_WINOGRAD_1D_WEIGHTS_H_
