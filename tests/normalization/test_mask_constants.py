"""What masks hide scores by becomes no lower than it takes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.built_models import NetworkBuilder
from tests.normalization.compared import after
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.mask_constants import moderated


def masked(value: float, end: str = "SOFTMAX") -> bytes:
    net = NetworkBuilder(2, 4)
    mask = np.array([[0, value, 0, 0], [0, 0, 0, value]], np.float32)
    x = net.elementwise("ADD", net.input, net.constant(mask))
    return net.finished(net.elementwise(end, x))


@pytest.mark.parametrize("value", [-1e10, float(np.finfo(np.float32).min), -np.inf])
def test_computes_the_same_from_moderate_constants(value: float) -> None:
    graph, change = after(masked(value), moderated)
    assert change == "1 constant of a mask made -1e9 where below that"
    assert graph.constant(graph.operators[0].inputs[1]).min() == -1e9


@pytest.mark.parametrize(("value", "end"), [(-1e9, "SOFTMAX"), (-1e10, "LOGISTIC")])
def test_leaves_others_alone(value: float, end: str) -> None:
    graph = Graph.from_bytes(masked(value, end))
    assert moderated(graph) == (graph, None)


def test_another_reader_keeps_the_constant() -> None:
    net = NetworkBuilder(2, 4)
    mask = net.constant(np.full((2, 4), -1e10, np.float32))
    hidden = net.elementwise("SOFTMAX", net.elementwise("ADD", net.input, mask))
    data = net.finished(hidden, net.elementwise("MAXIMUM", net.input, mask))
    graph, _ = after(data, moderated)
    assert graph.constant(graph.operators[-1].inputs[1]).min() == np.float32(-1e10)
