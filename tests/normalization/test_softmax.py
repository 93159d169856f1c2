"""SOFTMAX and LOG_SOFTMAX in parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.built_models import NetworkBuilder, samples
from tests.normalization.compared import after, kinds
from tests.shared_data import zoo
from tflite_eq import quantize
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.softmax import recognized


class Parts:
    """The operators of a softmax over one axis of ``shape``."""

    def __init__(self, net: NetworkBuilder, shape: tuple[int, ...], axis: int = -1) -> None:
        self.net, self.shape = net, shape
        self.row = tuple(1 if i == axis % len(shape) else size for i, size in enumerate(shape))
        self.axis = net.constant(np.int32([axis]))

    def reduce(self, kind: str, x: int) -> int:
        keep: Any = ("ReducerOptions", {"keepDims": True})
        return self.net.operator(kind, [x, self.axis], self.row, keep)

    def binary(self, kind: str, x: int, y: int) -> int:
        return self.net.operator(kind, [x, y], self.shape, (f"{kind.title()}Options", {}))

    def shifted(self, x: int) -> int:
        return self.binary("SUB", x, self.reduce("REDUCE_MAX", x))

    def softmax(self, x: int) -> int:
        powers = self.net.elementwise("EXP", x)
        return self.binary("DIV", powers, self.reduce("SUM", powers))

    def log_softmax(self, x: int) -> int:
        total = self.reduce("SUM", self.net.elementwise("EXP", x))
        logarithm = self.net.operator("LOG", [total], self.row)
        return self.binary("SUB", x, logarithm)


@pytest.mark.parametrize("is_shifted", [True, False])
@pytest.mark.parametrize("kind", ["SOFTMAX", "LOG_SOFTMAX"])
@pytest.mark.parametrize("shape", [(2, 5), (1, 3, 4, 6)])
def test_over_the_last_dimension(shape: tuple[int, ...], kind: str, is_shifted: bool) -> None:
    net = NetworkBuilder(*shape)
    parts = Parts(net, shape, len(shape) - 1 if is_shifted else -1)
    x = parts.shifted(net.input) if is_shifted else net.input
    made = parts.softmax(x) if kind == "SOFTMAX" else parts.log_softmax(x)
    graph, _ = after(net.finished(made), recognized, within=1e-6)
    assert kinds(graph) == [kind]


@pytest.mark.parametrize("is_shifted", [True, False])
@pytest.mark.parametrize(("shape", "axis"), [((2, 5), 0), ((1, 3, 4, 6), 1), ((2, 3, 4), -2)])
def test_over_another_dimension(shape: tuple[int, ...], axis: int, is_shifted: bool) -> None:
    net = NetworkBuilder(*shape)
    parts = Parts(net, shape, axis)
    x = parts.shifted(net.input) if is_shifted else net.input
    graph, _ = after(net.finished(parts.softmax(x)), recognized, within=1e-6)
    assert kinds(graph) == ["TRANSPOSE", "SOFTMAX", "TRANSPOSE"]


def test_over_several_dimensions_stays() -> None:
    net = NetworkBuilder(2, 3, 4)
    parts = Parts(net, (2, 3, 4))
    parts.axis, parts.row = net.constant(np.array([1, 2], np.int32)), (2, 1, 1)
    graph, change = after(net.finished(parts.softmax(net.input)), recognized)
    assert change is None, kinds(graph)


def test_largest_value_of_another_dimension_is_no_part_of_it() -> None:
    net = NetworkBuilder(2, 5)
    shifted = Parts(net, (2, 5), 0).shifted(net.input)
    data = net.finished(Parts(net, (2, 5)).softmax(shifted))
    graph, _ = after(data, recognized, within=1e-6)
    assert kinds(graph) == ["REDUCE_MAX", "SUB", "SOFTMAX"]


def test_sum_of_something_else_stays() -> None:
    net = NetworkBuilder(2, 5)
    parts = Parts(net, (2, 5))
    powers = net.elementwise("EXP", net.input)
    total = parts.reduce("SUM", net.elementwise("ABS", powers))
    graph, change = after(net.finished(parts.binary("DIV", powers, total)), recognized)
    assert change is None, kinds(graph)


def test_difference_that_is_read_elsewhere_stays_before_the_softmax() -> None:
    net = NetworkBuilder(2, 5)
    parts = Parts(net, (2, 5))
    shifted = parts.shifted(net.input)
    data = net.finished(parts.softmax(shifted), net.elementwise("TANH", shifted))
    graph, _ = after(data, recognized, within=1e-6)
    assert sorted(kinds(graph)) == ["REDUCE_MAX", "SOFTMAX", "SUB", "TANH"]


def test_powers_that_are_given_out_stay() -> None:
    net = NetworkBuilder(2, 5)
    parts = Parts(net, (2, 5))
    powers = net.elementwise("EXP", net.input)
    made = parts.binary("DIV", powers, parts.reduce("SUM", powers))
    graph, change = after(net.finished(made, powers), recognized)
    assert change is None, kinds(graph)


def test_is_quantized_to_the_operator() -> None:
    net = NetworkBuilder(1, 12, 12, 3)
    logits = net.dense(net.spatial("MEAN", net.conv(net.input, 8)), 4)
    parts = Parts(net, (1, 4))
    result = quantize(net.finished(parts.softmax(parts.shifted(logits))), samples())
    assert kinds(Graph.from_bytes(result.model))[-2:] == ["SOFTMAX", "DEQUANTIZE"]


def test_model_of_the_zoo() -> None:
    graph, _ = after(zoo("mtcnn_rnet.tflite").read_bytes(), recognized, within=1e-6)
    assert "SOFTMAX" in kinds(graph)
    assert "EXP" not in kinds(graph)
