"""What the delegate would claim of a model, by the code that decides inside a runtime."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from ctypes import byref, c_char_p, c_float, c_int32
from typing import Any

import numpy as np

from tflite_eq.delegate import kernels_api
from tflite_eq.delegate.kernels import Cpu
from tflite_eq.delegate.kernels_api import call, encoded, functions, int32s, text


@dataclasses.dataclass(frozen=True)
class NodeTensor:
    """A tensor of a model file.

    Attributes:
        type: The schema's name of its type.
        shape: Its sizes.
        scales: One, or one per channel.
        zero_points: As many.
        quantized_dimension: What scales lie along.
        data: The values of a constant, as they are stored.
        name: What the options ``leave`` and ``claim`` are held against.
        variable: Whether it keeps its values from one inference to the next.
        sparse: Whether ``data`` leaves zeros out.
    """

    type: str
    shape: Sequence[int]
    scales: Sequence[float] = ()
    zero_points: Sequence[int] = ()
    quantized_dimension: int = 0
    data: bytes | None = None
    name: str = ""
    variable: bool = False
    sparse: bool = False

    def described(self) -> kernels_api.Tensor:
        """For the library; keeps what it points at alive."""
        scales = (c_float * len(self.scales))(*self.scales)
        return kernels_api.Tensor(
            encoded(self.type),
            int32s(self.shape),
            len(self.shape),
            scales,
            len(scales),
            int32s(self.zero_points),
            len(self.zero_points),
            self.quantized_dimension,
            self.data,
            0 if self.data is None else len(self.data),
            encoded(self.name.replace("\0", " ")),
            self.variable,
            self.sparse,
        )


@dataclasses.dataclass(frozen=True)
class ModelNode:
    """An operator of a model.

    Attributes:
        kind: The schema's name, ``CONV_2D``; anything for operators that are none of
            ``operators()``.
        inputs: Tensor indices; an absent optional input is -1.
        outputs: Tensor indices.
        options: The fields of the schema's options table; those that are left out are 0.

    Raises:
        ValueError: An option has a value of another type than the schema's.
    """

    kind: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Mapping[str, object] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        described = self.described()
        call("EqCheckNode", byref(described))

    def described(self) -> kernels_api.Node:
        """For the library; keeps what it points at alive."""
        options = [_option(name, value) for name, value in self.options.items()]
        return kernels_api.Node(
            encoded(self.kind),
            int32s(self.inputs),
            len(self.inputs),
            int32s(self.outputs),
            len(self.outputs),
            (kernels_api.Option * len(options))(*options),
            len(options),
        )


def _option(name: str, value: object) -> kernels_api.Option:
    option = kernels_api.Option(name=encoded(name), type=kernels_api.OTHER_OPTION)
    if isinstance(value, (bool, np.bool_)):
        option.type, option.number = kernels_api.BOOL_OPTION, bool(value)
    elif isinstance(value, (int, np.integer)) and -(2**63) <= value < 2**63:
        option.type, option.number = kernels_api.INT_OPTION, int(value)
    elif isinstance(value, (float, np.floating)) and math.isfinite(value):
        option.type, option.real = kernels_api.FLOAT_OPTION, float(value)
    elif isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes)):
        _set_list(option, value)
    return option


def _set_list(option: kernels_api.Option, values: Any) -> None:
    try:
        listed = int32s(values)
    except (TypeError, ValueError):
        return
    option.type, option.count, option.list = kernels_api.INTS_OPTION, len(listed), listed


@dataclasses.dataclass(frozen=True)
class Decision:
    """Whether the delegate would claim an operator.

    Attributes:
        node: Index of the operator.
        kind: The operator's name in the schema.
        claimed: Whether it would.
        reason: Why, in either case.
        saved_multiplications: Estimate of what the claim saves, in multiplications of the runtime's
            convolutions: 0 if it is not claimed; below 0 where the runtime is faster, and the claim
            spares a switch.
    """

    node: int
    kind: str
    claimed: bool
    reason: str
    saved_multiplications: float


def operators() -> list[str]:
    """Schema names of the operators that the library runs, in alphabetical order."""
    names: list[str] = []
    while name := functions().EqOperatorAt(len(names)):
        names.append(text(name))
    return names


def select(
    tensors: Sequence[NodeTensor],
    nodes: Sequence[ModelNode],
    cpu: Cpu,
    threads: int = 1,
    options: Mapping[str, str] | None = None,
) -> list[Decision]:
    """What the delegate would claim of a model on a CPU that need not be this one.

    One decision per operator of a kind that the library runs, in order. The nodes are all operators
    of the model in execution order: which of them lie between those matters.

    Raises:
        ValueError: A node's input or output is no tensor, or the library refuses an option.
    """
    given = options or {}
    keys = (c_char_p * len(given))(*map(encoded, given))
    values = (c_char_p * len(given))(*map(encoded, given.values()))
    decisions, count = (kernels_api.Decision * max(len(nodes), 1))(), c_int32()
    described = cpu.described()
    call(
        "EqSelect",
        (kernels_api.Tensor * len(tensors))(*(tensor.described() for tensor in tensors)),
        len(tensors),
        (kernels_api.Node * len(nodes))(*(node.described() for node in nodes)),
        len(nodes),
        byref(described),
        int32s([threads])[0],
        keys,
        values,
        len(given),
        decisions,
        byref(count),
    )
    return [
        Decision(d.node, text(d.kind), bool(d.claimed), str(d.reason), d.saved_multiplications)
        for d in decisions[: count.value]
    ]
