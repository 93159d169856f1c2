"""Affine quantization: real = scale * (code - zero_point), as TFLite's int8 specification has it."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

INT8_MIN = -128
INT8_MAX = 127


@dataclasses.dataclass(frozen=True)
class AffineParams:
    """Scale and zero point of one per-tensor quantized int8 tensor.

    Attributes:
        scale: Real value of one code step; finite and > 0. Held as the float32 value that the
            flatbuffer stores, so that the simulation and the file agree to the last bit.
        zero_point: Code of the real value 0, in [-128, 127].
    """

    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        """Reject parameters that no TFLite kernel accepts."""
        object.__setattr__(self, "scale", float(np.float32(self.scale)))
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale must be finite and positive, got {self.scale!r}")
        if not INT8_MIN <= self.zero_point <= INT8_MAX:
            raise ValueError(f"zero point must be in [-128, 127], got {self.zero_point!r}")

    @property
    def real_range(self) -> tuple[float, float]:
        """Smallest and largest real value an int8 code of this tensor can stand for."""
        return (
            (INT8_MIN - self.zero_point) * self.scale,
            (INT8_MAX - self.zero_point) * self.scale,
        )


def quantize(values: npt.NDArray[np.float32], params: AffineParams) -> npt.NDArray[np.int8]:
    """Nearest int8 codes, saturating at [-128, 127]; halves round away from zero as in TFLite."""
    scaled = values * np.float32(1.0 / params.scale)
    codes = round_half_away(scaled)
    codes += params.zero_point
    np.clip(codes, INT8_MIN, INT8_MAX, out=codes)
    return codes.astype(np.int8)


def dequantize(codes: npt.NDArray[np.int8], params: AffineParams) -> npt.NDArray[np.float32]:
    """Real values of int8 codes."""
    real = codes.astype(np.float32)
    real -= np.float32(params.zero_point)
    real *= np.float32(params.scale)
    return real


def fake_quantize(values: npt.NDArray[np.float32], params: AffineParams) -> npt.NDArray[np.float32]:
    """Values after a round trip through int8 codes, float32 of the same shape."""
    return dequantize(quantize(values, params), params)


def round_half_away(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Nearest integers, halves away from zero (``std::round``), as float32."""
    rounded: npt.NDArray[np.float32] = np.trunc(values + np.copysign(0.5, values)).astype(np.float32)
    return rounded
