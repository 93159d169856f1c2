"""PRELU and LEAKY_RELU that are simpler operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.built_models import IMAGE, NetworkBuilder, samples
from tests.normalization.compared import after, kinds
from tflite_eq import quantize
from tflite_eq.graph.model import Graph
from tflite_eq.graph.properties import fused_activation
from tflite_eq.normalization.identities import removed
from tflite_eq.normalization.slopes import settled

CHANNELS = IMAGE[-1]


def prelu(net: NetworkBuilder, x: int, slopes: Any, channels: int = CHANNELS) -> int:
    constant = net.constant(np.asarray(slopes, np.float32))
    return net.operator("PRELU", [x, constant], (*IMAGE[:-1], channels))


@pytest.mark.parametrize("shape", [(CHANNELS,), (1, 1, CHANNELS), (1,), IMAGE[1:]])
@pytest.mark.parametrize("slope", [0.25, -0.5, 1.5])
def test_one_slope_is_a_leaky_relu(shape: tuple[int, ...], slope: float) -> None:
    net = NetworkBuilder(*IMAGE)
    graph, change = after(net.finished(prelu(net, net.input, np.full(shape, slope))), settled)
    assert kinds(graph) == ["LEAKY_RELU"]
    assert graph.operators[0].options.alpha == slope
    assert change == "1 PRELU with one slope as LEAKY_RELU"


def test_slope_of_zero_is_a_relu() -> None:
    net = NetworkBuilder(*IMAGE)
    x = prelu(net, net.input, np.zeros(CHANNELS))
    y = net.leaky_relu(net.elementwise("ABS", x), 0.0)
    graph, change = after(net.finished(y), settled)
    assert kinds(graph) == ["RELU", "ABS", "RELU"]
    assert change == "1 PRELU with one slope as RELU, 1 LEAKY_RELU with one slope as RELU"


def test_different_slopes_and_other_leaky_relus_stay() -> None:
    net = NetworkBuilder(*IMAGE)
    x = prelu(net, net.leaky_relu(net.input, 0.2), [0.1, 0.1, 0.2])
    _, change = after(net.finished(x), settled)
    assert change is None


def test_slope_of_one_is_nothing() -> None:
    net = NetworkBuilder(*IMAGE)
    x = prelu(net, net.elementwise("ABS", net.input), np.ones((1, 1, CHANNELS)))
    graph, _ = after(net.finished(net.elementwise("TANH", net.leaky_relu(x, 1.0))), removed)
    assert kinds(graph) == ["ABS", "TANH"]


def test_quantizes_to_what_runtimes_have_int8_kernels_for() -> None:
    net = NetworkBuilder(*IMAGE)
    x = prelu(net, net.conv(net.input, 8), np.full((1, 1, 8), 0.25), 8)
    x = prelu(net, net.conv(x, 8), np.zeros((1, 1, 8)), 8)
    result = quantize(net.finished(net.dense(net.spatial("MEAN", x), 4)), samples())
    graph = Graph.from_bytes(result.model)
    assert "PRELU" not in kinds(graph)
    assert kinds(graph).count("LEAKY_RELU") == 1
    layers = [fused_activation(o) for o in graph.operators if o.kind == "CONV_2D"]
    assert layers == ["NONE", "RELU"]
