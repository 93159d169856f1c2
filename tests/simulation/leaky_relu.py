"""The integer arithmetic of TFLite's two int8 LEAKY_RELU kernels, written down once more.

With q a code less its zero point and s the slope of its side, in codes of the output by codes of
the input, both kernels round q s:

- XNNPACK knows s to 8 bits, m = round(256 s), and rounds once: floor((q m + 128) / 256).
- The reference kernel knows s to 31 bits, s = f 2^-n with 1/2 <= f < 1, and for n > 0 rounds twice:
  y = round(q f), then y / 2^n. Where y is half-way between two multiples of 2^n it goes away from
  0, whichever side of the half q f was on. So up to one code in 2^n comes out one too large.
  Slopes just below 2^-n are the worst: there q f is just below q, and y is q itself for all q up to
  1 / (2 - 2 f).

Positive values have n = 1 where the output's scale is between two and four times the input's, as
between a symmetric 8-bit tensor (127 codes a side) and a symmetric 7-bit one (63) of the same
range: s = 63/127, and every odd code up to 63 is rounded up.
"""

from __future__ import annotations

import math

import numpy as np

from tests.models import Array
from tests.oracles.integer_conv import multiply_by_quantized_multiplier, quantize_multiplier
from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN, AffineParams


def slopes(alpha: float, source: AffineParams, result: AffineParams) -> tuple[float, float]:
    """Slopes of values from 0 up and below 0, rounded to float32 as the kernels do.

    ``alpha``, the slope of the real function below 0, must not be negative.
    """
    scale, divisor = np.float32(source.scale), np.float32(result.scale)
    return float(scale / divisor), float(scale * np.float32(alpha) / divisor)


def reference_codes(
    codes: Array, alpha: float, source: AffineParams, result: AffineParams
) -> Array:
    """What the reference kernel makes of codes, int32."""
    values = codes.astype(np.int32) - source.zero_point
    sides = [
        multiply_by_quantized_multiplier(values, *map(np.int32, quantize_multiplier(slope)))
        for slope in slopes(alpha, source, result)
    ]
    return _saturated(np.where(values >= 0, *sides), result)


def xnnpack_codes(codes: Array, alpha: float, source: AffineParams, result: AffineParams) -> Array:
    """What XNNPACK makes of codes, int32.

    It leaves the operator to the reference kernel if the slope below 0 is less than 1/256.
    """
    values = codes.astype(np.int32) - source.zero_point
    above, below = (round(256 * slope) for slope in slopes(alpha, source, result))
    products = values * np.where(values >= 0, above, below)
    return _saturated((products + 128) >> 8, result)


def second_rounding(slope: float) -> float:
    """The most that the reference kernel's second rounding adds to half a code."""
    right_shift = -math.frexp(slope)[1]
    return 2.0 ** -(right_shift + 1) if right_shift > 0 else 0.0


def _saturated(values: Array, result: AffineParams) -> Array:
    return np.clip(values + result.zero_point, INT8_MIN, INT8_MAX)
