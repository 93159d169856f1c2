"""The golden vectors of the integer convolutions: text that Python and C++ both read.

A case is a line ``case NAME``, then one line per field: its name and its values. Codes and weights
are in TFLite's order, scales are hexadecimal floats. Depthwise convolutions have a file of their
own.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.oracles.integer_conv import (
    IntegerConv,
    activation_range,
    effective_scale,
    quantize_multiplier,
)

PATH = Path(__file__).with_name("integer_conv.txt")
DEPTHWISE_PATH = Path(__file__).with_name("integer_depthwise.txt")


@dataclasses.dataclass(frozen=True)
class Case:
    """One convolution as a model file describes it, an input, and the oracle's output."""

    name: str
    filter: npt.NDArray[np.int8]  # [K, height, width, C]; depthwise: [1, height, width, K]
    filter_scales: npt.NDArray[np.float32]  # one, or one per output channel
    bias: npt.NDArray[np.int32]
    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int
    activation: str
    padding: str
    stride: tuple[int, int]
    dilation: tuple[int, int]
    input: npt.NDArray[np.int8]
    expected: npt.NDArray[np.int8]
    depth_multiplier: int = 0  # of a depthwise convolution; 0 for all others

    def requantization(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Multiplier and shift of every output channel."""
        pairs = [
            quantize_multiplier(effective_scale(self.input_scale, float(s), self.output_scale))
            for s in np.broadcast_to(self.filter_scales, len(self.bias))
        ]
        multipliers, shifts = zip(*pairs)
        return np.array(multipliers, np.int32), np.array(shifts, np.int32)

    def convolution(self) -> IntegerConv:
        """The Python reference of the case."""
        multiplier, shift = self.requantization()
        return IntegerConv(
            self._dense_filter(),
            self.bias,
            multiplier,
            shift,
            self.input_zero_point,
            self.output_zero_point,
            activation_range(self.activation, self.output_scale, self.output_zero_point),
            self.padding,
            self.stride,
            self.dilation,
        )

    def _dense_filter(self) -> npt.NDArray[np.int8]:
        """[K, height, width, C]: a depthwise filter is zero for all input channels but one."""
        if not self.depth_multiplier:
            return self.filter
        _, height, width, outputs = self.filter.shape
        dense = np.zeros((outputs, height, width, outputs // self.depth_multiplier), np.int8)
        for output in range(outputs):
            dense[output, :, :, output // self.depth_multiplier] = self.filter[0, :, :, output]
        return dense


_ARRAYS = {
    "filter": np.int8,
    "bias": np.int32,
    "input": np.int8,
    "expected": np.int8,
}


def write(cases: list[Case], path: Path) -> None:
    lines = ["# Made by tests/golden/make_vectors.py with TFLite's reference kernels."]
    for case in cases:
        lines.append(f"case {case.name}")
        for field in dataclasses.fields(case)[1:]:
            if field.name == "depth_multiplier" and not case.depth_multiplier:
                continue
            lines.append(f"{field.name} {_text(field.name, getattr(case, field.name))}")
    path.write_text("\n".join(lines) + "\n")


def read(path: Path = PATH) -> list[Case]:
    cases = []
    fields: dict[str, Any] = {}
    for line in path.read_text().splitlines():
        name, *values = line.split()
        if name == "#":
            continue
        if name == "case" and fields:
            cases.append(Case(**fields))
            fields = {}
        fields["name" if name == "case" else name] = _value(name, values)
    return [*cases, Case(**fields)]


def _text(name: str, value: Any) -> str:
    if name in _ARRAYS:
        shape = " ".join(map(str, value.shape))
        return f"{shape} : {' '.join(map(str, value.ravel()))}"
    if name == "filter_scales":
        return " ".join(float(s).hex() for s in value)
    if isinstance(value, float):
        return value.hex()
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _value(name: str, values: list[str]) -> Any:
    if name in _ARRAYS:
        colon = values.index(":")
        shape = [int(v) for v in values[:colon]]
        return np.array([int(v) for v in values[colon + 1 :]], _ARRAYS[name]).reshape(shape)
    if name == "filter_scales":
        return np.array([float.fromhex(v) for v in values], np.float32)
    if name in ("input_scale", "output_scale"):
        return float.fromhex(values[0])
    if name in ("stride", "dilation"):
        return (int(values[0]), int(values[1]))
    return int(values[0]) if name.endswith(("zero_point", "multiplier")) else values[0]
