"""Cutting off large arrays in place, at the speed of their memory.

NumPy compares with a number four times as slowly as with an array of as many values, so a row of
the number, repeated, takes its place.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

# Values in a row; arrays of fewer are compared with the number itself.
_ROW = 1 << 12


def raise_to(values: Float, low: float) -> None:
    """Make all values at least ``low``, in place."""
    _compare(np.maximum, values, low)


def cut_to(values: Float, high: float) -> None:
    """Make all values at most ``high``, in place."""
    _compare(np.minimum, values, high)


def count_outside(
    values: Float, low: np.float32, high: np.float32, ends: tuple[float, float]
) -> int:
    """How many values are below ``low`` or above ``high``; mostly none, as ``ends`` tell.

    Args:
        values: The values.
        low: The least that is inside.
        high: The largest that is inside.
        ends: The smallest and largest of the values.
    """
    found = 0
    if ends[1] > high:
        found += np.count_nonzero(values > high)
    if ends[0] < low:
        found += np.count_nonzero(values < low)
    return int(found)


def _compare(function: Any, values: Float, bound: float) -> None:
    if values.size < _ROW or not values.flags.c_contiguous:
        function(values, np.float32(bound), out=values)
        return
    flat = values.reshape(-1)
    whole = flat.size // _ROW * _ROW
    rows = flat[:whole].reshape(-1, _ROW)
    function(rows, _row(float(bound)), out=rows)
    function(flat[whole:], np.float32(bound), out=flat[whole:])


@functools.lru_cache(maxsize=64)
def _row(value: float) -> Float:
    """A row of one number."""
    return np.full(_ROW, value, np.float32)
