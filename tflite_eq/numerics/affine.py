"""Affine quantization: real = scale * (code - zero point), TFLite's int8 specification."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tflite_eq.numerics.clipping import cut_to, raise_to

INT8_MIN = -128
INT8_MAX = 127


@dataclasses.dataclass(frozen=True)
class AffineParams:
    """Scale and zero point of one per-tensor quantized int8 tensor.

    Attributes:
        scale: Real value of one code step; finite and > 0. Held as the float32 value that the
            flatbuffer stores, so that the simulation and the file agree to the last bit.
        zero_point: Code of the real value 0, in [-128, 127].
        low: Smallest code that is written.
        high: Largest code that is written.
    """

    scale: float
    zero_point: int
    low: int = INT8_MIN
    high: int = INT8_MAX

    def __post_init__(self) -> None:
        """Reject parameters that no TFLite kernel accepts."""
        object.__setattr__(self, "scale", float(np.float32(self.scale)))
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale must be finite and positive, got {self.scale!r}")
        if not INT8_MIN <= self.zero_point <= INT8_MAX:
            raise ValueError(f"zero point must be in [-128, 127], got {self.zero_point!r}")

    @property
    def real_range(self) -> tuple[float, float]:
        """Smallest and largest real value that a code of this tensor can stand for."""
        return (
            (self.low - self.zero_point) * self.scale,
            (self.high - self.zero_point) * self.scale,
        )

    @property
    def is_limited(self) -> bool:
        """Whether codes end before int8 does, so that the file has to see to it."""
        return (self.low, self.high) != (INT8_MIN, INT8_MAX)


def quantize(
    values: npt.NDArray[np.float32],
    params: AffineParams,
    shifts: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.int8]:
    """Nearest codes, saturating at the ends; halves round away from zero as in TFLite.

    Args:
        values: Real values.
        params: Scale and zero point.
        shifts: Steps that are added to the values first, broadcast to their shape.
    """
    with np.errstate(over="ignore"):  # infinity saturates like what is merely large
        steps = values * (np.float32(1) / np.float32(params.scale))
    if shifts is not None:
        steps += shifts
    codes = round_half_away(steps)
    codes += params.zero_point
    return clipped(codes, params.low, params.high).astype(np.int8)


def dequantize(codes: npt.NDArray[np.int8], params: AffineParams) -> npt.NDArray[np.float32]:
    """Real values of int8 codes."""
    real = codes.astype(np.float32)
    real -= np.float32(params.zero_point)
    real *= np.float32(params.scale)
    return real


def fake_quantize(
    values: npt.NDArray[np.float32],
    params: AffineParams,
    shifts: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Values after a round trip through int8 codes, float32 of the same shape; see ``quantize``.

    For searches, which call it thousands of times: exact halves round to even here, several times
    faster than away from zero. ``quantize`` is what the kernels do.
    """
    scale = np.float32(params.scale)
    # NumPy makes a number of an array without dimensions, which nothing can be written into.
    real: npt.NDArray[np.float32] = np.asarray(values * (np.float32(1) / scale))
    if shifts is not None:
        real += shifts
    np.rint(real, out=real)
    clipped(real, params.low - params.zero_point, params.high - params.zero_point)
    real *= scale
    return real


def clipped(values: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.float32]:
    """``values`` themselves, cut off at both ends."""
    raise_to(values, low)
    cut_to(values, high)
    return values


# The float32 below one half. Added to x and rounded to float32, it reaches the next integer exactly
# where the fraction of x is one half or more; one half itself would take 0.49999997 to 1, too.
_ALMOST_HALF = np.nextafter(np.float32(0.5), np.float32(0)).view(np.uint32)
_SIGN = np.uint32(1 << 31)


def round_half_away(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Nearest integers, halves away from zero (``std::round``), as a new float32 array."""
    # ``copysign``, which NumPy computes value by value, by the bits of the numbers.
    bits = np.asarray(np.asarray(values).view(np.uint32) & _SIGN)
    bits |= _ALMOST_HALF
    nearest: npt.NDArray[np.float32] = bits.view(np.float32)
    nearest += values
    np.trunc(nearest, out=nearest)
    return nearest
