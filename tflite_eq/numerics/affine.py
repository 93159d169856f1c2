"""Affine quantization: real = scale * (code - zero point), TFLite's int8 specification."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tflite_eq.numerics.clipping import cut_to, raise_to

INT8_MIN = -128
INT8_MAX = 127

Ends = tuple[float, float]

_ENDLESS: Ends = (-np.inf, np.inf)

# Values that the caches hold while several operations go over them.
_BLOCK = 1 << 15


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


def ends_of(values: npt.NDArray[np.float32]) -> Ends:
    """The smallest and largest of values; of none, ends that any others lie beyond."""
    return float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))


def quantize(
    values: npt.NDArray[np.float32],
    params: AffineParams,
    shifts: npt.NDArray[np.float32] | None = None,
    ends: Ends | None = None,
) -> npt.NDArray[np.int8]:
    """Nearest codes, saturating at the ends; halves round away from zero as in TFLite.

    Args:
        values: Real values.
        params: Scale and zero point.
        shifts: Steps that are added to the values first, broadcast to their shape.
        ends: The smallest and largest of the values, where these are known: what cannot be needed
            is left out then.
    """
    inverse = np.float32(1) / np.float32(params.scale)
    if shifts is not None:
        ends = None
    with np.errstate(over="ignore"):  # infinity saturates like what is merely large
        steps = np.asarray(values * inverse)
        first, last = np.array(_ENDLESS if ends is None else ends, np.float32) * inverse
    if shifts is not None:
        steps += shifts
    low, high = params.low - params.zero_point, params.high - params.zero_point
    # Whole numbers are what is left when fractions are dropped, which conversions to integers do.
    if first >= 0 and high >= 0:
        steps += _ALMOST_HALF
        _clip(steps, low, high, (first, last + _ALMOST_HALF))
        codes = steps.astype(np.uint8)
        codes += np.uint8(params.zero_point & 0xFF)  # modulo 256, as int8 wraps around
        return codes.view(np.int8)
    steps = _with_half_away(steps)
    _clip(steps, low, high, (first - 1, last + 1))
    wide = steps.astype(np.int16)
    wide += np.int16(params.zero_point)
    return wide.astype(np.int8)


def dequantize(
    codes: npt.NDArray[np.int8],
    params: AffineParams,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Real values of int8 codes, in ``out`` [codes' shape, contiguous] if that is given."""
    real = np.empty(codes.shape, np.float32) if out is None else out
    flat, found = np.ascontiguousarray(codes).reshape(-1), real.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = found[start : start + _BLOCK]
        np.copyto(block, flat[start : start + _BLOCK])
        block -= np.float32(params.zero_point)
        block *= np.float32(params.scale)
    return real


def fake_quantize(
    values: npt.NDArray[np.float32],
    params: AffineParams,
    shifts: npt.NDArray[np.float32] | None = None,
    ends: Ends | None = None,
) -> npt.NDArray[np.float32]:
    """Values after a round trip through int8 codes, float32 of the same shape; see ``quantize``.

    For searches, which call it thousands of times: exact halves round to even here, several times
    faster than away from zero. ``quantize`` is what the kernels do.
    """
    scale = np.float32(params.scale)
    inverse = np.float32(1) / scale
    # NumPy makes a number of an array without dimensions, which nothing can be written into.
    real: npt.NDArray[np.float32] = np.asarray(values * inverse)
    if shifts is not None:
        real += shifts
        ends = None
    np.rint(real, out=real)
    first, last = np.rint(np.array(_ENDLESS if ends is None else ends, np.float32) * inverse)
    _clip(real, params.low - params.zero_point, params.high - params.zero_point, (first, last))
    real *= scale
    return real


def _clip(values: npt.NDArray[np.float32], low: float, high: float, reached: Ends) -> None:
    """Cut values off in place, at those ends that they may reach beyond."""
    if not reached[0] >= low:
        raise_to(values, low)
    if not reached[1] <= high:
        cut_to(values, high)


def clipped(values: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.float32]:
    """``values`` themselves, cut off at both ends."""
    raise_to(values, low)
    cut_to(values, high)
    return values


# The float32 below one half. Added to x and rounded to float32, it reaches the next integer exactly
# where the fraction of x is one half or more; one half itself would take 0.49999997 to 1, too.
_ALMOST_HALF = np.nextafter(np.float32(0.5), np.float32(0))
_ALMOST_HALF_BITS = _ALMOST_HALF.view(np.uint32)
_SIGN = np.uint32(1 << 31)


def round_half_away(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Nearest integers, halves away from zero (``std::round``), as a new float32 array."""
    nearest = _with_half_away(values)
    np.trunc(nearest, out=nearest)
    return nearest


def _with_half_away(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Numbers whose whole parts are the nearest integers, halves away from zero."""
    # ``copysign``, which NumPy computes value by value, by the bits of the numbers.
    bits = np.asarray(np.asarray(values).view(np.uint32) & _SIGN)
    bits |= _ALMOST_HALF_BITS
    nearest: npt.NDArray[np.float32] = bits.view(np.float32)
    nearest += values
    return nearest
