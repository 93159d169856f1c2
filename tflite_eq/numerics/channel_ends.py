"""Extremes of channels that come last, as they do in activations."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Values that are reduced at a time: NumPy pays for every row, and rows of 3 channels are many.
_WIDE_ROW = 1 << 10


def channel_ends(rows: Array) -> tuple[Array, Array]:
    """Smallest and largest value of every channel, [C] each, of rows [n, C] with n and C > 0."""
    count, channels = rows.shape
    repeats = max(1, min(count, _WIDE_ROW // channels))
    whole = count // repeats * repeats
    wide = rows[:whole].reshape(-1, repeats * channels)
    low, high = (
        extreme.reduce([*extreme.reduce(wide, axis=0).reshape(-1, channels), *rows[whole:]])
        for extreme in (np.minimum, np.maximum)
    )
    return low, high
