"""SOFTMAX and LOG_SOFTMAX computed by exponential, sum and quotient or logarithm.

Where the largest value is not subtracted beforehand, the operators overflow at values that the
operator itself still takes.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite


@dataclasses.dataclass(frozen=True)
class _Found:
    """Operators that may be a softmax.

    Attributes:
        kind: ``SOFTMAX`` or ``LOG_SOFTMAX``.
        source: Its argument.
        axis: The dimension that it is over.
        inside: The operators before the last one.
    """

    kind: str
    source: int
    axis: int
    inside: tuple[Operator, ...]


_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "LOG_SOFTMAX": ("LogSoftmaxOptions", {}),
    "SOFTMAX": ("SoftmaxOptions", {"beta": 1.0}),
}


def recognized(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these functions as single operators, between two TRANSPOSE if need be."""
    rewrite = Rewrite(graph)
    found: Counter[str] = Counter()
    parts = 0
    for operator in graph.operators:
        for candidate in _candidates(graph, operator):
            is_last = candidate.axis == len(graph.tensors[candidate.source].shape) - 1
            if not is_last and graph.tensors[candidate.source].dynamic:
                continue
            if _is_alone(graph, candidate, operator):
                _replace(graph, rewrite, candidate, operator)
                found[candidate.kind] += 1
                parts += len(candidate.inside) + 1
                break
    if not found:
        return graph, None
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
    return rewrite.graph(), f"{parts} operators put together as {listed}"


def _replace(graph: Graph, rewrite: Rewrite, found: _Found, last: Operator) -> None:
    for part in (*found.inside, last):
        rewrite.remove(part)
    (result,) = last.outputs
    options = _OPTIONS[found.kind]
    shape = graph.tensors[found.source].shape
    if found.axis == len(shape) - 1:
        rewrite.add(last, found.kind, [found.source], [result], options)
        return
    # Exchanging the dimension with the last one is its own reverse.
    order = list(range(len(shape)))
    order[found.axis], order[-1] = order[-1], order[found.axis]
    name = graph.tensors[result].name
    axes = rewrite.add_constant(f"{name}/order", np.array(order, np.int32))
    swapped = [shape[axis] for axis in order]
    before, behind = (
        rewrite.add_tensor(result, f"{name}/{place}", swapped) for place in ("before", "behind")
    )
    move: tuple[str, dict[str, Any]] = ("TransposeOptions", {})
    rewrite.add(last, "TRANSPOSE", [found.source, axes], [before], move)
    rewrite.add(last, found.kind, [before], [behind], options)
    rewrite.add(last, "TRANSPOSE", [behind, axes], [result], move)


def _candidates(graph: Graph, operator: Operator) -> Iterator[_Found]:
    """What an operator may be the end of, the longest first."""
    if properties.fused_activation(operator) != "NONE" or len(operator.inputs) != 2:
        return
    first, second = operator.inputs
    if operator.kind == "DIV":
        kind, power, total = (
            "SOFTMAX",
            _written(graph, first, "EXP"),
            _written(graph, second, "SUM"),
        )
        inside = [power, total]
        is_one = power is not None and total is not None and total.inputs[0] == first
    elif operator.kind == "SUB":
        kind, logarithm = "LOG_SOFTMAX", _written(graph, second, "LOG")
        total = _written(graph, logarithm.inputs[0], "SUM") if logarithm else None
        power = _written(graph, total.inputs[0], "EXP") if total else None
        inside = [logarithm, total, power]
        is_one = power is not None and power.inputs[0] == first
    else:
        return
    axis = _axis(graph, total) if is_one and total else None
    if axis is None or power is None:
        return
    source = power.inputs[0]
    parts = tuple(part for part in inside if part is not None)
    shift = _shift(graph, source, axis)
    if shift is not None:
        yield _Found(kind, shift[0], axis, (*parts, *shift[1]))
    yield _Found(kind, source, axis, parts)


def _shift(graph: Graph, tensor: int, axis: int) -> tuple[int, tuple[Operator, ...]] | None:
    """What the largest value is subtracted from to give a tensor, and the operators."""
    difference = _written(graph, tensor, "SUB")
    if difference is None or properties.fused_activation(difference) != "NONE":
        return None
    source, largest = difference.inputs
    maximum = _written(graph, largest, "REDUCE_MAX")
    if maximum is None or maximum.inputs[0] != source or _axis(graph, maximum) != axis:
        return None
    return source, (difference, maximum)


def _written(graph: Graph, tensor: int, kind: str) -> Operator | None:
    """The operator of a kind that writes a tensor."""
    writer = graph.producer(tensor)
    return writer if writer is not None and writer.kind == kind else None


def _axis(graph: Graph, operator: Operator) -> int | None:
    """The one dimension that an operator reduces and keeps; None if that is not what it does."""
    source, axes = operator.inputs
    if not graph.tensors[axes].is_constant or not operator.options.keepDims:
        return None
    found = {int(a) % len(graph.tensors[source].shape) for a in graph.constant(axes).ravel()}
    return found.pop() if len(found) == 1 else None


def _is_alone(graph: Graph, found: _Found, last: Operator) -> bool:
    """Whether nothing else reads what the operators write but for the last of them."""
    indices = {last.index, *(part.index for part in found.inside)}
    return all(
        result not in graph.outputs
        and all(reader.index in indices for reader in graph.consumers(result))
        for part in found.inside
        for result in part.outputs
    )
