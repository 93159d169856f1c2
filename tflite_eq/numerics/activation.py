"""Fused activation functions on real values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tflite_eq.numerics.clipping import cut_to, raise_to

_CLAMPS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


def activate(values: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float32]:
    """Apply a fused activation function, given by its schema name, in place; returns ``values``.

    Raises:
        ValueError: TFLite's int8 kernels know no such fused activation.
    """
    if name not in _CLAMPS:
        raise ValueError(f"no int8 kernel fuses the activation function {name}")
    low, high = _CLAMPS[name]
    if low is not None:
        raise_to(values, low)
    if high is not None:
        cut_to(values, high)
    return values


def is_fusable(name: str) -> bool:
    """Whether int8 kernels can fuse this activation function."""
    return name in _CLAMPS
