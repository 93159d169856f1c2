"""Real values as a model's inputs take them, and what it gives as real values again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.numerics import affine

Array = npt.NDArray[Any]

_CODES = (np.int8, np.uint8, np.int16)


def holds_codes(detail: dict[str, Any]) -> bool:
    """Whether a tensor's integers stand for real values: they have a scale."""
    return detail["dtype"] in _CODES and bool(detail["quantization"][0] > 0)


def encode(values: Array, detail: dict[str, Any]) -> Array:
    """Values as an interpreter's input takes them.

    Args:
        values: Real values, or of the input's own type, which stay as they are.
        detail: The input's entry in ``get_input_details``.
    """
    dtype = np.dtype(detail["dtype"])
    if values.dtype == dtype or dtype.kind == "O":
        return values
    scale, zero_point = detail["quantization"]
    if dtype.kind in "iu" and not holds_codes(detail):  # integers that stand for themselves
        ends = np.iinfo(dtype)
        raw: Array = np.rint(values).clip(ends.min, ends.max).astype(dtype)
        return raw
    if dtype.kind == "f":
        return values.astype(dtype)
    if dtype == np.int16:
        wide = affine.round_half_away(values * (np.float32(1) / np.float32(scale))) + zero_point
        codes: npt.NDArray[np.int16] = np.clip(wide, -(1 << 15), (1 << 15) - 1).astype(np.int16)
        return codes
    if dtype == np.int8:
        return affine.quantize(values, affine.AffineParams(scale, zero_point))
    shifted = affine.quantize(values, affine.AffineParams(scale, zero_point - 128))
    return (shifted.astype(np.int16) + 128).astype(np.uint8)


def decode(codes: Array, detail: dict[str, Any]) -> Array:
    """What an interpreter gave for a tensor, as real values where its codes stand for such.

    Args:
        codes: Of any type; values that are no codes stay as they are.
        detail: The tensor's entry in ``get_output_details``.
    """
    if not holds_codes(detail):
        return codes
    scale, zero_point = detail["quantization"]
    values: npt.NDArray[np.float32] = codes.astype(np.float32)
    values -= np.float32(zero_point)
    values *= np.float32(scale)
    return values


def encoded(inputs: Sequence[Array], details: Sequence[dict[str, Any]]) -> list[Array]:
    """A sample as a model's inputs take it, in their order: codes where these are integers.

    Raises:
        ValueError: An input does not take the values.
    """
    return [encode(value, detail) for detail, value in zip(details, inputs)]
