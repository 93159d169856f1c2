"""Operators whose result is what they read: left over from training, exporters and other passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.text import counted

# Those that change nothing but the shape.
_SHAPING = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})


def removed(graph: Graph) -> tuple[Graph, str | None]:
    """The network without them, and with one operator for two that move values one way and on."""
    given, before = graph, len(graph.operators)
    while True:
        rewrite = Rewrite(graph)
        for operator in graph.operators:
            source = _unchanged(graph, operator)
            if source is not None:
                rewrite.bypass(operator, source)
        if not rewrite.changed and not any(_merge(graph, rewrite, o) for o in graph.operators):
            break
        graph = rewrite.graph()
    if graph is given:
        return graph, None
    return graph, f"{counted(before - len(graph.operators), 'operator')} without effect taken out"


def _unchanged(graph: Graph, operator: Operator) -> int | None:
    """The input that an operator's one result equals; None if there is none."""
    rule = _RULES.get(operator.kind)
    if (
        rule is None
        or len(operator.outputs) != 1
        or properties.fused_activation(operator) != "NONE"
    ):
        return None
    source = rule(graph, operator)
    if source is None or graph.tensors[source].is_constant:
        return None
    return source if _is_alike(graph, source, operator.outputs[0]) else None


def _merge(graph: Graph, rewrite: Rewrite, operator: Operator) -> bool:
    """Have an operator do what the one in front does as well."""
    if not operator.inputs:
        return False
    middle = operator.inputs[0]
    front = graph.producer(middle)
    if front is None or properties.fused_activation(operator) != "NONE":
        return False
    source = front.inputs[0] if front.inputs else -1
    if operator.kind == "RESHAPE" and front.kind in _SHAPING:
        rewrite.connect(operator, [source, *operator.inputs[1:]])
    elif operator.kind == front.kind == "TRANSPOSE":
        orders = [_constant(graph, o.inputs[1]) for o in (front, operator)]
        if orders[0] is None or orders[1] is None:
            return False
        order = orders[0][orders[1]].astype(np.int32)
        name = f"{graph.tensors[operator.outputs[0]].name}/order"
        rewrite.connect(operator, [source, rewrite.add_constant(name, order)])
    else:
        return False
    if graph.consumers(middle) == [operator] and middle not in graph.outputs:
        rewrite.remove(front)
    return True


def _beside_constant(value: float, positions: tuple[int, ...]) -> Callable[..., int | None]:
    """The other operand where one of those at ``positions`` has this value everywhere."""

    def rule(graph: Graph, operator: Operator) -> int | None:
        for position in positions:
            values = _constant(graph, operator.inputs[position])
            if values is not None and (values == value).all():
                return operator.inputs[1 - position]
        return None

    return rule


def _if_constant(position: int, holds: Callable[..., bool]) -> Callable[..., int | None]:
    """The first operand where the one at ``position`` is a constant that says so."""

    def rule(graph: Graph, operator: Operator) -> int | None:
        values = _constant(graph, operator.inputs[position])
        return operator.inputs[0] if values is not None and holds(values) else None

    return rule


def _of_known_shape(graph: Graph, operator: Operator) -> int | None:
    """The operand of what gives it another shape, which is the same one."""
    unknown = [size for size in _signature(graph, operator.inputs[0]) if size < 0]
    # Where one size alone is unknown, the number of values tells it.
    return operator.inputs[0] if len(unknown) <= 1 else None


def _broadcast(graph: Graph, operator: Operator) -> int | None:
    return None if graph.tensors[operator.inputs[0]].dynamic else operator.inputs[0]


def _slice(graph: Graph, operator: Operator) -> int | None:
    """A slice of full size; of a tensor of known shape that is all of it."""
    if graph.tensors[operator.inputs[0]].dynamic:
        return None
    if operator.kind == "SLICE":
        return operator.inputs[0]
    strides = _constant(graph, operator.inputs[3])
    return operator.inputs[0] if strides is not None and (strides == 1).all() else None


def _resized(graph: Graph, operator: Operator) -> int | None:
    size = _constant(graph, operator.inputs[1])
    shape = _signature(graph, operator.inputs[0])
    return operator.inputs[0] if size is not None and list(size) == shape[1:3] else None


def _pool(graph: Graph, operator: Operator) -> int | None:
    options = operator.options
    window = {options.filterHeight, options.filterWidth, options.strideH, options.strideW}
    return operator.inputs[0] if window == {1} else None


def _cast(graph: Graph, operator: Operator) -> int | None:
    return operator.inputs[0]


def _single(position: int, count: int) -> Callable[..., int | None]:
    """The operand at ``position`` of an operator that joins or splits nothing."""

    def rule(graph: Graph, operator: Operator) -> int | None:
        return operator.inputs[position] if len(operator.inputs) == count else None

    return rule


def _slope_of_one(graph: Graph, operator: Operator) -> int | None:
    return operator.inputs[0] if operator.options.alpha == 1 else None


def _nonnegative(graph: Graph, operator: Operator) -> int | None:
    """The operand of a RELU that is 0 at least."""
    (source,) = operator.inputs
    return source if properties.is_nonnegative(graph, source) else None


_RULES: dict[str, Callable[[Graph, Operator], int | None]] = {
    "ADD": _beside_constant(0, (0, 1)),
    "AVERAGE_POOL_2D": _pool,
    "BROADCAST_TO": _broadcast,
    "CAST": _cast,
    "CONCATENATION": _single(0, 1),
    "DIV": _beside_constant(1, (1,)),
    "LEAKY_RELU": _slope_of_one,
    "MAX_POOL_2D": _pool,
    "MIRROR_PAD": _if_constant(1, lambda paddings: not paddings.any()),
    "MUL": _beside_constant(1, (0, 1)),
    "PAD": _if_constant(1, lambda paddings: not paddings.any()),
    "PADV2": _if_constant(1, lambda paddings: not paddings.any()),
    "POW": _if_constant(1, lambda exponents: (exponents == 1).all()),
    "PRELU": _if_constant(1, lambda slopes: (slopes == 1).all()),
    "RELU": _nonnegative,
    "RESHAPE": _of_known_shape,
    "RESIZE_BILINEAR": _resized,
    "RESIZE_NEAREST_NEIGHBOR": _resized,
    "SLICE": _slice,
    "SPLIT": _single(1, 2),
    "SPLIT_V": _single(0, 3),
    "SQUEEZE": _of_known_shape,
    "STRIDED_SLICE": _slice,
    "SUB": _beside_constant(0, (1,)),
    "TILE": _if_constant(1, lambda multiples: (multiples == 1).all()),
    "TRANSPOSE": _if_constant(1, lambda order: (order == np.arange(order.size)).all()),
}


def _constant(graph: Graph, tensor: int) -> npt.NDArray[Any] | None:
    return graph.constant(tensor) if graph.tensors[tensor].is_constant else None


def _signature(graph: Graph, tensor: int) -> list[int]:
    """A tensor's shape with -1 for sizes that are not known."""
    stored = graph.subgraph.tensors[tensor]
    shape = stored.shapeSignature if stored.shapeSignature is not None else stored.shape
    return [] if shape is None else [int(size) for size in shape]


def _is_alike(graph: Graph, one: int, other: int) -> bool:
    return graph.tensors[one].type_name == graph.tensors[other].type_name and (
        graph.tensors[one].shape == graph.tensors[other].shape
        and _signature(graph, one) == _signature(graph, other)
    )
