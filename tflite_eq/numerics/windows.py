"""From a real interval to the scale, zero point and code window of an activation tensor."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np

from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN, AffineParams, round_half_away

# Range given to a tensor that was zero in every calibration sample.
DEAD_RANGE = (0.0, 1.0)

# MLIR widens ranges of less than 1e-6 as it likes. Products of such scales would leave the range of
# float32 and of the requantization shift, too.
MIN_SPAN = 2e-6


class ActivationMode(enum.Enum):
    """Where zero lies in the code range.

    Example:
        >>> import tflite_eq
        >>> config = tflite_eq.Config(activation_mode="symmetric")
        >>> config.activation_mode is tflite_eq.ActivationMode.SYMMETRIC
        True
    """

    ASYMMETRIC = "asymmetric"
    SYMMETRIC = "symmetric"  # the paper's: zero point 0 everywhere


@dataclasses.dataclass(frozen=True)
class Window:
    """Codes that a tensor is meant to use.

    Attributes:
        low: Smallest code.
        high: Largest code.
        saturates: Whether the stock kernels cannot leave the window: the values have a lower bound
            and int8 saturates above. Otherwise values beyond the calibrated range take codes
            outside, and a kernel that relies on the window must check.
    """

    low: int
    high: int
    saturates: bool

    @property
    def is_int7(self) -> bool:
        """Whether the window spans at most 128 codes."""
        return self.high - self.low <= 127


def affine_for(
    low: float, high: float, int7: bool, mode: ActivationMode, floor: float | None
) -> tuple[AffineParams, Window]:
    """Scale, zero point and window that cover the real interval [low, high].

    Args:
        low: Lower end of the interval, <= 0.
        high: Upper end, >= 0.
        int7: Use a window of 128 codes instead of 256.
        mode: Whether the zero point is free or 0.
        floor: Real value <= 0 that the kernels that write the tensor cannot go below, 0 behind a
            ReLU; None if they can. A 7-bit window then starts there, whatever ``low``.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if not int7 or mode is not ActivationMode.ASYMMETRIC:
        floor = None
    if (low if floor is None else floor) == high:
        low, high = DEAD_RANGE
    if floor is not None:
        return _bounded_int7(floor, high)
    if mode is ActivationMode.SYMMETRIC:
        magnitude = max(-low, high, MIN_SPAN)
        if int7:
            return AffineParams(magnitude / 63, 0), Window(0 if low == 0 else -63, 63, False)
        # Non-negative tensors use half of it; no kernel is promised that, their weights are 8-bit.
        return AffineParams(magnitude / INT8_MAX, 0), Window(-INT8_MAX, INT8_MAX, False)
    if low == 0:
        span = max(high, MIN_SPAN)
        if int7:
            return AffineParams(span / 127, 0), Window(0, INT8_MAX, False)
        return AffineParams(span / 255, INT8_MIN), Window(INT8_MIN, INT8_MAX, True)
    if int7:
        return _signed_int7(low, high)
    scale = max(high - low, MIN_SPAN) / 255
    zero_point = int(np.clip(round(INT8_MIN - low / scale), INT8_MIN, INT8_MAX))
    return AffineParams(scale, zero_point), Window(INT8_MIN, INT8_MAX, True)


def limited_affine(
    low: float, high: float, bits: int, mode: ActivationMode, floor: float | None
) -> tuple[AffineParams, Window]:
    """Scale, zero point and window of codes that the file itself ends, at both ends.

    Kernels saturate where int8 ends. Fewer codes than that end where the file has a MINIMUM and a
    MAXIMUM behind the operator that writes the tensor.

    Args:
        low: Lower end of the interval, <= 0.
        high: Upper end, >= 0.
        bits: Width of the codes, 2 to 8.
        mode: Zero point 0 and as many codes on either side, -63..63 for 7 bits, or a free one and
            the middle 2^bits of int8's codes.
        floor: Real value <= 0 that the kernels that write the tensor cannot go below; at 0 the
            window begins with the zero point.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        low, high = DEAD_RANGE
    last = 2 ** (bits - 1) - 1
    if mode is ActivationMode.SYMMETRIC:
        first = 0 if floor == 0 else -last
        scale, zero_point = max(-low, high, MIN_SPAN) / last, 0
    else:
        first = -last - 1
        low = 0.0 if floor == 0 else low
        scale = max(high - low, MIN_SPAN) / (last - first)
        zero_point = int(np.clip(round(first - low / scale), first, last))
    params = AffineParams(scale, zero_point, first, last)
    return params, Window(first, last, saturates=True)


def _bounded_int7(floor: float, high: float) -> tuple[AffineParams, Window]:
    """Codes 0..127: int8 itself ends them above, and no value is less than ``floor`` below.

    The scale is made to fit the zero point, so that ``floor`` has no code below 0, rounded or not,
    and ``high`` none above 127.
    """
    last = INT8_MAX - (high > 0)  # a code above the zero point for what is above 0
    first = int(floor < 0)

    def scale_with(zero_point: int) -> float:
        below = -floor / zero_point if zero_point else 0.0
        above = high / (INT8_MAX - zero_point) if high > 0 else 0.0
        return max(below, above, MIN_SPAN / INT8_MAX)

    exact = int(-floor / max(high - floor, MIN_SPAN) * INT8_MAX)
    nearest = (min(max(z, first), last) for z in (exact, exact + 1))
    zero_point = min(nearest, key=scale_with)
    return AffineParams(scale_with(zero_point), zero_point), Window(0, INT8_MAX, True)


def _signed_int7(low: float, high: float) -> tuple[AffineParams, Window]:
    """Codes -64..63; rounding must not push either end out of the window.

    With 127 steps the ends can round to codes 128 apart, when both lie half way between two codes;
    with 126 they cannot.
    """
    window = Window(-64, 63, saturates=False)
    ends = np.array([low, high], np.float32)
    params = AffineParams(1.0, 0)
    for steps in (127, 126):
        scale = AffineParams(max(high - low, MIN_SPAN) / steps, 0).scale
        first, last = round_half_away(ends * (np.float32(1) / np.float32(scale)))
        params = AffineParams(scale, window.low - int(first))
        if params.zero_point + int(last) <= window.high:
            break
    return params, window
