"""PRELU with one slope, which is LEAKY_RELU, and what has a slope of 0, which is RELU.

XNNPACK has int8 kernels for LEAKY_RELU with a slope above 0 and none for PRELU, and RELU is fused
into the operator in front. Other stages know more of these, too, such as their least value.
"""

from __future__ import annotations

from collections import Counter

from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite


def settled(graph: Graph) -> tuple[Graph, str | None]:
    """The network with the simplest operator for each of these functions."""
    rewrite = Rewrite(graph)
    found: Counter[str] = Counter()
    for operator in graph.operators:
        slope = _one_slope(graph, operator)
        if slope is None or (operator.kind == "LEAKY_RELU" and slope != 0):
            continue
        kind, options = "RELU", None
        if slope != 0:
            kind, options = "LEAKY_RELU", ("LeakyReluOptions", {"alpha": slope})
        rewrite.replace(operator, kind, operator.inputs[:1], options=options)
        found[f"{operator.kind} with one slope as {kind}"] += 1
    if not found:
        return graph, None
    return rewrite.graph(), ", ".join(f"{n:,} {what}" for what, n in found.items())


def _one_slope(graph: Graph, operator: Operator) -> float | None:
    """The slope below 0 where it is the same for all values."""
    if operator.kind == "LEAKY_RELU":
        return float(operator.options.alpha)
    if operator.kind != "PRELU" or not graph.tensors[operator.inputs[1]].is_constant:
        return None
    slopes = graph.constant(operator.inputs[1])
    if not slopes.size or slopes.min() != slopes.max():
        return None
    return float(slopes.flat[0])
