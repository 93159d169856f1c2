"""SOFTMAX and LOG_SOFTMAX computed by exponential, sum and quotient or logarithm.

Where the largest value is not subtracted beforehand, the operators overflow at values that the
operator itself still takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite


def recognized(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these functions of the last dimension as single operators."""
    rewrite = Rewrite(graph)
    found: Counter[str] = Counter()
    parts = 0
    for operator in graph.operators:
        for kind, source, inside in _candidates(graph, operator):
            if not _is_alone(graph, [*inside, operator], operator):
                continue
            for part in inside:
                rewrite.remove(part)
            options = ("SoftmaxOptions", {"beta": 1.0}) if kind == "SOFTMAX" else None
            rewrite.replace(operator, kind, [source], options=options or ("LogSoftmaxOptions", {}))
            found[kind] += 1
            parts += len(inside) + 1
            break
    if not found:
        return graph, None
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
    return rewrite.graph(), f"{parts} operators put together as {listed}"


def _candidates(graph: Graph, operator: Operator) -> Iterator[tuple[str, int, list[Operator]]]:
    """What an operator may be the end of: kind, argument, and the operators before it."""
    if properties.fused_activation(operator) != "NONE" or len(operator.inputs) != 2:
        return
    first, second = operator.inputs
    if operator.kind == "DIV":
        power, total = _written(graph, first, "EXP"), _written(graph, second, "SUM")
        if power and total and total.inputs[0] == first and _of_last(graph, total):
            shift = _shift(graph, power.inputs[0])
            if shift is not None:
                yield "SOFTMAX", shift[0], [power, total, *shift[1]]
            yield "SOFTMAX", power.inputs[0], [power, total]
    if operator.kind == "SUB":
        logarithm = _written(graph, second, "LOG")
        total = _written(graph, logarithm.inputs[0], "SUM") if logarithm else None
        power = _written(graph, total.inputs[0], "EXP") if total else None
        if logarithm and total and power and power.inputs[0] == first and _of_last(graph, total):
            inside = [logarithm, total, power]
            shift = _shift(graph, first)
            if shift is not None:
                yield "LOG_SOFTMAX", shift[0], [*inside, *shift[1]]
            yield "LOG_SOFTMAX", first, inside


def _shift(graph: Graph, tensor: int) -> tuple[int, list[Operator]] | None:
    """What the largest value, or one alike, is subtracted from to give a tensor, and by what."""
    difference = _written(graph, tensor, "SUB")
    if difference is None or properties.fused_activation(difference) != "NONE":
        return None
    source, largest = difference.inputs
    maximum = _written(graph, largest, "REDUCE_MAX")
    if maximum is None or maximum.inputs[0] != source or not _of_last(graph, maximum):
        return None
    return source, [difference, maximum]


def _written(graph: Graph, tensor: int, kind: str) -> Operator | None:
    """The operator of a kind that writes a tensor."""
    writer = graph.producer(tensor)
    return writer if writer is not None and writer.kind == kind else None


def _of_last(graph: Graph, operator: Operator) -> bool:
    """Whether an operator reduces the last dimension alone, and keeps it."""
    source, axes = operator.inputs
    if not graph.tensors[axes].is_constant or not operator.options.keepDims:
        return False
    rank = len(graph.tensors[source].shape)
    return [int(axis) % rank for axis in graph.constant(axes).ravel()] == [rank - 1]


def _is_alone(graph: Graph, parts: list[Operator], last: Operator) -> bool:
    """Whether nothing else reads what operators write but for the last of them."""
    indices = {part.index for part in parts}
    return all(
        result not in graph.outputs
        and all(reader.index in indices for reader in graph.consumers(result))
        for part in parts
        if part is not last
        for result in part.outputs
    )
