"""Proofs from the weights alone that integer kernels are exact, and how much room they leave.

The arithmetic of ``delegate/kernels/certificate.cc`` again, so that it can be shown where the
delegate is not built; tests hold the two together. The derivation is in docs/method.md, section 7.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN

Codes = npt.NDArray[np.int8]

# The largest magnitude that an accumulator may have, exclusive, as a power of two.
INT32_BITS = 31
WINOGRAD_F43_BITS = 25  # 576 times the sum modulo 2^32: 576 = 64 * 9, and 9 is invertible
WINOGRAD_F23_BITS = 29  # 4 times the sum

# Products of two 7-bit numbers that one int16 lane holds: 8 * 64 * 63 < 2^15.
DIRECT_INT7_LIMIT = 127


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Whether a kernel is exact for a layer, whatever its input.

    Attributes:
        kernel: What is certified.
        holds: Whether it is proven.
        bound: Largest magnitude that can occur in any channel.
        limit: It must stay below this.
        channels: Output channels that satisfy the condition.
        total: Output channels.
    """

    kernel: str
    holds: bool
    bound: int
    limit: int
    channels: int
    total: int

    @property
    def headroom_bits(self) -> float:
        """Factor of two by which the bound stays below the limit; negative if it does not."""
        return math.log2(self.limit / self.bound) if self.bound else math.inf


def accumulator_bounds(
    weights: Codes, zero_point: int, bias: npt.NDArray[np.int32] | None = None
) -> npt.NDArray[np.int64]:
    """Largest ``|sum (q - zero_point) * w + bias|`` over all int8 codes q, per output channel.

    Args:
        weights: Codes, output channels first, [K, ...].
        zero_point: Zero point of the input.
        bias: Codes, [K]; none counts as 0.
    """
    flat = weights.reshape(len(weights), -1).astype(np.int64)
    positive = np.where(flat > 0, flat, 0).sum(axis=1)
    negative = np.where(flat < 0, -flat, 0).sum(axis=1)
    low, high = INT8_MIN - zero_point, INT8_MAX - zero_point
    offset = np.zeros(len(flat), np.int64) if bias is None else bias.astype(np.int64)
    bounds: npt.NDArray[np.int64] = np.maximum(
        np.abs(low * positive - high * negative + offset),
        np.abs(high * positive - low * negative + offset),
    )
    return bounds


def accumulator_certificate(
    kernel: str, weights: Codes, zero_point: int, bits: int, bias: npt.NDArray[np.int32] | None
) -> Certificate:
    """Whether every accumulator stays below ``2^bits`` in magnitude.

    Args:
        kernel: What to call it.
        weights: Codes, output channels first, [K, ...].
        zero_point: Zero point of the input.
        bits: See the constants of this module.
        bias: int32 codes, [K], where they count.
    """
    return _certificate(kernel, accumulator_bounds(weights, zero_point, bias), 1 << bits)


def winograd_1d_certificate(weights: Codes) -> Certificate:
    """Whether the transformed taps of F(2,3) along the width fit int8 in every channel.

    Either ``w0 +- w1 + w2`` fits, or all triplets have even sums and the halves fit. The bound is
    that of the better form of the worst channel; -128 fits and counts as 127.

    Args:
        weights: Codes of 3x3 filters, [K, 3, 3, C].
    """
    w0, w1, w2 = (weights[:, :, tap].astype(np.int64) for tap in range(3))
    outer, inner = w0 + w1 + w2, w0 - w1 + w2
    count = len(weights)
    even = (outer % 2 == 0).reshape(count, -1).all(axis=1)
    taps = np.concatenate([outer.reshape(count, -1), inner.reshape(count, -1)], axis=1)
    taps[even] //= 2
    bounds = np.where(taps < 0, -taps - 1, taps).max(axis=1, initial=0)
    return _certificate("winograd_1d", bounds, INT8_MAX + 1)


def direct_int7_certificate(weights: Codes) -> Certificate:
    """Whether ``|w| <= 127``, so that four products with 7-bit codes fit an int16 lane.

    Eight fit where their weights' magnitudes add up to no more than 511 (516 on AVX2), which the
    kernel looks at for every lane.

    Args:
        weights: Codes, output channels first, [K, ...].
    """
    largest = np.abs(weights.reshape(len(weights), -1).astype(np.int64)).max(axis=1, initial=0)
    return _certificate("direct_int7", largest, DIRECT_INT7_LIMIT + 1)


def _certificate(kernel: str, bounds: npt.NDArray[np.int64], limit: int) -> Certificate:
    fitting = int((bounds < limit).sum())
    return Certificate(
        kernel, fitting == len(bounds), int(bounds.max(initial=0)), limit, fitting, len(bounds)
    )
