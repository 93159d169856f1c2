"""Forms of operators that stay in float although their kind has an int8 kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.operators.builder import Draw, Layer, OperatorBuilder, alone
from tflite_eq.graph.int8_forms import lacking, without_int8_form
from tflite_eq.graph.model import Graph


def prelu(*shape: int) -> Layer:
    def layer(net: OperatorBuilder, draw: Draw) -> Sequence[int]:
        slopes = net.constant(draw.values(shape[-1:]))
        return net.operator("PRELU", [net.activation(shape), slopes])

    return layer


def largest(*shapes: Sequence[int]) -> Layer:
    return lambda net, draw: net.operator("MAXIMUM", [net.activation(shape) for shape in shapes])


def reduction(kind: str, shape: Sequence[int], axis: int) -> Layer:
    return lambda net, draw: net.operator(kind, [net.activation(shape), net.integers([axis])])


FORMS: list[tuple[Layer, str | None]] = [
    (prelu(2, 3, 4, 5), None),
    (prelu(1, 2, 3, 4, 5), "PRELU broadcasts codes of no more than 4 dimensions"),
    (largest((2,) * 5, (2,)), None),
    (largest((2,) * 6, (2,) * 6), None),
    (largest((2,) * 6, (2,)), "MAXIMUM broadcasts codes of no more than 5 dimensions"),
    (reduction("REDUCE_PROD", (3, 16), 1), None),
    (reduction("REDUCE_PROD", (3, 17), 1), "REDUCE_PROD of more than 16 values is inexact"),
    (reduction("REDUCE_PROD", (3, 1), 1), "REDUCE_PROD over axes of size 1"),
    (reduction("REDUCE_MAX", (3, 1), 1), None),
    (reduction("REDUCE_MAX", (3, 0), 1), "REDUCE_MAX of nothing"),
]


@pytest.mark.parametrize(("layer", "reason"), FORMS)
def test_forms_that_kernels_lack(layer: Layer, reason: str | None) -> None:
    graph = Graph.from_bytes(alone(layer, 0).model)
    [operator] = graph.operators
    found = lacking(graph, operator)
    assert (found or "").startswith(reason or "")
    assert bool(found) == bool(reason)
    assert without_int8_form(graph) == ({0} if reason else frozenset())


def test_constant_without_values_is_a_constant() -> None:
    """The shape of a scalar, as RESHAPE reads it."""
    net = OperatorBuilder(between=False)
    shape = net.constant(np.zeros(0, np.int32))
    x = net.activation((1, 1))
    outputs = net.operator("RESHAPE", [x, shape], newShape=np.zeros(0, np.int32))
    graph = Graph.from_bytes(net.network(outputs).model)
    assert graph.tensors[shape].is_constant
    assert graph.constant(shape).shape == (0,)
    assert not graph.tensors[x].is_constant
    assert graph.tensors[outputs[0]].shape == ()


def test_results_without_values_are_not_constant() -> None:
    net = OperatorBuilder(between=False)
    x = net.activation((2, 0))
    graph = Graph.from_bytes(net.network(net.operator("RELU", [x])).model)
    assert not any(tensor.is_constant for tensor in graph.tensors)
